"""1,000 hosts with 10,000 members that report every second (the agent's own code, faked postgres), and an idle platform.

SLIPWAY_FLEET_HOSTS makes it smaller. What is measured is the control plane alone; the hosts' own process is not.
"""
import concurrent.futures
import contextlib
import datetime
import http.client
import json
import os
import pathlib
import resource
import ssl
import subprocess
import tempfile
import threading
import time

import bench
import harness
import yaml

HOSTS = int(os.environ.get("SLIPWAY_FLEET_HOSTS", "1000"))
PER_HOST, ZONES, CLIENTS, MEASURE_S, REST_S, HEARD_S = 10, 3, 8, 30, 180, 3
CPU_LIMIT, FLEET_MIB, SERVE_MIB, AGENT_MIB = 0.25, 150, 40, 12
IDLE_CASES = ("idle/serve/rss", "idle/serve/pss", "idle/agent/rss", "idle/agent/pss")
FLEET_CASES = ("cpu", "database-cpu", "rss", "silent-hosts")
MIB = 1 << 20
ROOT = pathlib.Path(__file__).resolve().parents[2]
FLEET = pathlib.Path(os.environ.get("SLIPWAY_FLEET", ROOT / "build/release/test/bench/fleet"))


class Api:
    """Requests over a connection a thread."""

    def __init__(self, platform):
        self.host, _, self.port = platform.up["api"].removeprefix("https://").rpartition(":")
        config = yaml.safe_load((platform.data / "kubeconfig").read_text())
        self.headers = {"Authorization": f"Bearer {config['users'][0]['user']['token']}", "Content-Type": "application/json"}
        self.context = ssl.create_default_context(cafile=str(platform.data / "ca.crt"))
        self.local = threading.local()

    def call(self, method, path, body=None):
        if not hasattr(self.local, "connection"):
            self.local.connection = http.client.HTTPSConnection(self.host, int(self.port), context=self.context, timeout=60)
        self.local.connection.request(method, path, body and json.dumps(body), self.headers)
        answer = self.local.connection.getresponse()
        text = answer.read()
        assert answer.status < 300, f"{method} {path}: {answer.status} {text[:300]}"
        return json.loads(text)

    def call_all(self, calls):
        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
            return list(pool.map(lambda c: self.call(*c), calls))


def member(n, ns):
    """A Member that a host of the fleet runs: as the Database controller would write it."""
    return {"apiVersion": "slipway.dev/v1", "kind": "Member", "metadata": {"name": f"db{n}-1", "namespace": ns},
            "spec": {"database": f"db{n}", "host": f"fleet-{n // PER_HOST}", "zone": f"zone-{n // PER_HOST % ZONES}",
                     "version": "15", "role": "primary", "epoch": 1, "running": True, "restart": 0,
                     "settings": {"max_connections": "50", "shared_buffers": "128MB", "work_mem": "4MB"},
                     "synchronousStandbyNames": "", "standbys": [], "databases": [{"name": "app", "owner": "app"}],
                     "roles": [{"name": "app", "login": True, "inRoles": [], "connectionLimit": -1}]}}


