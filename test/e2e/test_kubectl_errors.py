"""What is wrong is said as Kubernetes says it: the status code, the Status object, the field's path."""
import json
import subprocess

import pytest
import yaml

import rest
from harness import wait_for
from rest import Rest, databases, unplaced


@pytest.fixture
def api(platform):
    return Rest(platform)


def status(answer, code, reason, *texts):
    """The Status of an answer, which must be of this kind and say these things."""
    found = answer.json
    assert answer.code == code == found["code"], str(answer)
    assert (found["kind"], found["apiVersion"], found["status"]) == ("Status", "v1", "Failure")
    assert found.get("reason") == reason, found
    for text in texts:
        assert text in found["message"], found
    return found


def test_a_namespace_that_does_not_exist(platform, api):
    assert 'namespaces "nowhere" not found' in platform.kubectl("get", "ns", "nowhere", check=1).err
    assert "No resources found in nowhere namespace." in platform.kubectl("get", "db", "-n", "nowhere").err
    found = status(api.call("POST", databases("nowhere"), unplaced("a", "nowhere")), 404, "NotFound",
                   'namespaces "nowhere" not found')
    assert found["details"] == {"name": "nowhere", "kind": "namespaces"}
    done = platform.kubectl("create", "-f", "-", input=yaml.safe_dump(unplaced("a", "nowhere")), check=1)
    assert '(NotFound): error when creating "STDIN": namespaces "nowhere" not found' in done.err


def test_a_namespace_that_is_being_deleted_takes_nothing_new(platform, api, ns):
    hold = {"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": f"{ns}-going", "finalizers": ["example.com/hold"]}}
    platform.apply(hold)
    platform.kubectl("delete", "ns", f"{ns}-going", "--wait=false")
    found = status(api.call("POST", databases(f"{ns}-going"), unplaced("a", f"{ns}-going")), 403, "Forbidden",
                   "because it is being terminated")
    assert found["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    platform.kubectl("patch", "ns", f"{ns}-going", "--type=merge", "-p", '{"metadata":{"finalizers":null}}',
                     check=False)
    wait_for("the namespace to be gone", lambda: platform.get("namespace", f"{ns}-going") is None)


def test_an_object_that_does_not_exist(platform, api, ns):
    found = status(api.get(f"{databases(ns)}/orders"), 404, "NotFound", 'databases.slipway.dev "orders" not found')
    assert found["details"] == {"name": "orders", "group": "slipway.dev", "kind": "databases"}
    assert '(NotFound): databases.slipway.dev "orders" not found' in platform.kubectl(
        "get", "db", "orders", "-n", ns, check=1).err


def test_a_resource_that_does_not_exist(platform, api):
    status(api.get("/apis/slipway.dev/v1/pods"), 404, "NotFound", "the server could not find the requested resource")
    assert "the server doesn't have a resource type \"pods\"" in platform.kubectl("get", "pods", check=1).err


def test_an_unknown_field(platform, api, ns):
    manifest = unplaced("orders", ns, foo=1)
    done = platform.kubectl("create", "-f", "-", input=yaml.safe_dump(manifest), check=1)
    assert 'unknown field "spec.foo"' in done.err
    status(api.call("POST", databases(ns) + "?fieldValidation=Strict", manifest), 400, "BadRequest",
           'Database in version "v1" cannot be handled as a Database: strict decoding error: unknown field "spec.foo"')
    warned = api.call("POST", databases(ns) + "?fieldValidation=Warn", manifest, code=201)
    assert warned.headers["Warning"] == '299 - "unknown field \\"spec.foo\\""'
    assert "foo" not in warned.json["spec"]
    platform.kubectl("delete", "db", "orders", "-n", ns)
    ignored = api.call("POST", databases(ns) + "?fieldValidation=Ignore", manifest, code=201)
    assert "Warning" not in ignored.headers


