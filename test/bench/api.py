"""Durable writes and lists through the API, beside etcd's JSON gateway with the same objects.

Both serve TLS, both sync each commit to the same disk, the same client sends the requests, one connection a client.
"""
import base64
import json
import pathlib
import tempfile
import time

import bench
import harness
import peers
import yaml

CLIENTS, WRITES, OBJECTS, LISTS, RUNS = 16, 4000, 10000, 10, 5


def event(ns, n):
    """An object that no controller acts upon, of about a kilobyte. It is of now: the control plane removes old ones."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return json.dumps({
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": f"e-{n}", "namespace": ns},
        "involvedObject": {"kind": "Database", "namespace": ns, "name": "orders", "apiVersion": "slipway.dev/v1"},
        "reason": "Bench", "message": "m" * 700, "type": "Normal", "count": 1,
        "source": {"component": "bench"}, "firstTimestamp": now, "lastTimestamp": now})


class Ours:
    def __init__(self, platform, folder):
        config = yaml.safe_load((platform.data / "kubeconfig").read_text())
        self.url = config["clusters"][0]["cluster"]["server"]
        self.token = config["users"][0]["user"]["token"]
        self.ca = folder / "ca.crt"
        cluster = config["clusters"][0]["cluster"]
        if "certificate-authority" in cluster:
            self.ca.write_bytes(pathlib.Path(cluster["certificate-authority"]).read_bytes())
        else:
            self.ca.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))

    def load(self, method, path, body="", **kw):
        return peers.load(self.url, method, path, body, ca=self.ca, token=self.token, **kw)

    def write(self, ns, clients, first, count):
        return self.load("POST", f"/api/v1/namespaces/{ns}/events", event(ns, "%n"), clients=clients, first=first,
                         count=count)["per_second"]

    def list_ms(self, ns):
        return self.load("GET", f"/api/v1/namespaces/{ns}/events", clients=1, count=LISTS)["p50_us"] / 1000

    def get(self, ns):
        return self.load("GET", f"/api/v1/namespaces/{ns}/events/e-%n", clients=CLIENTS, count=WRITES)["per_second"]


class Theirs:
    def __init__(self, etcd, ca):
        self.etcd, self.ca = etcd, ca

    def load(self, path, body, **kw):
        return peers.load(self.etcd.url, "POST", path, body, ca=self.ca, **kw)

    def write(self, ns, clients, first, count):
        return self.load("/v3/kv/txn", self.etcd.create(prefix(ns), event(ns, 123456)), clients=clients, first=first,
                         count=count)["per_second"]

    def list_ms(self, ns):
        return self.load("/v3/kv/range", self.etcd.all_of(prefix(ns)), clients=1, count=LISTS)["p50_us"] / 1000

    def get(self, ns):
        return self.load("/v3/kv/range", self.etcd.one_of(prefix(ns)), clients=CLIENTS, count=WRITES)["per_second"]


def prefix(ns):
    """Of the keys of a namespace, 3n bytes long: the number that follows can then be put in as base64."""
    text = f"/registry/events/{ns}/"
    return text + "-" * (-len(text) % 3)


def measure(b, ours, theirs, peer):
    def compare(case, call, unit, better):
        b.compare(case, lambda: call(ours), lambda: call(theirs), peer=peer, unit=unit, better=better, runs=RUNS)

    def write(side, clients, count):
        first = made[side]
        made[side] += count
        return side.write("writes", clients, first, count)

    made = {ours: 0, theirs: 0}
    compare(f"write/{CLIENTS}", lambda side: write(side, CLIENTS, WRITES), "writes/s", "higher")
    compare("write/1", lambda side: write(side, 1, WRITES // 10), "writes/s", "higher")
    lists, gets = f"list/{OBJECTS}", f"get/{CLIENTS}"
    if b.wants(lists, gets):
        for side in (ours, theirs):
            side.write("lists", CLIENTS, 0, OBJECTS)
    compare(lists, lambda side: side.list_ms("lists"), "ms", "lower")
    compare(gets, lambda side: side.get("lists"), "reads/s", "higher")


def main():
    with tempfile.TemporaryDirectory() as folder, harness.Platform() as platform, \
            peers.Etcd(platform.data / "server.crt", platform.data / "server.key") as etcd:
        platform.apply(harness.namespace("writes"), harness.namespace("lists"))
        ours = Ours(platform, pathlib.Path(folder))
        theirs = Theirs(etcd, ours.ca)
        harness.wait_for("etcd", lambda: theirs.load("/v3/maintenance/status", "{}", clients=1, count=1))
        measure(bench.Bench("api"), ours, theirs, f"etcd {etcd.version}")


if __name__ == "__main__":
    main()