def rss_mib(pid):
    """All that is resident, shared libraries too."""
    return int(open(f"/proc/{pid}/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MIB


def processes_of(postmaster):
    return [postmaster] + [p.pid for p in harness.every_process().values() if p.ppid == postmaster]


def cpu_of(pids):
    """{pid: CPU seconds}; one that has ended is not there."""
    found = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            found[pid] = bench.cpu_seconds(pid)
    return found


def grown(before, after):
    return sum(after[p] - before[p] for p in before if p in after)


def idle(b, platform):
    serve, agents = platform.pid("serve"), [platform.pid(z) for z in platform.up["pids"]["agents"]]
    harness.wait_for("the first reports", lambda: platform.kubectl("get", "hosts").out)
    b.say("idle/serve/rss", rss_mib(serve), unit="MiB", better="lower", limit=SERVE_MIB)
    b.say("idle/serve/pss", bench.rss_bytes(serve) / MIB, unit="MiB", better="lower")
    b.say("idle/agent/rss", max(rss_mib(a) for a in agents), unit="MiB", better="lower", limit=AGENT_MIB)
    b.say("idle/agent/pss", max(bench.rss_bytes(a) for a in agents) / MIB, unit="MiB", better="lower")


def running(api):
    states = [m.get("status", {}).get("state") for m in api.call("GET", "/apis/slipway.dev/v1/members")["items"]]
    assert states.count("Running") == HOSTS * PER_HOST, f"{states.count('Running')} of {len(states)} run"
    return True


def at_rest(api):
    """Nothing was written for five seconds: all that was told is known. What is measured is reports, not a start."""
    def revision():
        return api.call("GET", "/apis/slipway.dev/v1/members?limit=1")["metadata"]["resourceVersion"]
    before, start = revision(), time.monotonic()
    harness.wait_for("five seconds", lambda: time.monotonic() - start > 5)
    assert revision() == before, "there are still writes"
    return True


def age(text):
    """Seconds since a time of the API's."""
    return time.time() - datetime.datetime.fromisoformat(text).timestamp()


def measure(b, platform, api):
    serve, postgres = platform.pid("serve"), platform.pid("postgres")
    database = processes_of(postgres)
    before, db_before, start = bench.cpu_seconds(serve), cpu_of(database), time.monotonic()
    harness.wait_for("the time to be over", lambda: time.monotonic() - start > MEASURE_S, MEASURE_S + 30, every=0.5)
    took = time.monotonic() - start
    b.say(f"fleet/{HOSTS}x{PER_HOST}/cpu", (bench.cpu_seconds(serve) - before) / took, unit="cores", better="lower",
          limit=CPU_LIMIT)
    b.say(f"fleet/{HOSTS}x{PER_HOST}/database-cpu", grown(db_before, cpu_of(database)) / took, unit="cores",
          better="lower")
    b.say(f"fleet/{HOSTS}x{PER_HOST}/rss", rss_mib(serve), unit="MiB", better="lower", limit=FLEET_MIB)
    heard = [h for h in api.call("GET", "/apis/slipway.dev/v1/hosts")["items"]
             if age(h["status"].get("lastHeard", "2000-01-01T00:00:00Z")) < HEARD_S]
    b.say(f"fleet/{HOSTS}x{PER_HOST}/silent-hosts", HOSTS + ZONES - len(heard), unit="hosts", better="lower")


def fleet(b, platform, folder):
    api, names = Api(platform), [f"fleet-{n}" for n in range(HOSTS)]
    platform.apply(harness.namespace("fleet"))
    tokens = api.call_all([("POST", "/agent/v1/tokens", {"zone": f"zone-{i % ZONES}", "name": n, "ttlSeconds": 3600})
                           for i, n in enumerate(names)])
    bench.note(f"{len(tokens)} tokens")
    child = subprocess.Popen([str(FLEET), folder, platform.up["api"], str(ZONES), *names], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True)
    try:
        child.stdin.write("".join(f"{t['token']}\n" for t in tokens))
        child.stdin.flush()
        assert child.stdout.readline() == "running\n"
        bench.note("the hosts have joined")
        api.call_all([("POST", "/apis/slipway.dev/v1/namespaces/fleet/members", member(n, "fleet"))
                      for n in range(HOSTS * PER_HOST)])
        harness.wait_for("all members to run", lambda: running(api), 300, every=1)
        bench.note("all members run")
        harness.wait_for("the fleet to be at rest", lambda: at_rest(api), REST_S)
        bench.note("the fleet is at rest")
        measure(b, platform, api)
    finally:
        child.stdin.close()
        child.wait(30)


def main():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    b = bench.Bench("api")
    with tempfile.TemporaryDirectory(prefix="slipway-fleet.") as folder, harness.Platform() as platform:
        if b.wants(*IDLE_CASES):
            idle(b, platform)
        if b.wants(*(f"fleet/{HOSTS}x{PER_HOST}/{c}" for c in FLEET_CASES)):
            fleet(b, platform, folder)


if __name__ == "__main__":
    main()
