"""What stands between clients and PostgreSQL in the bench of the gateway, behind one face: ours, and PgBouncer as Debian
has it, with the same settings. Also the programs that load them, and how their figures are read."""
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess

import bench
import harness
import own_gateway
import pg
import servers

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOGINS = ROOT / "build/release/test/bench/logins"
DATABASE, USER, PASSWORD = own_gateway.DATABASE, "app", pg.ROLES["app"]
CLIENTS_MAX = 11000


class PgBouncer:
    """Clients enter by SCRAM against verifiers, the server by trust; a log line for each session that ended."""
    started = 0

    def __init__(self, folder, server, *, mode, size, certs=None, next=None):
        PgBouncer.started += 1
        self.folder, self.name, self.port = folder, f"pgbouncer-{PgBouncer.started}", pg.free_port()
        self.host, self.conf, self.settings = "127.0.0.1", folder.path / f"{self.name}.ini", {
            "listen_addr": "127.0.0.1", "listen_port": self.port, "unix_socket_dir": folder.path, "pool_mode": mode,
            "auth_type": "scram-sha-256", "auth_file": folder.path / f"{self.name}.users", "admin_users": USER,
            "default_pool_size": size, "max_client_conn": CLIENTS_MAX, "max_db_connections": 0, "log_connections": 0,
            "ignore_startup_parameters": "extra_float_digits", "server_tls_sslmode": "disable",
            **({"client_tls_sslmode": "allow", "client_tls_cert_file": certs.crt("gateway"),
                "client_tls_key_file": certs.key("gateway"), "client_tls_ca_file": certs.path / "ca.crt"} if certs else {})}
        users = folder.path / f"{self.name}.users"
        users.write_text(f'"{USER}" "{pg.verifier(PASSWORD)}"\n')
        pg.own(users, 0o600)
        self.route(server)

    def route(self, server):
        self.conf.write_text(f'[databases]\n{DATABASE} = host=127.0.0.1 port={server.port} dbname=orders user={USER}\n'
                             "[pgbouncer]\n" + "".join(f"{k} = {v}\n" for k, v in self.settings.items()))
        pg.own(self.conf, 0o644)

    def __enter__(self):
        self.process = self.folder.start(servers.as_user("pgbouncer", self.conf), f"{self.name}.log")
        self.pid = self.process.pid
        harness.wait_for("PgBouncer", lambda: logins(self, "connect", 1, 0.01))
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(10)

    @staticmethod
    def peer():
        return f"pgbouncer {bench.version_of('pgbouncer', '--version')}"


class Direct:
    """No proxy."""
    host, database = "127.0.0.1", "orders"

    def __init__(self, server):
        self.port = server.port


def our_gateway(folder, server, *, mode, size, io, certs=None, next=None):
    """A gateway of ours with the same settings. next: a server that stands by as the other member."""
    members = [server.member("primary", "off"), *([next.member("standby", "off")] if next else [])]
    routes = own_gateway.Routes().database(DATABASE, mode=mode, members=members, pool={"size": size, "reserve": 0, "clients": CLIENTS_MAX})
    return own_gateway.Gateway(folder, routes, certs=certs, io=io)


def pgbench_argv(*argv):
    return ["/usr/lib/postgresql/15/bin/pgbench", *[str(a) for a in argv]]


def pgbench_env(proxy):
    return {**os.environ, "PGHOST": proxy.host, "PGPORT": str(proxy.port), "PGDATABASE": getattr(proxy, "database", DATABASE), "PGUSER": USER,
            "PGPASSWORD": PASSWORD, "PGSSLMODE": "disable", "PGGSSENCMODE": "disable"}


