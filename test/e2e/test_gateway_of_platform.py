"""The whole way: a Database of the platform, its route as the control plane tells it, a real gateway with the certificate
that `slipway up` has issued, and an application with nothing but the Secret.

The gateway reads its routes from a file, and gateways.py hears and reports for it."""
import base64
import types

import psycopg
import pytest

import own_gateway
import rest
import servers
from gateways import Gateway
from harness import wait_for
from rest import Rest


@pytest.fixture
def api(platform):
    return Rest(platform)


@pytest.fixture
def gateway(platform, api):
    """A gateway that serves what the platform says; hand() gives it the routes as they are now."""
    folder = platform.data / "gateway"
    certs = types.SimpleNamespace(path=folder, crt=lambda n: folder / f"{n}.crt", key=lambda n: folder / f"{n}.key")
    with servers.Folder() as where, own_gateway.Gateway(where, own_gateway.Routes(), certs=certs) as real:
        with Gateway(platform, None, "gateway", f"{real.host}:{real.port}", ["127.0.0.1"],
                     cert=(folder / "gateway.crt", folder / "gateway.key")) as told:
            told.hand = lambda: real.reload(own_gateway.Routes(told.routes.values()))
            yield told
    api.call("DELETE", "/apis/slipway.dev/v1/gateways/gateway")


def test_an_application_reaches_its_database_by_its_secret_alone(platform, api, ns, gateway):
    def uri(key="uri"):
        data = api.get(f"{rest.secrets(ns)}/orders-app").json["data"]
        return base64.b64decode(data[key]).decode()

    def ask(sql, uri):
        with psycopg.connect(uri, connect_timeout=10, autocommit=True) as c:
            return c.execute(sql).fetchone()
    platform.apply({"apiVersion": "slipway.dev/v1", "kind": "Database", "metadata": {"name": "orders", "namespace": ns},
                    "spec": {"tier": "flexible"}})
    platform.wait_database("orders", ns)
    name = f"{ns}.orders"
    wait_for("the whole route", lambda: len(gateway.routes[name]["members"]) == 2 and gateway.routes[name]["roles"][0]["verifiers"]
             and all("lagBytes" in m for m in gateway.routes[name]["members"]))
    gateway.hand()
    old = uri()
    assert f"@{gateway.address}/{name}?" in old
    who = wait_for("an answer", lambda: ask("SELECT current_user, current_database(), pg_is_in_recovery()", old))
    assert who == ("app", "orders", False)
    assert wait_for("a standby's answer", lambda: ask("SELECT pg_is_in_recovery()", uri("ro-uri"))) == (True,)

    platform.slipway("credentials", "rotate", "orders", "-n", ns)
    wait_for("the verifier of the new password", lambda: len(gateway.routes[name]["roles"][0]["verifiers"]) == 2)
    gateway.hand()
    assert wait_for("the old password still to work", lambda: ask("SELECT 1", old)) == (1,)
    new = uri()  # from here on the servers take the new one alone
    assert new != old and wait_for("the new one to work", lambda: ask("SELECT 2", new)) == (2,)
    wait_for("the old verifier to go", lambda: len(gateway.routes[name]["roles"][0]["verifiers"]) == 1)
    gateway.hand()

    def refused():
        with pytest.raises(psycopg.OperationalError):
            ask("SELECT 3", old)
        return True
    wait_for("the old password to be refused", refused)
    assert ask("SELECT 4", new) == (4,)