@pytest.mark.parametrize("spec, reason, field, text", [
    ({"version": 15}, "FieldValueTypeInvalid", "spec.version", "must be of type string"),
    ({"roles": [{"name": "app", "login": "yes"}]}, "FieldValueTypeInvalid", "spec.roles[0].login", "boolean"),
    ({"tier": "large"}, "FieldValueNotSupported", "spec.tier", 'supported values: "single", "flexible"'),
    ({"databases": [{}]}, "FieldValueRequired", "spec.databases[0].name", "Required value"),
    ({"storage": "10GB"}, "FieldValueInvalid", "spec.storage", "should match"),
    ({"parameters": {"work_mem": "lots"}}, "FieldValueInvalid", "spec.parameters[work_mem]", "takes an integer"),
    ({"parameters": {"port": "1"}}, "FieldValueForbidden", "spec.parameters[port]", "Forbidden: port cannot be set"),
    ({"roles": [{"name": "postgres"}]}, "FieldValueInvalid", "spec.roles[0].name", "reserved"),
    ({"standbys": 1}, "FieldValueForbidden", "spec.standbys", "only tier flexible"),
])
def test_a_wrong_value_is_named_by_its_path(platform, api, ns, spec, reason, field, text):
    found = status(api.call("POST", databases(ns), unplaced("orders", ns, **spec)), 422, "Invalid",
                   'Database.slipway.dev "orders" is invalid: ', text, field)
    assert found["details"]["kind"] == "Database" and found["details"]["name"] == "orders"
    cause = found["details"]["causes"][0]
    assert (cause["reason"], cause["field"]) == (reason, field) and text in cause["message"]
    done = platform.kubectl("create", "-f", "-", input=yaml.safe_dump(unplaced("orders", ns, **spec)), check=1)
    assert f'The Database "orders" is invalid: {field}: ' in done.err and text in done.err


def test_several_wrong_values_come_at_once(api, ns):
    found = status(api.call("POST", databases(ns), unplaced("orders", ns, tier="x", size="y")), 422, "Invalid",
                   "is invalid: [")
    assert {c["field"] for c in found["details"]["causes"]} == {"spec.tier", "spec.size"}


def test_a_change_that_is_not_allowed(platform, api, ns):
    platform.apply(unplaced("orders", ns, storage="20Gi"))

    def patch(spec):
        return api.call("PATCH", f"{databases(ns)}/orders", {"spec": spec},
                        {"Content-Type": "application/merge-patch+json"})
    status(patch({"version": "17"}), 422, "Invalid", "spec.version: Forbidden", "a Move takes the database")
    status(patch({"storage": "10Gi"}), 422, "Invalid", "spec.storage: Forbidden", "storage grows only")


def test_a_stale_resource_version(api, ns):
    made = api.call("POST", databases(ns), unplaced("orders", ns), code=201).json
    api.call("PATCH", f"{databases(ns)}/orders", {"metadata": {"labels": {"a": "b"}}},
             {"Content-Type": "application/merge-patch+json"}, code=200)
    found = status(api.call("PUT", f"{databases(ns)}/orders", made), 409, "Conflict",
                   'Operation cannot be fulfilled on databases.slipway.dev "orders": the object has been modified; '
                   "please apply your changes to the latest version and try again")
    assert found["details"] == {"name": "orders", "group": "slipway.dev", "kind": "databases"}
    patch = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"], "labels": {"a": "c"}}}
    status(api.call("PATCH", f"{databases(ns)}/orders", patch, {"Content-Type": "application/merge-patch+json"}),
           409, "Conflict", "the object has been modified")
    del made["metadata"]["resourceVersion"]
    status(api.call("PUT", f"{databases(ns)}/orders", made), 422, "Invalid",
           "metadata.resourceVersion: Invalid value: 0x0: must be specified for an update")


def test_preconditions_of_a_delete(api, ns):
    made = api.call("POST", databases(ns), unplaced("orders", ns), code=201).json["metadata"]
    other = "00000000-0000-0000-0000-000000000000"
    for preconditions in ({"uid": other}, {"uid": made["uid"], "resourceVersion": "1"}):
        status(api.call("DELETE", f"{databases(ns)}/orders", {"preconditions": preconditions}), 409, "Conflict",
               "Precondition failed")
    gone = api.call("DELETE", f"{databases(ns)}/orders", {
        "kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Foreground",
        "preconditions": {"uid": made["uid"]}}, code=200)
    assert gone.json["kind"] in ("Status", "Database")


def test_a_body_that_is_too_large(platform, api, ns):
    body = json.dumps(unplaced("orders", ns, parameters={"a.b": "x" * (3 << 19)}))
    status(api.call("POST", databases(ns), body), 413, "RequestEntityTooLarge", "limit is 1572864")
    done = platform.kubectl("create", "-f", "-", input=body, check=1)
    assert "(RequestEntityTooLarge)" in done.err


