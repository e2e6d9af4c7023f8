"""What gateways hear of Databases, what they tell, and that nobody else does."""
import json

import pytest

import rest
from gateways import Gateway, certificate
from harness import wait_for
from rest import Rest, unplaced

MERGE = {"Content-Type": "application/merge-patch+json"}


@pytest.fixture
def api(platform):
    return Rest(platform)


@pytest.fixture
def gateway(platform, api, tmp_path):
    with Gateway(platform, tmp_path) as g:
        yield g
    api.call("DELETE", f"/apis/slipway.dev/v1/gateways/{g.name}")


def row(api, gateway):
    answer = api.get(f"/apis/slipway.dev/v1/gateways/{gateway.name}")
    return answer.json if answer.code == 200 else None


def ready(o):
    return next((c["status"] for c in (o or {}).get("status", {}).get("conditions", []) if c["type"] == "Ready"), None)


def patch(api, ns, name, **body):
    return api.call("PATCH", f"{rest.databases(ns)}/{name}", json.dumps(body), headers=MERGE, code=200).json


@pytest.mark.parametrize("path, method", [("routes", "GET"), ("report", "POST")])
def test_only_gateways_hear_and_tell(platform, api, tmp_path, path, method):
    body = {} if method == "POST" else None
    api.call(method, f"/gateway/v1/{path}", body, code=403)
    Rest(platform, token=None).call(method, f"/gateway/v1/{path}", body, code=401)
    for group in ("slipway:hosts", "slipway:servers"):
        other = Rest(platform, token=None, cert=certificate(platform, tmp_path, "gw", group))
        other.call(method, f"/gateway/v1/{path}", body, code=403 if group == "slipway:hosts" else 401)
    gateway = Rest(platform, token=None, cert=certificate(platform, tmp_path, "gw"))
    gateway.get("/apis/slipway.dev/v1/gateways", code=403)
    gateway.get("/agent/v1/wants", code=403)


def test_a_route_is_told_when_something_in_it_changes_and_only_then(api, ns, gateway):
    name = f"{ns}.orders"
    api.call("POST", rest.databases(ns), unplaced("orders", ns, databases=[{"name": "orders"}, {"name": "more"}]), code=201)
    route = wait_for("the route", lambda: gateway.routes.get(name))
    assert route["databases"] == ["orders", "more"] and route["members"] == []
    assert route["mode"] == "session" and route["pool"]["size"] == 20 and route["server"] == {"auth": "cert"}
    assert [r["name"] for r in route["roles"]] == ["app"]
    before = len(gateway.lines)
    patch(api, ns, "orders", metadata={"labels": {"a": "b"}})
    patch(api, ns, "orders", spec={"gateway": {"mode": "transaction", "pool": {"size": 3}}})
    wait_for("the mode", lambda: gateway.routes[name]["mode"] == "transaction")
    assert gateway.routes[name]["pool"]["size"] == 3 and gateway.routes[name]["revision"] > route["revision"]
    assert [line["type"] for line in gateway.lines[before:]] == ["database"]
    api.call("DELETE", f"{rest.databases(ns)}/orders")
    wait_for("the end", lambda: name not in gateway.routes)
    assert gateway.lines[-1] == {"type": "gone", "name": name}


def test_a_verifier_that_waits_is_told_before_its_time(platform, api, ns, gateway):
    """Both are good while a new password waits to be fetched: nobody is turned away in between."""
    made = api.call("POST", rest.databases(ns), unplaced("orders", ns), code=201).json
    owner = [{"apiVersion": "slipway.dev/v1", "kind": "Database", "name": "orders", "uid": made["metadata"]["uid"]}]
    secret = {"apiVersion": "v1", "kind": "Secret", "type": "slipway.dev/verifier",
              "metadata": {"name": "orders-app-verifier", "ownerReferences": owner,
                           "labels": {"slipway.dev/database": "orders", "slipway.dev/role": "app"}}}

    def verifiers():
        return gateway.routes[f"{ns}.orders"]["roles"][0]["verifiers"]
    wait_for("the route", lambda: f"{ns}.orders" in gateway.routes)
    assert verifiers() == []
    api.call("POST", rest.secrets(ns), {**secret, "stringData": {"verifier": "SCRAM-SHA-256$a"}}, code=201)
    wait_for("the verifier", lambda: verifiers() == ["SCRAM-SHA-256$a"])
    api.call("PATCH", f"{rest.secrets(ns)}/orders-app-verifier", json.dumps({"stringData": {"next": "SCRAM-SHA-256$b"}}),
             headers=MERGE, code=200)
    wait_for("both", lambda: verifiers() == ["SCRAM-SHA-256$a", "SCRAM-SHA-256$b"])
    api.call("DELETE", f"{rest.secrets(ns)}/orders-app-verifier")
    wait_for("none", lambda: verifiers() == [])


