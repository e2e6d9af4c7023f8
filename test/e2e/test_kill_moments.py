"""kill -9 of each part of the platform at many moments of Databases' lives: each becomes what was asked for, and nothing
is left that it does not need: no process, folder, port, replication slot or row.

A pipeline: in each round one Database is created, one is changed and one is deleted, all at once, and one kill hits
them all at a moment that the round's watch of Members has seen to come.
"""
import contextlib
import http.client
import os
import random
import subprocess
import time

import pytest

import harness
import left_over
from harness import database, namespace, wait_for
from rest import Rest, members

NS = "dev"
MOMENT_S, SETTLED_S = 60, 120
dice = random.Random(20260)


def role_of(m):
    return m["spec"]["role"]


def state_of(m):
    return m.get("status", {}).get("state", "Pending")


# What one Member looks like at the moment: of the Database that is created, changed or deleted.
MOMENTS = {
    "placed": ("new", lambda m: True),
    "initialising": ("new", lambda m: role_of(m) == "primary" and state_of(m) != "Pending"),
    "copying": ("new", lambda m: role_of(m) == "standby" and state_of(m) != "Pending"),
    "streaming": ("new", lambda m: role_of(m) == "standby" and state_of(m) == "Running"),
    "restarting": ("changed", lambda m: m["spec"]["restart"] > m.get("status", {}).get("restarted", 0)),
    "another": ("changed", lambda m: m["metadata"]["name"].endswith("-3") and state_of(m) != "Pending"),
    "leaving": ("changed", lambda m: "deletionTimestamp" in m["metadata"]),
    "stopping": ("deleted", lambda m: "deletionTimestamp" in m["metadata"]),
    "removed": ("deleted", lambda m: state_of(m) == "Removed"),
}

# Who dies when. "agent" is that of the Member's host; after "+", at most so long afterwards, by chance.
ROUNDS = [
    [("serve", "placed", 0.0), ("agent", "initialising", 0.3)],
    [("postgres", "copying", 0.3), ("agent", "leaving", 0.2)],
    [("agent", "copying", 0.3), ("serve", "another", 0.3)],
    [("serve", "restarting", 0.2), ("agent", "stopping", 0.2)],
    [("agent", "restarting", 0.2), ("postgres", "removed", 0.0), ("agent", "streaming", 0.1)],
]


@pytest.fixture(scope="module")
def shared():
    with harness.Platform() as p:
        p.apply(namespace(NS))
        yield p, p.ports()


def wait_settled(platform, databases, ports):
    for name in databases:
        platform.wait_database(name.split("/")[1], NS, timeout=SETTLED_S)
    wait_for("nothing to be left over", lambda: left_over.nothing(platform, databases, ports), SETTLED_S, every=0.3)


def changes(platform, revision):
    """Each Member as it was after each change since the revision, through deaths of the control plane: none is missed."""
    until = time.monotonic() + MOMENT_S
    while time.monotonic() < until:
        with contextlib.suppress(OSError, http.client.HTTPException, AssertionError):
            with Rest(platform).stream(f"{members(NS)}?watch=1&resourceVersion={revision}", timeout=MOMENT_S) as events:
                for e in events:
                    assert e["type"] != "ERROR", e
                    revision = e["object"]["metadata"]["resourceVersion"]
                    if e["type"] != "BOOKMARK":
                        yield e["object"]
    raise AssertionError("a moment did not come")


def kill(platform, who, late_s, m):
    until = time.monotonic() + dice.uniform(0, late_s)
    wait_for("the moment", lambda: time.monotonic() >= until, every=0.002)
    role = m["spec"]["host"] if who == "agent" else who
    platform.wait_restarted(role, platform.kill(role))


def kill_all(platform, kills, of, revision):
    """Each at its moment, in the order in which they come."""
    left = list(kills)
    for m in changes(platform, revision):
        for k in list(left):
            who, what, late_s = k
            whose, is_it = MOMENTS[what]
            if m["spec"]["database"] == of[whose] and is_it(m):
                left.remove(k)
                kill(platform, who, late_s, m)
        if not left:
            return


