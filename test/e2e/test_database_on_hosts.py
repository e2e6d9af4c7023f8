"""Databases on machines that joined, each in a network namespace: placed by zone, replicated, and back after a reboot."""
import base64
import os

import pytest

import harness
import hosts
import network
import servers
from harness import database, namespace, wait_for

pytestmark = pytest.mark.skipif(not network.can(), reason="needs root and network namespaces")
ZONES = {"db1": "north", "db2": "south", "db3": "south"}


class Orders:
    """A flexible Database on the machines of a site, and psql on the machine of the control plane."""

    def __init__(self, site):
        self.site = site
        site.serve.kubectl("apply", "-f", "-", input="---\n".join(harness.yaml.safe_dump(o) for o in (
            namespace("dev"), database("orders", "dev", version="15", tier="flexible", standbys=1))))
        self.wait("Ready")
        self.sql("create table t (n int primary key)")

    def get(self, *what):
        return self.site.serve.kubectl("get", *what, "-n", "dev", "-o", "json").json

    def wait(self, condition, timeout=100):
        self.site.serve.kubectl("wait", f"--for=condition={condition}", "db/orders", "-n", "dev", f"--timeout={timeout}s",
                                timeout=timeout + 10)

    def secret(self):
        return {k: base64.b64decode(v).decode() for k, v in self.get("secret", "orders-app")["data"].items()}

    def member(self, role):
        return next(m for m in self.get("members")["items"] if m["spec"]["role"] == role)

    def host(self, role):
        return self.member(role)["spec"]["host"]

    def sql(self, text, role=None, **kw):
        """By the Secret's connection string; at the endpoint of a member of that role if one is named."""
        argv = ["psql", self.secret()["uri"]]
        env = None
        if role:
            secret, at = self.secret(), self.member(role)["status"]
            argv = ["psql", f"host={at['address']} port={at['port']} user={secret['user']} dbname={secret['dbname']} "
                            "sslmode=require"]
            env = {**os.environ, "PGPASSWORD": secret["password"]}
        return harness.call([*self.site.net.prefix("plane"), *argv, "-XAtqc", text], env=env, **kw).out.strip()

    def rows(self, role=None):
        return self.sql("select string_agg(n::text, ' ' order by n) from t", role)


@pytest.fixture(scope="module")
def site():
    with network.network() as net, servers.Folder() as folder:
        site = hosts.Site(net, folder)
        try:
            site.addresses = {name: site.join(name, zone) for name, zone in ZONES.items()}
            yield site
        finally:
            site.end()


@pytest.fixture(scope="module")
def orders(site):
    return Orders(site)


def test_its_members_are_on_machines_of_different_zones(site, orders):
    primary, standby = orders.host("primary"), orders.host("standby")
    assert {ZONES[primary], ZONES[standby]} == {"north", "south"}
    assert len(site.postmasters(primary)) == len(site.postmasters(standby)) == 1
    spare = (set(ZONES) - {primary, standby}).pop()
    assert not site.postmasters(spare)


def test_the_secret_works_from_another_machine(site, orders):
    secret = orders.secret()
    assert secret["host"] == site.addresses[orders.host("primary")]
    assert orders.sql("select host(inet_server_addr()), host(inet_client_addr()), ssl from pg_stat_ssl "
                      "where pid = pg_backend_pid()") == f"{secret['host']}|{site.net.PLANE}|t"
    said = site.serve.slipway("connect", "orders", "-n", "dev", "--", "-XAtc", "select current_user").out
    assert said == "app\n"


def test_a_write_is_on_the_other_machine(orders):
    orders.sql("insert into t values (1)")
    wait_for("the standby to show it", lambda: orders.rows("standby") == "1")
    assert orders.sql("select pg_is_in_recovery()", "standby") == "t"


def test_a_host_that_was_rebooted_brings_its_members_back(site, orders):
    for role in ("standby", "primary"):
        host = orders.host(role)
        before = orders.member(role)
        site.power_off(host)
        site.start_agent(host)
        wait_for(f"the {role} to run again", lambda: site.postmasters(host))
        wait_for("its agent to say so", lambda: (
            m := orders.member(role)["status"])["state"] == "Running" and m["startedAt"] != before["status"]["startedAt"])
        orders.wait("Ready")
        orders.wait("Replicated")
    orders.sql("insert into t values (2)")
    assert orders.rows() == "1 2"
    wait_for("the standby to show it", lambda: orders.rows("standby") == "1 2")


def test_no_primary_is_started_without_the_control_planes_word(site, orders):
    primary, standby = orders.host("primary"), orders.host("standby")
    site.serve.process.terminate()
    assert site.serve.process.wait(30) == 0
    for host in (primary, standby):
        site.power_off(host)
    for host in (primary, standby):
        site.start_agent(host)
    wait_for("the standby to be started by its agent alone", lambda: site.postmasters(standby))
    wait_for("the primary's agent to say what it waits for",
             lambda: "waits for the control plane's word before it starts as a primary" in site.log(primary))
    assert not site.postmasters(primary)
    site.restart_serve()
    wait_for("the primary to be started", lambda: site.postmasters(primary))
    orders.wait("Ready")
    assert orders.rows() == "1 2"
    orders.sql("insert into t values (3)")