def test_a_new_stream_ends_the_old_one_and_begins_with_all(platform, api, ns, gateway):
    for name in ("one", "two"):
        api.call("POST", rest.databases(ns), unplaced(name, ns), code=201)
    names = {f"{ns}.one", f"{ns}.two"}
    wait_for("the routes", lambda: names <= set(gateway.routes))
    with gateway.client.stream("/gateway/v1/routes") as lines:
        seen = []
        for line in lines:
            if line["type"] == "synced":
                break
            seen.append(line["database"]["name"])
    assert names <= set(seen) and len(set(seen)) == len(seen)
    wait_for("the end of the old one", lambda: not gateway.threads[0].is_alive())


def test_a_gateway_is_a_row_that_its_reports_make(platform, api, gateway):
    gateway.clients = 7
    wait_for("its row", lambda: ready(row(api, gateway)) == "True")
    status = row(api, gateway)["status"]
    assert status["address"] == "127.0.0.1:6432" and status["version"] == "0.1.0"
    assert status["sources"] == ["127.0.6.1"] and status["holds"] == []
    wait_for("its clients", lambda: row(api, gateway)["status"]["clients"] == 7)
    table = platform.kubectl("get", "gateways", gateway.name).out
    assert table.split("\n")[0].split() == ["NAME", "READY", "ADDRESS", "CLIENTS", "DATABASES", "VERSION", "AGE"]
    assert table.split("\n")[1].split()[:4] == [gateway.name, "True", "127.0.0.1:6432", "7"]
    revision = row(api, gateway)["metadata"]["resourceVersion"]
    number = gateway.number
    wait_for("more reports", lambda: gateway.number > number + 3)
    assert row(api, gateway)["metadata"]["resourceVersion"] == revision  # what does not change costs no write
    api.call("DELETE", f"/apis/slipway.dev/v1/gateways/{gateway.name}", code=200)
    wait_for("it to come back", lambda: ready(row(api, gateway)) == "True")


def test_a_gateway_that_falls_silent_is_not_ready(platform, api, gateway):
    wait_for("its row", lambda: ready(row(api, gateway)) == "True")
    gateway.over.set()
    wait_for("silence", lambda: ready(row(api, gateway)) == "False")
    wait_for("the event", lambda: any(
        e["involvedObject"]["name"] == gateway.name and e["reason"] == "GatewaySilent"
        for e in api.get("/api/v1/events").json["items"]))
    gateway.report()
    wait_for("it to be heard", lambda: ready(row(api, gateway)) == "True")


@pytest.mark.parametrize("wrong, says", [
    ({"address": "127.0.0.1"}, "no host:port"),
    ({"address": None}, "no host:port"),
    ({"address": "a b:5432"}, "no host:port"),
    ({"address": "127.0.0.1:0"}, "no host:port"),
    ({"databases": {}}, "a list of databases"),
])
def test_a_report_that_says_nothing_sensible_is_refused(gateway, wrong, says):
    assert says in gateway.report(code=400, **wrong).json["message"]


def test_a_report_that_comes_late_changes_nothing(api, gateway):
    wait_for("its row", lambda: row(api, gateway))
    gateway.report(boot=gateway.boot + 1, number=5, address="127.0.0.2:1")
    assert "newer report" in gateway.report(code=409, address="127.0.0.3:1").json["message"]
    gateway.report(code=409, boot=gateway.boot + 1, number=5)
    wait_for("the newer address", lambda: row(api, gateway)["status"]["address"] == "127.0.0.2:1")


def test_routes_survive_a_kill_of_the_control_plane(own_platform, tmp_path):
    api = Rest(own_platform)
    own_platform.kubectl("create", "namespace", "team")
    api.call("POST", rest.databases("team"), unplaced("orders", "team"), code=201)
    with Gateway(own_platform, tmp_path) as g:
        assert wait_for("the route", lambda: g.routes.get("team.orders"))
        own_platform.wait_restarted("serve", own_platform.kill("serve"))
        wait_for("the end of the stream", lambda: not g.threads[0].is_alive())
    with Gateway(own_platform, tmp_path, g.name) as g:
        assert "team.orders" in g.routes  # all of them stand before the end of the first set