def create(platform, n):
    platform.apply(database(f"d{n}", NS, version="15", tier="flexible", standbys=1))
    return 2


def change(platform, n):
    """A setting that needs a restart, and a standby more or less; how many members that makes."""
    shape = {"tier": "flexible", "standbys": 2} if n % 2 else {"tier": "single"}
    platform.apply(database(f"d{n}", NS, version="15", parameters={"max_connections": "60"}, **shape))
    return 3 if n % 2 else 1


def fill(platform, n):
    with platform.connect(f"d{n}", NS) as c:
        c.execute("create table t (n int)")
        c.execute("insert into t values (42)")


def is_changed(platform, n):
    with platform.connect(f"d{n}", NS) as c:
        assert c.execute("show max_connections").fetchone() == ("60",)
        assert c.execute("select n from t").fetchall() == [(42,)]
    return True


def as_superuser(platform, m, sql):
    """Enters a member's server as its agent does."""
    home = next(platform.data.glob(f"hosts/{m['spec']['host']}/m/{m['metadata']['uid'].replace('-', '')[:12]}"))
    as_owner = [] if os.geteuid() else ["runuser", "-u", harness.USER, "--"]
    harness.call([*as_owner, "psql", "-XAtq", "-h", home / "run", "-p", m["status"]["port"], "-U", "postgres", "-c", sql])


LISTEN = "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); input()"


def each_check_can_fail(platform, databases, ports):
    """One of each thing that must not be left over: each check finds its own, and nothing when it has gone."""
    stray = platform.data / "hosts/zone-a/m/0123456789ab"
    primary = next(m for m in left_over.Expected(platform, databases).members.values() if role_of(m) == "primary")
    stray.mkdir()
    try:
        with subprocess.Popen(["/usr/bin/python3", "-c", LISTEN], env=platform.env, cwd=stray, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as listener:
            listener.stdout.readline()
            as_superuser(platform, primary, "select pg_create_physical_replication_slot('stray')")
            platform.kubectl("create", "secret", "generic", "stray", "-n", NS, "--from-literal=a=b")
            found = left_over.look(platform, databases, ports)
            listener.communicate(b"\n")
        assert set(found) == {"rows", "processes", "folders", "ports", "slots"}, found
    finally:
        stray.rmdir()
    as_superuser(platform, primary, "select pg_drop_replication_slot('stray')")
    platform.kubectl("delete", "secret", "stray", "-n", NS)
    wait_for("nothing to be left over", lambda: left_over.nothing(platform, databases, ports), 30)


@pytest.mark.timeout(400)
def test_each_database_becomes_what_was_asked_for_and_nothing_is_left(shared):
    platform, ports = shared
    for n, kills in enumerate(ROUNDS):
        revision = Rest(platform).get(members(NS)).json["metadata"]["resourceVersion"]
        of = {"new": f"d{n}", "changed": f"d{n - 1}", "deleted": f"d{n - 2}"}
        there = {f"{NS}/d{n}": create(platform, n)}
        if n >= 1:
            there[f"{NS}/d{n - 1}"] = change(platform, n - 1)
        if n >= 2:
            platform.kubectl("delete", "database", of["deleted"], "-n", NS, "--wait=false")
        kill_all(platform, kills, of, revision)
        wait_settled(platform, there, ports)
        fill(platform, n)
        if n >= 1:
            wait_for("the new setting and the old row", lambda: is_changed(platform, n - 1), 30)
    for m in left_over.Expected(platform, there).members.values():
        if role_of(m) == "primary":  # its data is the only one that there is
            refused = platform.kubectl("delete", "member", m["metadata"]["name"], "-n", NS, check=1).err
            assert "Forbidden" in refused and "it is the primary of Database" in refused
    each_check_can_fail(platform, there, ports)
    platform.kubectl("delete", "namespace", NS, timeout=SETTLED_S)
    wait_settled(platform, {}, ports)