def test_a_body_just_below_the_limit_is_read(api, ns):
    body = json.dumps(unplaced("orders", ns, parameters={"a.b": "x" * ((3 << 19) - 400)}))
    assert len(body) <= 3 << 19
    status(api.call("POST", databases(ns), body), 422, "Invalid", "Too long")


@pytest.mark.parametrize("body, type", [
    ('{"apiVersion": "slipway.dev/v1", ', "application/json"),
    ('{"a": 1, "a": 2}', "application/json"),
    ('{"a": NaN}', "application/json"),
    ("[" * 100000, "application/json"),
    ("", "application/json"),
    ("\xff\xfe", "application/json"),
    ("a: [1", "application/yaml"),
    ("a: 1\na: 2\n", "application/yaml"),
    ("a: &a [*a]\n", "application/yaml"),
])
def test_broken_json_and_yaml(api, ns, body, type):
    status(api.call("POST", databases(ns), body.encode("latin-1"), {"Content-Type": type}), 400, "BadRequest")


def test_a_yaml_body_is_as_good_as_json(api, ns):
    made = api.call("POST", databases(ns), yaml.safe_dump(unplaced("orders", ns)),
                    {"Content-Type": "application/yaml", "Accept": "application/yaml"}, code=201)
    assert yaml.safe_load(made.body)["metadata"]["name"] == "orders"


@pytest.mark.parametrize("name", ["Orders", "orders_1", "-orders", "orders-", "a.b", "a" * 64, "ö"])
def test_a_bad_name(api, ns, name):
    found = status(api.call("POST", databases(ns), unplaced(name, ns)), 422, "Invalid", "metadata.name: Invalid value")
    assert found["details"]["causes"][0]["field"] == "metadata.name"


def test_no_name_at_all(api, ns):
    manifest = unplaced("", ns)
    del manifest["metadata"]["name"]
    status(api.call("POST", databases(ns), manifest), 422, "Invalid",
           "metadata.name: Required value: name or generateName is required")
    manifest["metadata"]["generateName"] = "orders-"
    names = {api.call("POST", databases(ns), manifest, code=201).json["metadata"]["name"] for _ in range(3)}
    assert len(names) == 3 and all(n.startswith("orders-") and len(n) == 12 for n in names)


def test_bad_labels_and_annotations(api, ns):
    manifest = unplaced("orders", ns)
    manifest["metadata"]["labels"] = {"a": "b c"}
    status(api.call("POST", databases(ns), manifest), 422, "Invalid", "metadata.labels: Invalid value: \"b c\"")
    manifest["metadata"].update(labels={}, annotations={"a": "x" * (257 << 10)})
    status(api.call("POST", databases(ns), manifest), 422, "Invalid", "metadata.annotations: Too long")


def test_another_name_namespace_kind_or_version_than_the_address(api, ns):
    made = api.call("POST", databases(ns), unplaced("orders", ns), code=201).json
    made["metadata"]["name"] = "other"
    status(api.call("PUT", f"{databases(ns)}/orders", made), 400, "BadRequest",
           "the name of the object (other) does not match the name on the URL (orders)")
    status(api.call("POST", databases(ns), unplaced("a", "elsewhere")), 400, "BadRequest",
           "the namespace of the provided object does not match the namespace sent on the request")
    status(api.call("POST", databases(ns), {**unplaced("a", ns), "apiVersion": "slipway.dev/v2"}), 400, "BadRequest",
           "the API version in the data (slipway.dev/v2) does not match the expected API version (slipway.dev/v1)")
    status(api.call("POST", databases(ns), {**unplaced("a", ns), "kind": "Secret"}), 400, "BadRequest")


def test_media_types_that_are_not_spoken(api, ns):
    status(api.call("POST", databases(ns), "x", {"Content-Type": "text/plain"}), 415, "UnsupportedMediaType",
           "application/json, application/yaml")
    status(api.call("PATCH", f"{databases(ns)}/orders", "{}", {
        "Content-Type": "application/strategic-merge-patch+json"}), 415, "UnsupportedMediaType",
        "application/merge-patch+json")
    status(api.get(databases(ns), headers={"Accept": "text/html"}), 406, "NotAcceptable")


