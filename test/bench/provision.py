"""From `kubectl apply` to Ready, beside the bare commands in the same run.

The peer does what somebody would type, one command after the other, and ends when the standby is synchronous; no TLS,
no passwords, nobody to ask. Both sync what they write to disk.
"""
import itertools
import time

import bench
import harness
import peers
import psycopg

RUNS = 5
numbers = itertools.count(1)


def ours(platform, **spec):
    """Seconds from the request to a Database that says it is Ready, seen by a watch and not by asking again."""
    name = f"bench-{next(numbers)}"
    start = time.monotonic()
    platform.apply(harness.database(name, "bench", version="15", size="small", **spec))
    platform.kubectl("wait", "--for=condition=Ready", f"database/{name}", "-n", "bench", "--timeout=120s", timeout=130)
    took = time.monotonic() - start
    platform.kubectl("delete", "database", name, "-n", "bench", timeout=120)
    return took


def bare_single():
    with peers.BarePostgres() as pg:
        return bench.seconds_of(lambda: (pg.initdb("a"), pg.start("a")))


def bare_flexible():
    def run(pg):
        pg.initdb("a")
        port = pg.start("a")
        pg.basebackup(port, "b")
        pg.start("b", "primary_conninfo = 'host=%s port=%d user=postgres application_name=b'" % (pg.base, port))
        with psycopg.connect(f"host={pg.base} port={port} user=postgres dbname=postgres", autocommit=True) as c:
            c.execute("ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (b)'")
            c.execute("SELECT pg_reload_conf()")
            harness.wait_for("the standby to be synchronous", every=0.005, condition=lambda: c.execute(
                "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'quorum'").fetchone())
    with peers.BarePostgres() as pg:
        return bench.seconds_of(lambda: run(pg))


def main():
    b = bench.Bench("provision")
    with harness.Platform() as platform:
        platform.apply(harness.namespace("bench"))
        b.compare("single", lambda: ours(platform, tier="single"), bare_single, peer="initdb, start",
                  unit="s", better="lower", runs=RUNS)
        b.compare("flexible", lambda: ours(platform, tier="flexible", standbys=1), bare_flexible,
                  peer="initdb, start, pg_basebackup, start", unit="s", better="lower", runs=RUNS)


if __name__ == "__main__":
    main()
