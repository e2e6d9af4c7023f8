"""The gateway beside PgBouncer, both in front of the same PostgreSQL 15 over TCP on 127.0.0.1, in turns.

    cpu-IO/MODE/PROTOCOL/CLIENTS   CPU time of the proxy a transaction of pgbench -S, all its threads
    rate-IO/…                      transactions a second in the same runs
    cpu-IO/MODE/PROTOCOL/tpcb-16   TPC-B-like (the server with fsync off: what is measured is the proxy, not the disk)
    latency-IO/MODE/PROTOCOL/p50   of one client; "direct" is without a proxy
    memory-IO/idle-plain, -tls     bytes of the proxy a client that asked one query and is idle, transaction mode
    connect-IO/plain, tls          logins a second from 16 clients; connect-IO/plain/cpu: CPU time of the proxy a login
    soak-IO/plain/sockets, …       what a million connections of random lives leave behind (SLIPWAY_BENCH_SOAK: how many)

PgBouncer 1.18 has no prepared statements in transaction mode: there is no peer then. Pools: 20 connections in transaction
mode, as many as clients in session mode. SLIPWAY_BENCH_SECONDS sets how long a pgbench runs. SLIPWAY_BENCH_OURS=pgbouncer
puts PgBouncer on our side too: what its figures differ by is what the machine does to them.
"""
import os
import statistics

import bench
import pg
import proxies
import servers

MODES, PROTOCOLS, CLIENTS, RUNS, POOL = ("session", "transaction"), ("simple", "extended", "prepared"), (1, 16, 64, 500), 5, 20
IO = ("epoll", "uring")
LEFT = {"sockets": "sockets", "memory": "bytes", "busy-servers": "connections"}
ITSELF = os.environ.get("SLIPWAY_BENCH_OURS") == "pgbouncer"


class Stage:
    """A server with pgbench's tables, and the sides in front of it."""

    def __init__(self, folder):
        self.folder, self.certs = folder, pg.Certificates(folder.path / "pki")
        self.server = pg.Server(folder, 15, certs=self.certs, hba=pg.BY_TRUST, settings={
            "max_connections": 1200, "shared_buffers": "256MB", "max_wal_size": "4GB"})
        proxies.fill(self.server)

    def sides(self, case, mode, protocol="simple"):
        """Names of those to measure for a case with {} in the place of the kind of loop."""
        ours = [io for io in IO if BENCH.wants(*[c.format(io) for c in case])]
        has_peer = (mode, protocol) != ("transaction", "prepared")
        return [*ours, *(["pgbouncer"] if ours and has_peer else [])]

    def open(self, side, mode, clients):
        """A new process of a side: to be entered."""
        size = clients + 4 if mode == "session" else POOL
        if side == "pgbouncer" or ITSELF:
            return proxies.PgBouncer(self.folder, self.server, mode=mode, size=size, certs=self.certs)
        return proxies.our_gateway(self.folder, self.server, mode=mode, size=size, io=side, certs=self.certs)


def say(cases, figures, **more):
    """The lines of one round. cases: {case with {} for the loop: (key of a figure, unit, better)}; sides that gave
    nothing are left out."""
    theirs = figures.get("pgbouncer")
    for case, (key, unit, better) in cases.items():
        for side, ours in figures.items():
            if side == "pgbouncer":
                continue
            both = [[f[key] for f in each] for each in (ours, theirs or [])]
            BENCH.say(case.format(side), statistics.median(both[0]), unit=unit, better=better, peer=proxies.PgBouncer.peer(),
                      theirs=statistics.median(both[1]) if both[1] else None, runs=len(ours),
                      spread=[[bench.rounded(min(v)), bench.rounded(max(v))] for v in both if v], **more)


