"""Changes to Databases that are in use: announced with their pause, held for the window, and without a lost row.

The tests run in the order of this file: the first one's restart waits for a window that begins while the others run.
"""
import datetime
import re
import threading
import zoneinfo

import psycopg
import pytest
import yaml

import servers
from harness import database, namespace, wait_for

NS = "changes"
ZONE = zoneinfo.ZoneInfo("Asia/Tokyo")


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def window(begin, hours=2):
    return {"start": begin.astimezone(ZONE).strftime("%H:%M"), "hours": hours, "timeZone": "Asia/Tokyo"}


def nightly(**spec):
    return database("nightly", NS, version="15", **spec)


def orders(**spec):
    return database("orders", NS, **{"version": "15", "tier": "flexible", "standbys": 1, **spec})


def apply(platform, *objects):
    platform.slipway("apply", "-f", "-", input=yaml.safe_dump_all(objects))


@pytest.fixture(scope="module")
def databases(platform):
    """Two that are Ready; of nightly a restart is asked for, whose window begins in a minute or two. Its begin."""
    apply(platform, namespace(NS), nightly(), orders())
    for name in ("nightly", "orders"):
        platform.wait_database(name, NS)
    begin = (now() + datetime.timedelta(seconds=90)).replace(second=0, microsecond=0)
    apply(platform, nightly(maintenanceWindow=window(begin), parameters={"max_connections": "77", "work_mem": "7MB"}))
    yield begin
    platform.kubectl("delete", "namespace", NS, timeout=90)


def started(platform, name):
    with platform.connect(name, NS) as c:
        return c.execute("select pg_postmaster_start_time()").fetchone()[0]


def show(platform, name, setting):
    with platform.connect(name, NS) as c:
        return c.execute(f"show {setting}").fetchone()[0]


def plan(platform, manifest, code=2):
    return platform.slipway("plan", "-f", "-", input=yaml.safe_dump(manifest), check=code).out


def test_a_restart_says_for_which_window_it_waits(platform, databases):
    pending = wait_for("the restart to be announced", lambda: (
        c := platform.condition("database", "nightly", NS, "RestartPending"))["status"] == "True" and c)
    local = databases.astimezone(ZONE)
    assert pending["message"] == (
        "nightly-1 needs a restart for max_connections; it happens in the maintenance window, "
        f"{local:%a %Y-%m-%d %H:%M} to {local + datetime.timedelta(hours=2):%H:%M} Asia/Tokyo")
    assert pending["reason"] == "WaitingForWindow"
    assert show(platform, "nightly", "work_mem") == "7MB", "what needs no restart is in effect"
    assert show(platform, "nightly", "max_connections") != "77"
    assert platform.condition("database", "nightly", NS, "Ready")["status"] == "True"


def test_a_plan_says_what_it_creates(platform, databases):
    new = database("invoices", NS, version="17", tier="flexible", standbys=2)
    assert plan(platform, new) == (
        f"+ Database {NS}/invoices is created\n"
        "      PostgreSQL 17, size small, a primary and two synchronous standbys in other zones\n"
        "\nPlan: 1 to create.\n")
    assert platform.get("database", "invoices", NS) is None


def test_a_plan_of_what_is_there_has_nothing_to_do(platform, databases):
    assert plan(platform, orders(), 0) == f"  Database {NS}/orders stays as it is\n\nPlan: nothing to do.\n"


def test_a_plan_guesses_the_pause_of_a_first_restart_and_knows_that_of_the_next(platform, databases):
    wanted = orders(parameters={"max_connections": "80"})
    said = plan(platform, wanted)
    assert f"! Database {NS}/orders is changed, and restarted\n" in said
    assert "      restart for max_connections\n" in said
    assert ("      pause: one server after the other, the primary last: its connections end, and writes wait 1 to 3 s, "
            "as most do: it was not restarted so far\n") in said
    assert said.endswith("\nPlan: 1 to restart.\n")

    before = started(platform, "orders")
    apply(platform, wanted)
    platform.wait_database("orders", NS)
    wait_for("the restart to be over", lambda: platform.condition("database", "orders", NS, "Progressing")["status"] == "False")
    assert show(platform, "orders", "max_connections") == "80" and started(platform, "orders") > before
    members = platform.get("database", "orders", NS)["status"]["members"]
    took = next(m["restartMs"] for m in members if m["role"] == "primary")
    said = plan(platform, orders(parameters={"max_connections": "90"}))
    seconds = float(re.search(r"writes wait about ([0-9.]+) s, as at its last restart\n", said)[1])
    assert abs(seconds * 1000 - max(took, 100)) <= 50
    assert 20 <= took <= 20000


