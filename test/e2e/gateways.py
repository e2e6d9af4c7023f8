"""A gateway that only plays one to the control plane: it reads the stream of routes and posts reports, as ARCHITECTURE.md
says. It serves no clients."""
import contextlib
import json
import subprocess
import threading
import uuid

from harness import wait_for
from rest import Rest

REPORT_S = 0.3


def certificate(platform, folder, name, group="slipway:gateways"):
    """Paths of a certificate of the platform's CA, and of its key."""
    key, request, crt = (folder / f"{name}.{end}" for end in ("key", "csr", "crt"))
    ca = platform.data / "ca"

    def openssl(*argv):
        subprocess.run(["openssl", *argv], check=True, capture_output=True)
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key,
            "-out", request, "-subj", f"/O={group}/CN={name}")
    openssl("x509", "-req", "-in", request, "-CA", f"{ca}.crt", "-CAkey", f"{ca}.key", "-set_serial",
            str(uuid.uuid4().int >> 2), "-days", "1", "-out", crt)
    return crt, key


class Gateway:
    """Follows the routes and reports in threads of its own, from `with` to its end."""

    def __init__(self, platform, folder, name=None, address="127.0.0.1:6432", sources=("127.0.6.1",), cert=None):
        self.name = name or f"gw-{uuid.uuid4().hex[:8]}"
        self.client = Rest(platform, token=None, cert=cert or certificate(platform, folder, self.name))
        self.address, self.sources = address, sources
        self.routes, self.lines, self.synced = {}, [], False
        self.holds, self.clients = {}, 0  # what it says of a hold: {route: {"state": ..., ...}}
        self.boot, self.number = uuid.uuid4().int >> 80, 0
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.connection, self.threads = None, []

    def __enter__(self):
        self.connection, response = self.client.open("GET", "/gateway/v1/routes", timeout=60)
        assert response.status == 200, response.read()
        for run in (lambda: self.follow(response), self.tell):
            self.threads.append(threading.Thread(target=run))
            self.threads[-1].start()
        wait_for("the routes", lambda: self.synced)
        return self

    def __exit__(self, *_):
        self.over.set()
        with contextlib.suppress(OSError):
            self.connection.sock.shutdown(2)
        for thread in self.threads:
            thread.join()
        self.connection.close()

    def follow(self, response):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            for text in response:
                line = json.loads(text)
                if line["type"] == "ping":
                    continue
                if line["type"] == "database":
                    self.routes[line["database"]["name"]] = line["database"]
                elif line["type"] == "gone":
                    self.routes.pop(line["name"], None)
                self.lines.append(line)
                self.synced |= line["type"] == "synced"

    def report(self, code=200, **other):
        with self.lock:
            self.number += 1
            body = {"name": self.name, "version": "0.1.0", "boot": self.boot, "number": self.number,
                    "address": self.address, "sources": list(self.sources), "clients": self.clients,
                    "databases": [self.database(r) for r in list(self.routes.values())], **other}
            return self.client.call("POST", "/gateway/v1/report", body, code=code)

    def database(self, route):
        one = {"name": route["name"], "revision": route["revision"], "epoch": route["epoch"]}
        if "hold" in route and route["name"] in self.holds:
            one["hold"] = {"id": route["hold"]["id"], "parked": 0, "active": 0, "stuck": [], **self.holds[route["name"]]}
        return one

    def tell(self):
        while not self.over.wait(REPORT_S):
            with contextlib.suppress(OSError):
                self.report()
