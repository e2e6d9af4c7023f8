"""Holding the sessions of a Database: what people ask for, what gateways hear and tell, and what people get to read.

The gateways here only play it (gateways.py): they say what each test has them say."""
import base64
import threading

import psycopg
import pytest

import rest
from gateways import Gateway, certificate
from harness import wait_for
from rest import Rest, unplaced

HELD = {"state": "held", "parked": 12}


@pytest.fixture
def api(platform):
    return Rest(platform)


@pytest.fixture
def gateways(platform, api, tmp_path):
    """Two of them, ready."""
    with Gateway(platform, tmp_path) as a, Gateway(platform, tmp_path, address="127.0.0.2:6432", sources=["127.0.6.2"]) as b:
        for g in (a, b):
            wait_for("its row", lambda: ready(api, g) == "True")
        yield a, b
    for g in (a, b):
        api.call("DELETE", f"/apis/slipway.dev/v1/gateways/{g.name}")


def ready(api, gateway):
    return condition(api.get(f"/apis/slipway.dev/v1/gateways/{gateway.name}").json, "Ready").get("status")


def condition(o, kind):
    if o["kind"] == "Status":
        return {}
    return next((c for c in o.get("status", {}).get("conditions", []) if c["type"] == kind), {})


def held(api, ns):
    return condition(api.get(f"{rest.databases(ns)}/orders").json, "Held")


@pytest.fixture
def orders(api, ns):
    """A Database without a server: holding is between the control plane and the gateways alone."""
    api.call("POST", rest.databases(ns), unplaced("orders", ns), code=201)
    return f"{ns}.orders"


def tell(gateway, route, **hold):
    """From the next report on, of this hold and all that follow."""
    gateway.holds[route] = hold


def test_a_hold_goes_to_all_gateways_and_back_as_one_sentence(platform, api, ns, orders, gateways):
    a, b = gateways
    ends = []
    hold = threading.Thread(target=lambda: ends.append(
        platform.slipway("hold", "orders", "-n", ns, "--drain", "2s", "--on-drain", "refuse", check=False)))
    hold.start()
    for g in gateways:
        route = wait_for("the hold", lambda: g.routes.get(orders, {}).get("hold"))
        assert route == {"id": "1", "drainMs": 2000, "onDrain": "refuse"}
    wait_for("the condition", lambda: held(api, ns).get("reason") == "Holding")
    tell(a, orders, **HELD)
    tell(b, orders, state="holding", parked=3, active=1, stuck=[
        {"client": "17", "user": "app", "application": "psql", "reason": "temporary tables"}])
    said = "15 of its sessions wait, 1 are at work; 1 of 2 gateways hold it; 1 cannot be moved: app (psql): temporary tables"
    wait_for("who is stuck", lambda: held(api, ns)["message"] == said)
    assert held(api, ns)["status"] == "False" and not ends
    tell(b, orders, state="held", parked=4)
    hold.join()
    assert ends[0].code == 0, str(ends[0])
    assert ends[0].err.splitlines()[-1] == "All its sessions wait: 16 on 2 gateways"
    assert held(api, ns)["status"] == "True"
    done = platform.slipway("resume", "orders", "-n", ns)
    assert f"the sessions of {ns}/orders go on" in done.err
    for g in gateways:
        wait_for("the end", lambda: "hold" not in g.routes[orders])
    assert (held(api, ns)["status"], held(api, ns)["reason"]) == ("False", "Resumed")

    def reasons():
        return {e["reason"] for e in api.get(f"/api/v1/namespaces/{ns}/events").json["items"]}
    wait_for("the events", lambda: {"HoldAsked", "Held", "Resumed"} <= reasons())


def test_a_gateway_that_refuses_ends_the_wait(platform, api, ns, orders, gateways):
    tell(gateways[0], orders, **HELD)
    tell(gateways[1], orders, state="refused", stuck=[{"user": "app", "reason": "an open COPY"}])
    done = platform.slipway("hold", "orders", "-n", ns, "--on-drain", "refuse", check=1)
    assert f"Gateway {gateways[1].name} gave up" in done.err and "app: an open COPY" in done.err
    assert "'slipway resume orders' ends that" in done.err
    platform.slipway("resume", "orders", "-n", ns)


