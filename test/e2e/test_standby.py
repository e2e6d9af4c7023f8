"""A standby that no longer answers holds writes up for a moment, not for as long as it is away."""
import os
import signal
import time

import pytest

from harness import database, wait_for


@pytest.fixture
def orders(platform, ns):
    platform.apply(database("orders", ns, version="15", tier="flexible", standbys=1))
    platform.wait_database("orders", ns)
    return "orders"


def processes_of(platform, member, ns):
    """The postmaster of a Member and all its children, parent first."""
    folder = platform.get("member", member, ns)["metadata"]["uid"].replace("-", "")[:12]
    return [p.pid for p in platform.processes() if f"/m/{folder}/" in p.cwd + "/"]


def write(connection, n):
    started = time.monotonic()
    connection.execute("insert into t values (%s)", (n,))
    return time.monotonic() - started


def test_a_frozen_standby_blocks_writes_for_seconds_and_comes_back(platform, ns, orders):
    found = platform.get("database", orders, ns)
    primary = found["status"]["primary"]
    standby, zone = next((m["name"], m["zone"]) for m in found["status"]["members"] if m["name"] != primary)
    frozen = processes_of(platform, standby, ns)
    assert len(frozen) > 1
    with platform.connect(orders, ns) as c:
        c.execute("create table t (n int primary key)")
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        try:
            assert write(c, 1) < 45, "it blocks until the primary drops the standby and the set shrinks"
            assert write(c, 2) < 5, "once the set is smaller nothing waits"
            said = wait_for("the loss to be said", lambda: (
                x := platform.condition("database", orders, ns, "Replicated"))["status"] == "False" and x)
            assert said["message"].endswith("writes go on with the primary alone"), said
            assert zone in said["message"], said
        finally:
            for pid in reversed(frozen):
                os.kill(pid, signal.SIGCONT)
        wait_for("the standby to be back", lambda: (
            platform.condition("database", orders, ns, "Replicated")["status"] == "True"), 60)
        assert platform.get("database", orders, ns)["status"]["primary"] == primary
        assert c.execute("select array_agg(n order by n) from t").fetchone()[0] == [1, 2]
