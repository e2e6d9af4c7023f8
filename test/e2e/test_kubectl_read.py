"""An unmodified kubectl reads: every form of get, watch, describe, explain, wait."""
import json
import subprocess

import pytest

from harness import database, wait_for
from rest import unplaced


@pytest.fixture
def orders(platform, ns):
    platform.apply(unplaced("orders", ns), unplaced("invoices", ns, size="medium"))
    platform.kubectl("label", "-n", ns, "database", "orders", "slipway.dev/team=payments")
    return ns


def test_api_resources_lists_every_kind(platform):
    out = platform.kubectl("api-resources", "--no-headers").out
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines()}
    assert rows["databases"] == ["db", "slipway.dev/v1", "true", "Database"]
    assert rows["hosts"] == ["slipway.dev/v1", "false", "Host"]
    assert {"members", "namespaces", "secrets", "events"} <= rows.keys()
    assert "databases.slipway.dev" in platform.kubectl("api-resources", "-o", "name", "--categories=all").out


def test_version_names_the_server(platform):
    found = platform.kubectl("version", "-o", "json").json["serverVersion"]
    assert found["major"] == "1" and "slipway" in found["gitVersion"]
    assert "slipway.dev/v1" in platform.kubectl("api-versions").out.split()


def test_get_prints_a_table_with_the_columns_of_the_kind(platform, orders):
    head, *rows = platform.kubectl("get", "db", "-n", orders).out.splitlines()
    assert head.split() == ["NAME", "TIER", "VERSION", "READY", "STATUS", "PRIMARY", "STANDBYS", "AGE"]
    assert [r.split()[:3] for r in rows] == [["invoices", "single", "15"], ["orders", "single", "15"]]
    assert "SIZE" not in head


def test_get_wide_has_more_columns(platform, orders):
    head, *rows = platform.kubectl("get", "db", "-n", orders, "-o", "wide").out.splitlines()
    assert head.split()[-3:] == ["SIZE", "EPOCH", "ENDPOINT"]
    assert "medium" in rows[0] and "small" in rows[1]


def test_get_yaml_and_json_give_the_whole_object(platform, orders):
    from_yaml = platform.kubectl("get", "database", "orders", "-n", orders, "-o", "yaml").yaml[0]
    from_json = platform.kubectl("get", "databases", "orders", "-n", orders, "-o", "json").json
    assert from_yaml["spec"] == from_json["spec"]
    assert from_json["apiVersion"] == "slipway.dev/v1" and from_json["kind"] == "Database"
    assert from_json["metadata"]["uid"] and int(from_json["metadata"]["resourceVersion"]) > 0
    assert from_json["spec"]["databases"] == [{"name": "orders", "owner": "app"}]  # defaults are filled in


def test_get_name_and_jsonpath(platform, orders):
    assert platform.kubectl("get", "db", "-n", orders, "-o", "name").out.split() == [
        "database.slipway.dev/invoices", "database.slipway.dev/orders"]
    out = platform.kubectl("get", "db", "-n", orders, "-o", "jsonpath={.items[*].spec.size}").out
    assert out == "medium small"


def test_get_all_namespaces_names_them(platform, orders):
    head, *rows = platform.kubectl("get", "db", "-A").out.splitlines()
    assert head.split()[:2] == ["NAMESPACE", "NAME"]
    assert [orders, "orders"] in [r.split()[:2] for r in rows]


@pytest.mark.parametrize("selector, names", [
    ("slipway.dev/team=payments", ["orders"]),
    ("slipway.dev/team!=payments", ["invoices"]),
    ("slipway.dev/team in (sales, payments)", ["orders"]),
    ("slipway.dev/team notin (payments)", ["invoices"]),
    ("slipway.dev/team", ["orders"]),
    ("!slipway.dev/team", ["invoices"]),
    ("slipway.dev/team=payments,!slipway.dev/team", []),
])
def test_get_by_label(platform, orders, selector, names):
    out = platform.kubectl("get", "db", "-n", orders, "-l", selector, "-o", "name").out.split()
    assert out == [f"database.slipway.dev/{n}" for n in names]


def test_get_by_field(platform, orders):
    def get(selector, **kw):
        return platform.kubectl("get", "db", "-n", orders, "--field-selector", selector, "-o", "name", **kw)
    assert get("metadata.name=orders").out.split() == ["database.slipway.dev/orders"]
    assert get("metadata.name!=orders").out.split() == ["database.slipway.dev/invoices"]
    assert "field label not supported: spec.tier" in get("spec.tier=single", check=1).err


def test_get_in_pages_gives_each_object_once(platform, ns):
    platform.apply(*(unplaced(f"db-{i:02}", ns) for i in range(12)))
    out = platform.kubectl("get", "db", "-n", ns, "--chunk-size=5", "-o", "name").out.split()
    assert out == [f"database.slipway.dev/db-{i:02}" for i in range(12)]


