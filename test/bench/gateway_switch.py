"""A planned switch of a Database from one server to another, seen by its clients: 16 of pgbench (prepared) that go on, and
1,000 idle sessions, each with 3 settings and 5 prepared statements. No peer can do this.

    switch-IO/MODE/complete     ms from the hold until each active client was served by the new server
    switch-IO/MODE/wait         ms of the longest transaction of an active client during the switch ("calm": besides it)
    switch-IO/MODE/idle         ms until an idle session has the answer to its next message, the slowest of all; idle-p50
    switch-IO/MODE/errors       errors that clients saw; lost-state: sessions that miss something of theirs

Both servers are ready and have the same data. The hold names the next primary, so that the gateway can prepare for it. The
other is made the primary as soon as the gateway has said that all are held.
"""
import contextlib
import os
import statistics
import subprocess
import time

import psycopg

import bench
import harness
import own_gateway
import pg
import proxies
import servers

ACTIVE, RUNS, SECONDS = 16, 5, 5
IDLE = int(os.environ.get("SLIPWAY_BENCH_IDLE", 1000))
# What a pool of transactions keeps of a session is what servers report.
SETTINGS = {
    "session": {"work_mem": "7MB", "statement_timeout": "61s", "search_path": "public, pg_temp"},
    "transaction": {"application_name": "idle one", "TimeZone": "Europe/Vienna", "DateStyle": "German, DMY"},
}


class Session:
    """An idle client; its statements and settings are checked by what they answer."""

    def __init__(self, gateway, mode):
        self.settings = SETTINGS[mode]
        self.connection = gateway.connect()
        for name, value in self.settings.items():
            self.connection.execute(f"select set_config('{name}', '{value}', false)", prepare=False)
        self.look = "select " + ", ".join(f"current_setting('{name}')" for name in self.settings)
        for statement in self.statements():
            self.connection.execute(statement, prepare=True)

    def statements(self):
        return [self.look, *(f"select {i} * 11" for i in range(4))]

    def next_message_ms(self):
        start = time.monotonic()
        self.connection.execute(self.look, prepare=True)
        return (time.monotonic() - start) * 1000

    def is_whole(self):
        found = [self.connection.execute(s, prepare=True).fetchone() for s in self.statements()]
        return found == [tuple(self.settings.values()), *((i * 11,) for i in range(4))]


def switch(gateway, old, new, sessions, prefix):
    """One switch; its figures."""
    argv = proxies.pgbench_argv("-n", "-S", "-M", "prepared", "-c", ACTIVE, "-j", 2, "-T", SECONDS, "--log", "--log-prefix", prefix)
    child = subprocess.Popen(argv, env=proxies.pgbench_env(gateway), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, text=True)
    harness.wait_for("pgbench to be at work", lambda: any(p.stat().st_size > 1 << 16 for p in prefix.parent.glob(f"{prefix.name}.*")))
    held = time.time()
    gateway.switch(new.name, drain_ms=3000)
    resumed, errors, idle = time.time(), 0, []
    for s in sessions:
        try:
            idle.append(s.next_message_ms())
        except psycopg.Error as e:
            errors += 1
            bench.note(f"an idle session: {e}")
    said = child.communicate(timeout=60)[1]
    if child.returncode:
        errors += 1 + said.count("aborted")
        bench.note(said)
    found = figures(prefix, held, resumed)
    lost = sum(not is_whole(s) for s in sessions)
    return {**found, "idle": max(idle, default=0), "idle-p50": statistics.median(idle or [0]), "errors": errors, "lost-state": lost,
            "old": old.sql("select count(*) from pg_stat_activity where usename = 'app' and application_name = 'pgbench'")[0][0]}


def is_whole(session):
    with contextlib.suppress(psycopg.Error):
        return session.is_whole()
    return False


def figures(prefix, held, resumed):
    """What the logs of pgbench tell of a switch between two times of the clock."""
    first, during, calm = {}, [0], [0]
    for ms, ended, client in proxies.logged(prefix):
        if ended > resumed and client not in first:
            first[client] = ended
        inside = ended >= held and ended - ms / 1000 <= resumed + 0.2
        (during if inside else calm).append(ms)
    if len(first) < ACTIVE:
        bench.note(f"only {len(first)} of {ACTIVE} clients went on")
    complete = max(first.values()) - held if len(first) == ACTIVE else float(SECONDS)
    return {"complete": complete * 1000, "wait": max(during), "calm": max(calm)}


def measure(b, folder, both, mode, io):
    cases = {what: f"switch-{io}/{mode}/{what}" for what in ("complete", "wait", "idle", "idle-p50", "errors", "lost-state")}
    if not b.wants(*cases.values()):
        return
    size = IDLE + ACTIVE + 20 if mode == "session" else 20
    found = []
    with proxies.our_gateway(folder, both[0], mode=mode, size=size, io=io, next=both[1]) as gateway, contextlib.ExitStack() as all:
        sessions = [Session(gateway, mode) for _ in range(IDLE)]
        for s in sessions:
            all.callback(s.connection.close)
        for i in range(RUNS):
            found.append(switch(gateway, both[i % 2], both[1 - i % 2], sessions, folder.path / f"switch-{i}"))
            bench.note(f"{io} {mode}: {found[-1]}")
    for what, case in cases.items():
        every, is_count = [f[what] for f in found], what in ("errors", "lost-state")
        more = {"calm": bench.rounded(statistics.median(f["calm"] for f in found))} if what == "wait" else {}
        b.say(case, sum(every) if is_count else statistics.median(every), unit="sessions" if is_count else "ms", better="lower",
              runs=RUNS, idle=IDLE, spread=[bench.rounded(min(every)), bench.rounded(max(every))], **more)


def main():
    b = bench.Bench("gateway")
    every = [(mode, io) for mode in own_gateway.MODES for io in ("epoll", "uring")]
    if not any(b.wants(f"switch-{io}/{mode}/{what}") for mode, io in every
               for what in ("complete", "wait", "idle", "idle-p50", "errors", "lost-state")):
        return
    proxies.descriptors()
    with servers.Folder() as folder:
        certs = pg.Certificates(folder.path / "pki")
        a = pg.Server(folder, 15, "orders-1", certs=certs, hba=pg.BY_TRUST, settings={"max_connections": IDLE + 200})
        proxies.fill(a)
        both = [a, pg.Server(folder, 15, "orders-2", certs=certs, hba=pg.BY_TRUST, settings={"max_connections": IDLE + 200}, copy_of=a)]
        for mode, io in every:
            measure(b, folder, both, mode, io)


if __name__ == "__main__":
    main()