def run_pgbench(proxy, protocol, clients, seconds, *argv):
    """{"tps", "cpu_us"} of a pgbench through a proxy, from its first report of progress to its last: what it takes to
    connect is not in it."""
    threads = min(clients, 2)
    child = subprocess.Popen(pgbench_argv("-n", "-M", protocol, "-c", clients, "-j", threads, "-P", 1, "-T", seconds + 1, *argv),
                             env=pgbench_env(proxy), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, text=True)
    said, marks, count, before = [], [], 0, 0.0
    for line in child.stderr:
        said.append(line)
        found = re.match(r"progress: ([\d.]+) s, ([\d.]+) tps.* (\d+) failed", line)
        if found:
            at = float(found[1])
            count += float(found[2]) * (at - before) if marks else 0
            marks.append((at, bench.cpu_seconds(proxy.pid)))
            before = at
    if child.wait() or len(marks) < 2 or any("abort" in line or "ERROR" in line for line in said):
        raise AssertionError(f"pgbench failed: {''.join(said[-20:])}")
    (first, cpu), (last, cpu_after) = marks[0], marks[-1]
    return {"tps": count / (last - first), "cpu_us": (cpu_after - cpu) * 1e6 / count}


def latencies(proxy, protocol, seconds, prefix):
    """Milliseconds of each transaction of one client, sorted."""
    argv = pgbench_argv("-n", "-S", "-M", protocol, "-c", 1, "-T", seconds, "--log", "--log-prefix", prefix)
    harness.call(argv, env=pgbench_env(proxy), timeout=seconds + 60)
    return sorted(ms for ms, _, _ in logged(prefix))


def logged(prefix):
    """(milliseconds it took, when it ended, its client) of each transaction in the logs of a pgbench; they go."""
    for log in sorted(pathlib.Path(prefix).parent.glob(pathlib.Path(prefix).name + ".*")):
        for row in log.read_text().splitlines():
            at = row.split()
            yield int(at[2]) / 1000, int(at[4]) + int(at[5]) / 1e6, (log.name, at[0])
        log.unlink()


def logins(proxy, what, *argv, tls=False):
    """Runs test/bench/logins to its end; what it said."""
    done = harness.call([LOGINS, what, proxy.host, proxy.port, DATABASE, USER, PASSWORD, "tls" if tls else "plain", *argv],
                        timeout=1800)
    return json.loads(done.out)


class Held:
    """Many idle clients that have asked one query each."""

    def __init__(self, proxy, count, tls):
        argv = [LOGINS, "idle", proxy.host, proxy.port, DATABASE, USER, PASSWORD, "tls" if tls else "plain", count]
        self.process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        said = self.process.stdout.readline()
        if not said:
            raise AssertionError("the clients could not log in")
        self.count = json.loads(said)["held"]
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(30)


def kept_by(proxy, server, sockets=None):
    """What a proxy without clients holds; waits for the number of sockets that it had before, but not forever."""
    def now():
        fds = [os.readlink(f"/proc/{proxy.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{proxy.pid}/fd")]
        busy = server.sql("select count(*) from pg_stat_activity where usename = 'app' and state <> 'idle'")[0][0]
        return {"sockets": sum(fd.startswith("socket:") for fd in fds), "busy-servers": busy, "memory": bench.rss_bytes(proxy.pid)}
    with contextlib.suppress(harness.Late):
        harness.wait_for("it to come to rest", lambda: not (n := now())["busy-servers"] and n["sockets"] <= (sockets or 10**6), 15)
    return now()


def descriptors():
    """Raises the limit to the most that is allowed; how many clients that makes."""
    import resource
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return min(10000, most - 200)


def seconds_of_a_run():
    return int(os.environ.get("SLIPWAY_BENCH_SECONDS", 2))


def fill(server, scale=10):
    """pgbench's tables in the database orders, of the user that the clients have."""
    harness.call(pgbench_argv("-i", "-q", "-s", scale, "-h", server.folder.path, "-p", server.port, "-U", USER, "orders"), timeout=120)
    server.sql("vacuum analyze", "orders")
    server.sql("checkpoint")