def test_a_gateway_that_has_not_answered_keeps_it_from_being_held(platform, api, ns, orders, gateways):
    """It serves the old primary until it says otherwise. One that falls silent is not waited for, but named."""
    tell(gateways[0], orders, **HELD)
    done = platform.slipway("hold", "orders", "-n", ns, "--timeout", "2", check=1)
    assert "is not held after 2 s" in done.err
    assert held(api, ns)["status"] == "False"
    gateways[1].over.set()
    wait_for("the other to count alone", lambda: held(api, ns)["status"] == "True")
    assert held(api, ns)["message"].endswith(f"nothing is known of gateway {gateways[1].name}, which is silent")


def test_nobody_to_hold_it_is_said_at_once(platform, api, ns, orders):
    done = platform.slipway("hold", "orders", "-n", ns, check=1)
    assert "No gateway is heard" in done.err
    platform.slipway("resume", "orders", "-n", ns)
    platform.slipway("resume", "orders", "-n", ns)  # again does no harm


@pytest.mark.parametrize("args, says", [
    (["--drain", "x"], "want a time such as"), (["--drain", "2h"], "want a time such as"), (["--drain", "61m"], "at most an hour"),
    (["--on-drain", "kill"], "wants one of wait|refuse|end"),
])
def test_a_hold_that_makes_no_sense_is_refused(platform, ns, orders, args, says):
    assert says in platform.slipway("hold", "orders", "-n", ns, *args, check=1).err


def test_the_annotation_is_checked_by_the_api_too(platform, ns, orders):
    done = platform.kubectl("annotate", "db", "orders", "-n", ns, 'slipway.dev/hold={"drainMs":-1}', check=False)
    assert done.code == 1 and "drainMs is from 0" in done.err


def test_secrets_point_at_the_gateway_and_its_certificate_opens_the_server(platform, api, ns, gateways, tmp_path):
    """Without a password, as each role that may log in, from where it says that it comes."""
    gateway = gateways[0]
    gateway.sources = ["127.0.0.1"]  # what comes over the loopback does

    def secret():
        data = api.get(f"{rest.secrets(ns)}/orders-app").json.get("data", {})
        return {k: base64.b64decode(v).decode() for k, v in data.items()}
    platform.apply({"apiVersion": "slipway.dev/v1", "kind": "Database", "metadata": {"name": "orders", "namespace": ns},
                    "spec": {"tier": "single"}})
    platform.wait_database("orders", ns)
    found = secret()
    assert found["dbname"] == f"{ns}.orders" and "ro-uri" not in found
    assert {found["host"]} <= {"127.0.0.1", "127.0.0.2"} and found["port"] == "6432"
    route = gateway.routes[f"{ns}.orders"]
    primary = route["members"][0]
    assert primary["role"] == "primary" and route["epoch"] == 1
    assert len(route["roles"][0]["verifiers"]) == 1
    crt, key = certificate(platform, tmp_path, gateway.name)

    def who(user, crt=crt, key=key):
        with psycopg.connect(host=primary["host"], port=primary["port"], dbname="orders", user=user, sslmode="verify-ca",
                             sslrootcert=str(platform.data / "ca.crt"), sslcert=str(crt), sslkey=str(key)) as c:
            return c.execute("SELECT current_user").fetchone()[0]
    key.chmod(0o600)
    wait_for("the server to let it in", lambda: who("app") == "app")
    with pytest.raises(psycopg.OperationalError):
        who("postgres")
    host = certificate(platform, tmp_path, "zone-z", "slipway:hosts")
    with pytest.raises(psycopg.OperationalError):
        who("app", *host)
    platform.slipway("credentials", "rotate", "orders", "-n", ns)
    wait_for("both verifiers", lambda: len(gateway.routes[f"{ns}.orders"]["roles"][0]["verifiers"]) == 2)
    assert secret()["password"] != found["password"]
    wait_for("the new one alone", lambda: len(gateway.routes[f"{ns}.orders"]["roles"][0]["verifiers"]) == 1)
