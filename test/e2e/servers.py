"""Parts of a platform that a test runs by itself: a PostgreSQL, a `slipway serve` on it."""
import contextlib
import json
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile

import pytest

import harness

USER = harness.USER


def programs(major):
    """The folder of a major's programs; skips the test where it is not installed."""
    for place in (f"/usr/lib/postgresql/{major}/bin", f"/opt/slipway/postgresql/{major}/bin"):
        if os.access(f"{place}/postgres", os.X_OK):
            return place
    pytest.skip(f"PostgreSQL {major} is not installed")


def as_user(*argv):
    """The command line that runs as the unprivileged user, where we are root."""
    return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups", *argv] if os.geteuid() == 0 else list(argv)


class Folder:
    """A folder of the user's that goes when the test ends, with all that runs in it."""

    def __init__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="slipway-e2e."))
        self.path.chmod(0o755)
        if os.geteuid() == 0:
            shutil.chown(self.path, USER, pwd.getpwnam(USER).pw_gid)
        self.children = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for child in reversed(self.children):
            if child.poll() is None:
                child.send_signal(signal.SIGCONT)
                child.send_signal(signal.SIGQUIT if "postgres" in child.args[-3] else signal.SIGTERM)
                try:
                    child.wait(20)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait(10)
        if not os.environ.get("SLIPWAY_E2E_KEEP"):
            shutil.rmtree(self.path, ignore_errors=True)

    def start(self, argv, log, **kw):
        with open(self.path / log, "ab") as out:
            child = subprocess.Popen([str(a) for a in argv], cwd="/", stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                     start_new_session=True, **kw)
        self.children.append(child)
        return child

    def text(self, log):
        return (self.path / log).read_text(errors="replace")


class Postgres:
    """A server on a unix socket in a Folder; user and database are slipway."""

    def __init__(self, folder, major):
        self.folder, self.bin, self.data = folder, programs(major), folder.path / "pg"
        harness.call(as_user(f"{self.bin}/initdb", "-D", str(self.data), "-U", USER, "-A", "trust", "-N", "-E", "UTF8",
                             "--locale=C"), timeout=120)
        self.url = f"host={folder.path} user={USER} dbname=postgres"
        self.start()

    def start(self):
        self.process = self.folder.start(as_user(
            f"{self.bin}/postgres", "-D", self.data, "-c", "listen_addresses=", "-c", f"unix_socket_directories={self.folder.path}",
            "-c", "fsync=off"), "pg.log")
        harness.wait_for("PostgreSQL to answer", lambda: self.sql("select 1"))

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)

    def sql(self, text):
        import psycopg
        with psycopg.connect(self.url, connect_timeout=5, autocommit=True) as c:
            done = c.execute(text)
            return done.fetchall() if done.description else []


class Serve:
    """A control plane of its own, with its data in the same Folder; prefix puts it (and its clients) elsewhere."""

    def __init__(self, folder, *argv, listen="127.0.0.1:0", data="serve", prefix=()):
        self.folder, self.data, self.log, self.prefix = folder, folder.path / data, f"{data}.log", list(prefix)
        self.process = folder.start([*prefix, harness.BIN, "serve", "--data", self.data, "--listen", listen, *argv], self.log)
        self.env = {**os.environ, "KUBECONFIG": str(self.data / "kubeconfig")}

    def ready(self, timeout=60):
        def is_ready():
            if self.process.poll() is not None:
                raise RuntimeError(f"serve ended with {self.process.returncode}: {self.folder.text(self.log)}")
            with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
                found = json.loads((self.data / "serve.json").read_text())
                return found if found["pid"] == self.process.pid else None
        return harness.wait_for("serve to be ready", is_ready, timeout)

    def kubectl(self, *argv, **kw):
        return harness.call([*self.prefix, "kubectl", *argv], env=self.env, **kw)

    def slipway(self, *argv, **kw):
        return harness.call([*self.prefix, harness.BIN, *argv], env=self.env, **kw)