def test_a_plan_tells_a_change_in_place_and_a_loss(platform, databases):
    base = platform.get("database", "orders", NS)["spec"].get("parameters", {})
    said = plan(platform, orders(parameters={**base, "work_mem": "8MB"}))
    assert said.startswith(f"~ Database {NS}/orders is changed in place\n") and "pause" not in said
    said = plan(platform, database("orders", NS, version="15", tier="single", parameters=base))
    assert said.startswith(f"- Database {NS}/orders loses something\n")
    assert "destroys 1 standby(s) with their copy of the data: no other zone holds the data then" in said
    assert said.endswith("\nPlan: 1 to destroy something of.\n")


def test_a_plan_knows_the_window(platform, databases):
    said = plan(platform, orders(maintenanceWindow=window(now()), parameters={"max_connections": "91"}))
    assert "      pause: in the maintenance window: one server after the other" in said


def test_a_plan_of_what_cannot_be_is_an_error(platform, databases):
    done = platform.slipway("plan", "-f", "-", input=yaml.safe_dump(orders(size="huge")), check=1)
    assert done.out == "" and "spec.size" in done.err and done.err.count("\n") == 1


class Writer(threading.Thread):
    """Inserts rows one by one until it is stopped; keeps those whose commit was acknowledged, and each error."""

    def __init__(self, uri):
        super().__init__(daemon=True)
        self.uri, self.acknowledged, self.errors, self.is_over = uri, [], [], False
        with self.connect() as c:
            c.execute("create table if not exists written (n int primary key)")
            self.next = c.execute("select coalesce(max(n), 0) + 1 from written").fetchone()[0]

    def connect(self):
        return psycopg.connect(self.uri, connect_timeout=10, autocommit=True)

    def run(self):
        while not self.is_over:
            try:
                with self.connect() as c:
                    while not self.is_over:
                        self.next += 1
                        c.execute("insert into written values (%s)", (self.next,))
                        self.acknowledged.append(self.next)
            except psycopg.Error as e:
                self.errors.append(e)

    def __enter__(self):
        self.start()
        self.more()
        return self

    def more(self):
        """Waits until it has written on."""
        n = len(self.acknowledged)
        wait_for("the writer to go on", lambda: len(self.acknowledged) > n + 10, 60)

    def __exit__(self, *_):
        self.is_over = True
        self.join(60)


def settled(platform, name):
    """Waits until all is as it was asked for; the Database."""
    platform.wait_database(name, NS)

    def is_settled():
        found = platform.get("database", name, NS)
        conditions = {c["type"]: c for c in found["status"]["conditions"]}
        return conditions["Progressing"]["status"] == "False" and found
    return wait_for(f"{name} to be settled", is_settled, 90, every=0.2)


def connect_to(platform, name, role):
    """A session on the first member of that role."""
    members = platform.get("database", name, NS)["status"]["members"]
    host, port = next(m["endpoint"] for m in members if m["role"] == role).split(":")
    secret = platform.secret(f"{name}-app", NS)
    return psycopg.connect(host=host, port=port, user=secret["user"], password=secret["password"], dbname=secret["dbname"],
                           sslmode="require", connect_timeout=10, autocommit=True)


def written(platform, name, role):
    with connect_to(platform, name, role) as c:
        return {n for n, in c.execute("select n from written")}


def nothing_is_lost(platform, name, writer):
    acknowledged = set(writer.acknowledged)
    assert acknowledged <= written(platform, name, "primary")
    wait_for("the standby to have it all", lambda: acknowledged <= written(platform, name, "standby"))


