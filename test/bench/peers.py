"""The peers that benches measure beside: Debian's etcd, and the bare PostgreSQL commands."""
import base64
import contextlib
import json
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import tempfile

import bench
import harness

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOAD = ROOT / "build/release/test/bench/load"


def load(url, method, path, body="", *, clients, first=0, count, ca="-", token=None):
    """Runs test/bench/load; what it said. An error of the server's is one of the bench's."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
        f.write(body)
        f.flush()
        argv = [LOAD, url, method, path, f.name if body else "-", clients, first, count, ca, *([token] if token else [])]
        done = subprocess.run([str(a) for a in argv], stdout=subprocess.PIPE, text=True, timeout=600)
    if done.returncode:
        raise AssertionError(f"load of {url}{path} failed: {done.stdout}")
    return json.loads(done.stdout)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


class Etcd:
    """One etcd member, as Debian's package has it, fsync on. cert and key make its clients' side TLS."""

    def __init__(self, cert, key):
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="slipway-etcd."))
        self.url, peer = f"https://127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}"
        self.version = bench.version_of("etcd", "--version")
        for source, name in ((cert, "crt"), (key, "key")):
            shutil.copy(source, self.base / name)
        with open(self.base / "log", "wb") as log:
            self.process = subprocess.Popen(
                ["etcd", "--name", "a", "--data-dir", self.base / "data", "--listen-client-urls", self.url,
                 "--advertise-client-urls", self.url, "--listen-peer-urls", peer, "--initial-advertise-peer-urls",
                 peer, "--initial-cluster", f"a={peer}", "--cert-file", self.base / "crt", "--key-file",
                 self.base / "key", "--quota-backend-bytes", str(4 << 30)],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.base, ignore_errors=True)

    @staticmethod
    def create(prefix, value):
        """The body of a request that creates a key once, as an API over etcd does it. prefix has 3n bytes."""
        assert len(prefix) % 3 == 0
        key = base64.b64encode(prefix.encode()).decode() + "%b"
        return json.dumps({
            "compare": [{"key": key, "target": "CREATE", "create_revision": "0"}],
            "success": [{"request_put": {"key": key, "value": base64.b64encode(value.encode()).decode()}}]})

    @staticmethod
    def one_of(prefix):
        return json.dumps({"key": base64.b64encode(prefix.encode()).decode() + "%b"})

    @staticmethod
    def all_of(prefix):
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        return json.dumps({"key": base64.b64encode(prefix.encode()).decode(),
                           "range_end": base64.b64encode(end.encode()).decode()})


class BarePostgres:
    """The commands that somebody would type for the same servers: initdb, start, pg_basebackup, start."""
    bin = pathlib.Path("/usr/lib/postgresql/15/bin")

    def __init__(self):
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="slipway-bare."))
        self.base.chmod(0o755)
        self.started = []
        if os.geteuid() == 0:
            shutil.chown(self.base, harness.USER, pwd.getpwnam(harness.USER).pw_gid)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for data in self.started:
            with contextlib.suppress(AssertionError):
                self.run("pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(self.base, ignore_errors=True)

    def run(self, program, *argv, **kw):
        user = ["setpriv", f"--reuid={harness.USER}", f"--regid={harness.USER}", "--clear-groups"]
        return harness.call([*(user if os.geteuid() == 0 else []), self.bin / program, *argv],
                            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}, timeout=60, **kw)

    def initdb(self, name):
        self.run("initdb", "-D", self.base / name, "-U", "postgres", "-A", "trust", "--data-checksums", "-E", "UTF8")

    def start(self, name, *settings):
        data, port = self.base / name, free_port()
        with open(data / "postgresql.auto.conf", "a") as f:
            f.write("\n".join([f"port = {port}", f"unix_socket_directories = '{self.base}'",
                               "listen_addresses = '127.0.0.1'", "shared_buffers = 128MB", *settings, ""]))
        self.run("pg_ctl", "-D", data, "-w", "-l", self.base / f"{name}.log", "start")
        self.started.append(data)
        return port

    def basebackup(self, port, name):
        self.run("pg_basebackup", "-h", self.base, "-p", str(port), "-U", "postgres", "-D", self.base / name,
                 "-R", "-c", "fast", "-X", "stream")
