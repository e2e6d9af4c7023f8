"""A platform of one's own for a test: starts `slipway up`, talks to it, kills parts of it, and sees to it that
nothing of it is left. conftest.py makes fixtures of this.

Every wait here is for a condition, with a deadline; wait_for is the only place in the tests that sleeps.
"""
import contextlib
import dataclasses
import json
import os
import pathlib
import pwd
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
import uuid

import psycopg
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = os.environ.get("SLIPWAY_BIN", str(ROOT / "build/asan/src/app/slipway"))
USER = "slipway"
START_S, STOP_S, CALL_S, READY_S = 60, 60, 30, 120


class Late(AssertionError):
    """A condition did not come true in time."""


def wait_for(what, condition, timeout=30, every=0.05):
    """What condition() returns as soon as that is true. An AssertionError or OSError in it means: not yet."""
    deadline, last = time.monotonic() + timeout, None
    while True:
        try:
            if last := condition():
                return last
        except (AssertionError, OSError, psycopg.Error) as e:
            last = e
        if time.monotonic() > deadline:
            raise Late(f"waited {timeout} s for {what}; last seen: {last!r}")
        time.sleep(every)


@dataclasses.dataclass
class Result:
    """How a command ended. Asking for json or yaml parses its output."""
    argv: list
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def yaml(self):
        return list(yaml.safe_load_all(self.out))

    def __str__(self):
        return f"$ {shlex.join(self.argv)}\n{self.out}{self.err}(exit code {self.code})"


def call(argv, env=None, input=None, check=True, timeout=CALL_S):
    """Runs a command. check: True wants exit code 0, False any, a number that one."""
    argv = [str(a) for a in argv]
    try:
        done = subprocess.run(argv, env=env, text=True, capture_output=True, timeout=timeout,
                              **({"input": input} if input is not None else {"stdin": subprocess.DEVNULL}))
    except subprocess.TimeoutExpired as e:
        raise Late(f"$ {shlex.join(argv)}\nno end after {timeout} s\n{e.stdout}\n{e.stderr}") from None
    result = Result(argv, done.returncode, done.stdout, done.stderr)
    if check is not False:
        assert result.code == int(check if check is not True else 0), str(result)
    return result


@dataclasses.dataclass(frozen=True)
class Process:
    pid: int
    ppid: int
    argv: tuple
    cwd: str

    @staticmethod
    def read(pid):
        """None when there is none, or it has ended and waits for its parent."""
        try:
            stat = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            argv = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
            cwd = os.readlink(f"/proc/{pid}/cwd")
        except OSError:
            return None
        return None if stat[0] in "ZX" else Process(pid, int(stat[1]), tuple(argv.rstrip("\0").split("\0")), cwd)


def every_process():
    pids = [int(p) for p in os.listdir("/proc") if p.isdigit()]
    return {p: proc for p in pids if (proc := Process.read(p))}


def environ_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def listening_inodes():
    """{inode: "address:port"} of the TCP sockets that listen here."""
    found = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for row in pathlib.Path(table).read_text().splitlines()[1:]:
                at = row.split()
                if at[3] == "0A":
                    host, port = at[1].split(":")
                    if len(host) == 8:
                        host = ".".join(str(b) for b in reversed(bytes.fromhex(host)))
                    found[at[9]] = f"{host}:{int(port, 16)}"
    return found