def test_a_standby_comes_and_goes_under_a_writer(platform, databases):
    base = platform.get("database", "orders", NS)["spec"].get("parameters", {})
    before = started(platform, "orders")
    with Writer(platform.secret("orders-app", NS)["uri"]) as writer:
        for standbys in (2, 1):
            apply(platform, orders(standbys=standbys, parameters=base))
            wait_for(f"{standbys} standbys", lambda: len(settled(platform, "orders")["status"]["syncSet"]) == standbys
                     and platform.kubectl("get", "members", "-n", NS, "-o", "name").out.count("/orders-") == standbys + 1)
            writer.more()
    assert writer.errors == [], "nobody noticed"
    assert started(platform, "orders") == before
    nothing_is_lost(platform, "orders", writer)
    with psycopg.connect(platform.secret("orders-app", NS)["uri"]) as c:
        slots = c.execute("select count(*) from pg_get_replication_slots()").fetchone()[0]
    assert slots == 1, "the slot of the standby that went is gone too"


def test_another_size_restarts_one_server_after_the_other_and_loses_nothing(platform, databases):
    base = platform.get("database", "orders", NS)["spec"].get("parameters", {})
    small = show(platform, "orders", "shared_buffers")
    with Writer(platform.secret("orders-app", NS)["uri"]) as writer:
        apply(platform, orders(size="medium", parameters=base))
        wait_for("the new size", lambda: show(platform, "orders", "shared_buffers") != small, 90)
        settled(platform, "orders")
        writer.more()
    nothing_is_lost(platform, "orders", writer)
    with connect_to(platform, "orders", "standby") as c:
        assert c.execute("show shared_buffers").fetchone()[0] == show(platform, "orders", "shared_buffers")


def test_single_becomes_flexible_without_a_restart(platform, databases):
    single = database("growing", NS, version="15", tier="single")
    apply(platform, single)
    platform.wait_database("growing", NS)
    before = started(platform, "growing")
    with Writer(platform.secret("growing-app", NS)["uri"]) as writer:
        apply(platform, database("growing", NS, version="15", tier="flexible"))
        wait_for("the standby to be synchronous", lambda: settled(platform, "growing")["status"].get("syncSet"), 90)
        writer.more()
    assert writer.errors == [], "nobody noticed"
    assert started(platform, "growing") == before
    nothing_is_lost(platform, "growing", writer)


def test_each_major_replicates(platform, databases):
    majors = ("13", "17")
    for major in majors:
        servers.programs(major)
    platform.apply(*(database(f"pg{m}", NS, version=m, tier="flexible") for m in majors))
    for major in majors:
        platform.wait_database(f"pg{major}", NS)
        with connect_to(platform, f"pg{major}", "primary") as c:
            assert c.execute("show server_version").fetchone()[0].startswith(f"{major}.")
            c.execute("create table written (n int)")
            c.execute("insert into written values (1)")
        wait_for("the standby to show it", lambda: written(platform, f"pg{major}", "standby") == {1})
    platform.kubectl("delete", "database", "-n", NS, *(f"pg{m}" for m in majors), timeout=90)


def test_what_is_protected_is_not_deleted_with_its_namespace(platform, databases):
    platform.kubectl("patch", "database", "nightly", "-n", NS, "--type=merge", "-p", '{"spec":{"deletionProtection":true}}')
    try:
        done = platform.kubectl("delete", "namespace", NS, check=1)
        assert "nightly" in done.err and "deletionProtection" in done.err
        assert platform.get("namespace", NS)["status"]["phase"] == "Active"
    finally:
        platform.kubectl("patch", "database", "nightly", "-n", NS, "--type=merge", "-p",
                         '{"spec":{"deletionProtection":false}}')


def test_the_restart_comes_when_the_window_begins(platform, databases):
    wait_for("the restart", lambda: show(platform, "nightly", "max_connections") == "77", 150, every=0.5)
    late = started(platform, "nightly") - databases
    assert datetime.timedelta(0) <= late < datetime.timedelta(seconds=30)
    wait_for("nothing to be pending", lambda: platform.condition("database", "nightly", NS, "RestartPending")["status"] == "False")