def throughput(stage, mode, protocol, clients, script, **more):
    name = f"{mode}/{protocol}/{'' if script == '-S' else 'tpcb-'}{clients}"
    cases = {f"cpu-{{}}/{name}": ("cpu_us", "us", "lower"), f"rate-{{}}/{name}": ("tps", "tps", "higher")}

    def run(side):
        with stage.open(side, mode, clients) as proxy:
            return proxies.run_pgbench(proxy, protocol, clients, proxies.seconds_of_a_run(), *([script] if script else []))
    if sides := stage.sides(cases, mode, protocol):
        say(cases, BENCH.turns(sides, run, RUNS), **more)


def latency(stage, mode, protocol):
    cases = {f"latency-{{}}/{mode}/{protocol}/{p}": (p, "us", "lower") for p in ("p50", "p99")}

    def figures(proxy):
        took = proxies.latencies(proxy, protocol, proxies.seconds_of_a_run(), stage.folder.path / "latency")
        return {f"p{p}": 1000 * took[len(took) * p // 100] for p in (50, 99)}

    def run(side):
        with stage.open(side, mode, 1) as proxy:
            return figures(proxy)
    if sides := stage.sides(cases, mode, protocol):
        found = BENCH.turns(sides, run, RUNS)
        direct = [figures(proxies.Direct(stage.server)) for _ in range(RUNS)]
        for case, how in cases.items():
            say({case: how}, found, direct=bench.rounded(statistics.median(d[how[0]] for d in direct)))


def memory(stage, kind):
    cases = {f"memory-{{}}/idle-{kind}": ("bytes", "bytes", "lower")}
    count = proxies.descriptors()

    def run(side):
        with stage.open(side, "transaction", count) as proxy:
            proxies.logins(proxy, "connect", 4, 0.2, tls=kind == "tls")
            before = bench.rss_bytes(proxy.pid)
            with proxies.Held(proxy, count, kind == "tls") as held:
                return {"bytes": (bench.rss_bytes(proxy.pid) - before) / held.count}
    if sides := stage.sides(cases, "transaction"):
        say(cases, BENCH.turns(sides, run, RUNS), clients=count)


def connect(stage, kind):
    cases = {f"connect-{{}}/{kind}": ("per_second", "logins/s", "higher"), f"connect-{{}}/{kind}/cpu": ("cpu_us", "us", "lower")}

    def run(side):
        with stage.open(side, "transaction", 16) as proxy:
            before = bench.cpu_seconds(proxy.pid)
            said = proxies.logins(proxy, "connect", 16, proxies.seconds_of_a_run(), tls=kind == "tls")
            return {**said, "cpu_us": (bench.cpu_seconds(proxy.pid) - before) * 1e6 / said["logins"]}
    if sides := stage.sides(cases, "transaction"):
        say(cases, BENCH.turns(sides, run, RUNS))


def soak(stage, kind):
    """What a million connections of random lives leave behind. A tenth of them goes before: that is what pools keep."""
    count = int(os.environ.get("SLIPWAY_BENCH_SOAK", 1000000))
    for side in stage.sides([f"soak-{{}}/{kind}/{what}" for what in LEFT], "transaction", "prepared"):
        with stage.open(side, "transaction", POOL) as proxy:
            proxies.logins(proxy, "soak", 32, count // 10, tls=kind == "tls")
            before = proxies.kept_by(proxy, stage.server)
            proxies.logins(proxy, "soak", 32, count, tls=kind == "tls")
            after = proxies.kept_by(proxy, stage.server, before["sockets"])
        for what, unit in LEFT.items():
            BENCH.say(f"soak-{side}/{kind}/{what}", max(0, after[what] - before[what]), unit=unit, better="lower", lives=count)


def main():
    with servers.Folder() as folder:
        stage = Stage(folder)
        for mode in MODES:
            for protocol in PROTOCOLS:
                for clients in CLIENTS:
                    throughput(stage, mode, protocol, clients, "-S")
                throughput(stage, mode, protocol, 16, None, fsync="off")
                latency(stage, mode, protocol)
        for kind in ("plain", "tls"):
            memory(stage, kind)
            connect(stage, kind)
            soak(stage, kind)


BENCH = bench.Bench("gateway")
if __name__ == "__main__":
    main()