def test_get_watch_shows_each_change(platform, orders):
    watch = subprocess.Popen(["kubectl", "get", "db", "-n", orders, "-w", "-o", "json"], env=platform.env,
                             stdout=subprocess.PIPE, text=True)
    try:
        decoder, text = json.JSONDecoder(), ""

        def next_object():
            nonlocal text
            while True:
                try:
                    found, end = decoder.raw_decode(text.lstrip())
                    text = text.lstrip()[end:]
                    return found
                except json.JSONDecodeError:
                    line = watch.stdout.readline()
                    assert line, "kubectl has ended"
                    text += line
        assert {next_object()["metadata"]["name"], next_object()["metadata"]["name"]} == {"orders", "invoices"}
        platform.kubectl("patch", "db", "orders", "-n", orders, "--type=merge", "-p", '{"spec":{"size":"large"}}')
        while (seen := next_object())["spec"]["size"] != "large":
            pass
        assert seen["metadata"]["name"] == "orders"
    finally:
        watch.kill()
        watch.wait()


def test_get_watch_prints_table_rows(platform, orders, tmp_path):
    with open(tmp_path / "out", "w") as out:
        watch = subprocess.Popen(["kubectl", "get", "db", "-n", orders, "-w"], env=platform.env, stdout=out)
    try:
        def rows():
            return (tmp_path / "out").read_text().splitlines()
        wait_for("the first rows", lambda: len(rows()) >= 3)
        platform.kubectl("delete", "db", "invoices", "-n", orders)
        platform.apply(unplaced("later", orders))
        wait_for("a row for what came later", lambda: any(r.startswith("later ") for r in rows()))
        assert rows()[0].split()[0] == "NAME" and sum(r.startswith("NAME") for r in rows()) == 1
    finally:
        watch.kill()
        watch.wait()


def test_describe_shows_the_object_and_its_events(platform, orders):
    uid = platform.get("database", "orders", orders)["metadata"]["uid"]
    platform.kubectl("create", "-f", "-", input=json.dumps({
        "apiVersion": "v1", "kind": "Event", "metadata": {"generateName": "orders.", "namespace": orders},
        "involvedObject": {"apiVersion": "slipway.dev/v1", "kind": "Database", "name": "orders",
                           "namespace": orders, "uid": uid},
        "reason": "Tested", "message": "It was looked at.", "type": "Normal", "count": 1,
        "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:00:00Z",
        "source": {"component": "test"}}))
    out = platform.kubectl("describe", "database", "orders", "-n", orders).out
    assert "slipway.dev/team=payments" in out and "Tier:" in out
    assert "Tested" in out.partition("Events:")[2] and "It was looked at." in out
    events = platform.kubectl("get", "events", "-n", orders, "--field-selector", "reason=Tested").out
    assert "database/orders" in events


def test_describe_works_for_every_kind(platform, orders):
    platform.kubectl("create", "secret", "generic", "note", "-n", orders, "--from-literal=a=b")
    assert "Status:" in platform.kubectl("describe", "namespace", orders).out
    assert "a:  1 bytes" in platform.kubectl("describe", "secret", "note", "-n", orders).out
    platform.kubectl("describe", "hosts")
    platform.kubectl("describe", "members", "-n", orders)


@pytest.mark.parametrize("field, kind, text", [
    ("database.spec.highAvailability", "Object", "How a flexible database is kept running"),
    ("database.spec.highAvailability.failover", "string", "promotes a synchronous standby"),
    ("database.spec.roles.inRoles", "[]string", "Roles that it is a member of."),
    ("db", "", "A PostgreSQL service of one team"),
    ("host.spec.zone", "string", "Failure zone."),
    ("namespace", "", "One team's environment"),
    ("database.metadata.labels", "map[string]string", "select"),
])
def test_explain_says_what_the_schema_says(platform, field, kind, text):
    out = platform.kubectl("explain", field).out
    assert text in " ".join(out.split())
    assert not kind or f"<{kind}>" in out


def test_explain_refuses_a_field_that_there_is_not(platform):
    assert 'field "nothing" does not exist' in platform.kubectl("explain", "database.spec.nothing", check=1).err


def test_wait_for_ready_ends_when_the_database_is_ready(platform, ns):
    platform.apply(database("orders", ns))
    platform.kubectl("wait", "--for=condition=Ready", "db/orders", "-n", ns, "--timeout=100s", timeout=110)
    platform.kubectl("delete", "db", "orders", "-n", ns, timeout=60)


def test_wait_for_a_condition_that_does_not_come_times_out(platform, orders):
    done = platform.kubectl("wait", "--for=condition=Ready", "db/orders", "-n", orders, "--timeout=1s", check=1)
    assert "timed out waiting for the condition" in done.err


def test_wait_for_delete_ends_when_it_is_gone(platform, orders):
    wait = subprocess.Popen(["kubectl", "wait", "--for=delete", "db/invoices", "-n", orders, "--timeout=30s"],
                            env=platform.env)
    platform.kubectl("delete", "db", "invoices", "-n", orders)
    assert wait.wait(30) == 0


def test_auth_can_i_tells_the_truth(platform, orders):
    def can_i(*argv, **kw):
        return platform.kubectl("auth", "can-i", *argv, "-n", orders, **kw).out.split()[0]
    assert can_i("create", "databases") == "yes"
    assert can_i("delete", "secrets") == "yes"
    assert can_i("*", "*") == "yes"
    assert can_i("create", "pods", check=1) == "no"
    assert can_i("get", "/healthz") == "yes"
    assert "*.*" in platform.kubectl("auth", "can-i", "--list", "-n", orders).out


def test_auth_whoami_names_the_user(platform):
    out = platform.kubectl("auth", "whoami", "-o", "json").json["status"]["userInfo"]
    assert out == {"username": "admin", "groups": ["slipway:admins"]}