def test_methods_that_are_not_allowed(api, ns):
    for method, path in (("PUT", databases(ns)), ("POST", f"{databases(ns)}/orders"),
                         ("POST", "/apis/slipway.dev/v1/databases"), ("DELETE", "/apis/slipway.dev/v1/databases"),
                         ("POST", "/version"), ("GET", "/agent/v1/report")):
        answer = api.call(method, path, {} if method != "GET" else None)
        assert answer.code in (403, 405), str(answer)
        if answer.code == 405:
            status(answer, 405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


@pytest.mark.parametrize("query, code, text", [
    ("labelSelector=a%20b", 400, "unable to parse requirement"),
    ("fieldSelector=spec.tier%3Dsingle", 400, "field label not supported: spec.tier"),
    ("limit=x", 400, "limit"),
    ("continue=x", 400, "continue key is not valid"),
    ("resourceVersion=x", 400, "resourceVersion"),
    ("resourceVersionMatch=Exact", 422, "resourceVersionMatch is forbidden unless resourceVersion is provided"),
    ("resourceVersion=1&resourceVersionMatch=x", 422, "supported values"),
    ("resourceVersion=1&resourceVersionMatch=Exact", 410, "too old"),
    ("resourceVersion=999999999999", 504, "Too large resource version"),
    ("watch=1&timeoutSeconds=x", 400, "timeoutSeconds"),
    ("watch=1&sendInitialEvents=true", 422, "resourceVersionMatch"),
    ("includeObject=x", 400, "includeObject"),
])
def test_options_that_make_no_sense(api, ns, query, code, text):
    answer = api.get(f"{databases(ns)}?{query}")
    assert answer.code == code and text in answer.json["message"], str(answer)


def test_dry_run_and_validation_options_are_checked(api, ns):
    for query, field in (("dryRun=Some", "dryRun"), ("fieldValidation=Some", "fieldValidation"),
                         ("fieldManager=" + "x" * 129, "fieldManager")):
        found = status(api.call("POST", f"{databases(ns)}?{query}", unplaced("a", ns)), 422, "Invalid", field)
        assert found["details"]["causes"][0]["field"] == field
    found = status(api.call("PATCH", f"{databases(ns)}/a", yaml.safe_dump(unplaced("a", ns)), {
        "Content-Type": "application/apply-patch+yaml"}), 422, "Invalid", "fieldManager: Required value")


def test_who_does_not_say_who_they_are_gets_nothing(platform, ns):
    nobody, wrong = Rest(platform, token=None), Rest(platform, token="wrong")
    for path in ("/api", "/apis", databases(ns), rest.secrets(ns), "/openapi/v3", "/terraform/v1/state/a/b"):
        for who in (nobody, wrong):
            answer = status(who.get(path), 401, "Unauthorized", "Unauthorized")
            assert answer["message"] == "Unauthorized"
    assert nobody.get("/healthz").body == b"ok" and nobody.get("/readyz").body == b"ok"
    assert nobody.get("/version").code == 200


def test_a_token_works_as_a_password_too(platform, ns):
    import base64
    basic = base64.b64encode(f"admin:{Rest(platform).token}".encode()).decode()
    assert Rest(platform, token=None).get(databases(ns), headers={"Authorization": f"Basic {basic}"}).code == 200


def test_secrets_are_checked(api, ns):
    def create(**fields):
        return api.call("POST", rest.secrets(ns), {
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "note"}, **fields})
    status(create(data={"a": "not base64!"}), 422, "Invalid", "data.a: Invalid value")
    status(create(data={"a/b": ""}), 422, "Invalid", "a valid config key")
    made = create(stringData={"a": "b"}, immutable=True)
    assert made.code == 201 and made.json["data"] == {"a": "Yg=="} and "stringData" not in made.json
    status(api.call("PATCH", f"{rest.secrets(ns)}/note", {"stringData": {"a": "c"}}, {
        "Content-Type": "application/merge-patch+json"}), 422, "Invalid", "field is immutable when `immutable` is set")


def test_kubectl_gives_up_on_an_api_that_is_not_there(platform):
    env = {**platform.env, "KUBECONFIG": "/dev/null"}
    done = subprocess.run(["kubectl", "--server=https://127.0.0.1:1", "get", "db"], env=env, capture_output=True)
    assert done.returncode == 1