class Platform:
    """One `slipway up` with a data folder of its own. Use it in a `with`: leaving it stops it and checks for leaks."""

    def __init__(self, *args, bin=BIN, env=None):
        self.id = uuid.uuid4().hex
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="slipway-e2e."))
        self.base.chmod(0o755)
        if os.geteuid() == 0:
            shutil.chown(self.base, USER, pwd.getpwnam(USER).pw_gid)
        self.data, self.log = self.base / "data", self.base / "up.log"
        self.args, self.bin = args, bin
        self.env = {**os.environ, "HOME": str(self.base), "KUBECONFIG": str(self.data / "kubeconfig"),
                    "SLIPWAY_E2E": self.id, **(env or {})}
        for tool in ("ASAN", "UBSAN", "TSAN"):
            self.env[f"{tool}_OPTIONS"] = f"{self.env.get(f'{tool}_OPTIONS', '')}:log_path={self.base}/sanitizer"
        self.process, self.up = None, None

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.abandon()
            raise
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.close()
        finally:
            self.abandon()

    # its life

    def start(self, *args, env=None, timeout=START_S, ready=True):
        """Starts it and waits until up.json says that all is ready; ready=False does not wait."""
        (self.data / "up.json").unlink(missing_ok=True)
        argv = [self.bin, "up", "--data", str(self.data), "--api", "127.0.0.1:0", *self.args, *args]
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen(argv, env={**self.env, **(env or {})}, cwd="/", stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=out, start_new_session=True)
        if ready:
            self.wait_ready(timeout)

    def wait_ready(self, timeout=START_S):
        def ready():
            if self.process.poll() is not None:
                raise RuntimeError(f"slipway up ended with {self.process.returncode}:\n{self.tail(self.log)}")
            return self.read_up()
        self.up = wait_for(f"{self.data}/up.json", ready, timeout)

    def read_up(self):
        with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
            return json.loads((self.data / "up.json").read_text())
        return None

    def stop(self, sig=signal.SIGINT, timeout=STOP_S, code=0):
        """Ctrl-C: waits until it has ended as it should, and nothing that it started is alive or listens."""
        ports = self.ports()
        self.process.send_signal(sig)
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Late(f"slipway up did not end in {timeout} s:\n{self.tail(self.log)}") from None
        assert self.process.returncode == code, self.tail(self.log)
        self.process = None
        self.wait_gone()
        left = ports & set(listening_inodes().values())
        assert not left, f"somebody still listens at {left}"

    def wait_gone(self, timeout=5):
        """Until no process of it is left; says which are."""
        left = []

        def gone():
            left[:] = self.processes()
            return not left
        try:
            wait_for("no process of it to be left", gone, timeout)
        except Late as late:
            raise Late(f"{late}: {left}") from None

    def close(self):
        """Stops it if it runs, and checks that it left no process, no port and no sanitizer's report."""
        if self.process:
            self.stop()
        left = self.processes()
        assert not left, f"processes left behind: {left}"
        reports = [self.tail(p, 60) for p in sorted(self.base.glob("sanitizer.*"))]
        assert not reports, "\n".join(reports)

    def abandon(self):
        """Ends all that is left, whatever state it is in, and removes the folder."""
        for p in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(p.pid, signal.SIGKILL)
        with contextlib.suppress(Late):
            wait_for("its processes to end", lambda: not self.processes(), 10)
        if self.process:
            self.process.wait(10)
            self.process = None
        if not os.environ.get("SLIPWAY_E2E_KEEP"):
            shutil.rmtree(self.base, ignore_errors=True)

    # its processes

    def processes(self):
        """All that it started, however far away: by our mark in the environment, the folder it works in, or a parent."""
        every, mark, base = every_process(), f"SLIPWAY_E2E={self.id}".encode(), str(self.base)
        mine = {p for p, proc in every.items() if p != os.getpid() and (
            proc.cwd.startswith(base) or any(base in a for a in proc.argv) or mark in environ_of(p))}
        grown = True
        while grown:
            more = {p for p, proc in every.items() if proc.ppid in mine and p not in mine}
            mine, grown = mine | more, bool(more)
        return [every[p] for p in sorted(mine)]

    def ports(self):
        """Every TCP address that one of them listens at."""
        listening, found = listening_inodes(), set()
        for p in self.processes():
            with contextlib.suppress(OSError):
                for fd in os.listdir(f"/proc/{p.pid}/fd"):
                    with contextlib.suppress(OSError):
                        inode = os.readlink(f"/proc/{p.pid}/fd/{fd}").removeprefix("socket:[").rstrip("]")
                        found.add(listening.get(inode))
        return found - {None}

    def pid(self, role):
        """The pid of "up", "serve", "postgres" (of the system database) or an agent by its zone; None when it is down."""
        up = self.read_up() or self.up
        pids = {"up": up["pid"], **up["pids"]}
        pid = pids[role] if role in pids else pids["agents"][role]
        return pid if pid and Process.read(pid) else None

    def postmasters(self):
        """{member folder: Process} of the PostgreSQL servers of members, by what runs and not by what is said of it."""
        return {p.cwd: p for p in self.processes()
                if p.argv[0].endswith("/postgres") and p.cwd.startswith(f"{self.data}/hosts/")}

    def system_sql(self, sql):
        """What the system database answers to a statement, entered as the user that owns it."""
        as_owner = [] if os.geteuid() else ["runuser", "-u", "slipway", "--"]
        done = subprocess.run([*as_owner, "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", f"{self.data}/system/run", "-U", "slipway",
                               "-d", "slipway", "-c", sql], cwd="/", capture_output=True, text=True, timeout=30,
                              stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def kill_system(self, sig):
        """Signals every process of the system database: a stopped postmaster alone leaves its sessions at work."""
        postmaster = wait_for("postgres to run", lambda: self.pid("postgres"))
        for p in [p.pid for p in self.processes() if p.ppid == postmaster] + [postmaster]:
            os.kill(p, sig)

    def kill(self, role, sig=signal.SIGKILL):
        """Signals one of its processes; its pid."""
        pid = wait_for(f"{role} to run", lambda: self.pid(role))
        os.kill(pid, sig)
        return pid

    def wait_restarted(self, role, old, timeout=START_S):
        """Waits until another process has the role, and the API answers."""
        new = wait_for(f"{role} to be started again", lambda: (p := self.pid(role)) != old and p, timeout)
        wait_for("the API to answer", lambda: self.kubectl("get", "--raw", "/readyz").out, timeout)
        return new

    # its clients

    def kubectl(self, *argv, **kw):
        return call(["kubectl", *argv], env=self.env, **kw)

    def slipway(self, *argv, **kw):
        return call([self.bin, *argv], env=self.env, **kw)

    def apply(self, *objects, **kw):
        """Applies manifests, given as dicts or as text."""
        text = "---\n".join(o if isinstance(o, str) else yaml.safe_dump(o) for o in objects)
        return self.kubectl("apply", "-f", "-", input=text, **kw)

    def get(self, kind, name, ns=None):
        """An object, or None."""
        done = self.kubectl("get", kind, name, "-o", "json", *(["-n", ns] if ns else []), check=False)
        if done.code and "NotFound" in done.err:
            return None
        assert done.code == 0, str(done)
        return done.json

    def condition(self, kind, name, ns, type):
        conditions = (self.get(kind, name, ns) or {}).get("status", {}).get("conditions", [])
        return next((c for c in conditions if c["type"] == type), None)

    def wait_database(self, name, ns, timeout=READY_S):
        """Waits until a Database is Ready as it now is; the object."""
        def ready():
            found = self.get("database", name, ns)
            ready = [c for c in found.get("status", {}).get("conditions", []) if c["type"] == "Ready"]
            assert ready and ready[0]["status"] == "True", ready
            assert ready[0].get("observedGeneration") == found["metadata"]["generation"], ready
            return found
        return wait_for(f"Database {ns}/{name} to be Ready", ready, timeout, every=0.2)

    def secret(self, name, ns):
        """The data of a Secret, as text."""
        import base64
        return {k: base64.b64decode(v).decode() for k, v in self.get("secret", name, ns)["data"].items()}

    def connect(self, name, ns, role="app", **kw):
        """A psycopg connection to a Database by its Secret."""
        return psycopg.connect(self.secret(f"{name}-{role}", ns)["uri"], connect_timeout=10, autocommit=True, **kw)

    # what to show of it

    @staticmethod
    def tail(path, lines=40):
        with contextlib.suppress(OSError):
            return "\n".join(pathlib.Path(path).read_text(errors="replace").splitlines()[-lines:])
        return "(no log)"

    def story(self):
        """The ends of all its logs."""
        logs = [self.log, *sorted(self.base.glob("data/log/*")), *sorted(self.base.glob("data/hosts/*/m/*/log/*")),
                *sorted(self.base.glob("data/system/log*")), *sorted(self.base.glob("sanitizer.*"))]
        return "\n".join(f"--- {p.relative_to(self.base)}\n{self.tail(p)}" for p in logs if p.is_file())


def database(name, ns, **spec):
    """The manifest of a Database."""
    return {"apiVersion": "slipway.dev/v1", "kind": "Database", "metadata": {"name": name, "namespace": ns},
            "spec": spec}


def namespace(name):
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
