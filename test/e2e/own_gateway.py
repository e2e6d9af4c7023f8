"""A `slipway gateway` by itself, for tests and benches: its routes, its life, its connections.

    routes = own_gateway.Routes().database("shop.orders", server, mode="transaction")
    with own_gateway.Gateway(folder, routes, certs=certs) as gateway:
        with gateway.connect("shop.orders") as c: …
        gateway.reload(routes.hold("shop.orders"))

Leaving the `with` drains it, and looks for a sanitizer's report, a process or a socket that it left.
"""
import contextlib
import copy
import json
import os
import pathlib
import signal
import time
import urllib.parse

import psycopg

import harness
import pg
import servers

ADMIN, ADMIN_PASSWORD = "operator", "operator's password"
DATABASE = "shop.orders"
MODES = ("session", "transaction")


class Routes:
    """What the file of routes says. Each call gives another one, a step further."""

    def __init__(self, databases=(), revision=1):
        self.databases, self.revision = {d["name"]: d for d in databases}, revision

    def text(self):
        admins = [{"name": ADMIN, "verifiers": [pg.verifier(ADMIN_PASSWORD)]}]
        return json.dumps({"databases": list(self.databases.values()), "admins": admins}, indent=1)

    def database(self, name, *servers, mode="session", tls="allow", pool=None, roles=None, members=None, member_tls="verify-ca",
                 **more):
        """A database whose primary is the first server, and whose standbys are the rest."""
        members = members or [s.member("standby" if i else "primary", member_tls) for i, s in enumerate(servers)]
        roles = roles or [self.role(name) for name in pg.ROLES]
        return self.change({"name": name, "epoch": 1, "mode": mode, "databases": list(pg.DATABASES), "tls": tls, "pool": pool or {},
                            "members": members, "roles": roles, "server": {"auth": "cert"}, **more})

    @staticmethod
    def role(name, password=None, **more):
        return {"name": name, "verifiers": [pg.verifier(password or pg.ROLES[name])], "connections": -1, **more}

    def change(self, database=None, name=DATABASE, **fields):
        """Puts a database in, or changes fields of one; a field of None goes."""
        changed = {**(database or self.databases[name]), **fields, "revision": self.revision + 1}
        changed = {k: v for k, v in changed.items() if v is not None}
        return Routes([*({**self.databases, changed["name"]: copy.deepcopy(changed)}).values()], self.revision + 1)

    def without(self, name):
        return Routes([d for n, d in self.databases.items() if n != name], self.revision + 1)

    def hold(self, name=DATABASE, next=None, drain_ms=5000, on_drain="wait"):
        hold = {"id": str(self.revision), "drainMs": drain_ms, "onDrain": on_drain, **({"next": next} if next else {})}
        return self.change(name=name, hold=hold)

    def switch(self, to, name=DATABASE):
        """The hold ends with another member as primary, at the next epoch."""
        database = self.databases[name]
        members = [{**m, "role": "primary" if m["name"] == to else "standby"} for m in database["members"]]
        return self.change(name=name, hold=None, members=members, epoch=database["epoch"] + 1)

    def resume(self, name=DATABASE):
        return self.change(name=name, hold=None)


class Stage:
    """What most tests need: a server, and a gateway in front of it with a database of each mode, shop.session and
    shop.transaction."""

    def __init__(self, major=15, settings=None, argv=(), env=None, **more):
        with contextlib.ExitStack() as all:
            self.folder = all.enter_context(servers.Folder())
            self.certs = pg.Certificates(self.folder.path / "pki")
            self.server = pg.Server(self.folder, major, certs=self.certs, settings=settings)
            self.routes = Routes()
            for mode in MODES:
                self.routes = self.routes.database(f"shop.{mode}", self.server, mode=mode, **more)
            self.gateway = all.enter_context(Gateway(self.folder, self.routes, *argv, certs=self.certs, env=env))
            self.all = all.pop_all()

    def __enter__(self):
        return self

    def __exit__(self, *how):
        return self.all.__exit__(*how)


class Gateway:
    """One gateway in a servers.Folder. env adds to its environment, argv to its arguments."""
    started = 0

    def __init__(self, folder, routes, *argv, certs=None, io=None, env=None, bin=None, prefix=()):
        Gateway.started += 1
        self.folder, self.routes, self.certs, self.prefix = folder, routes, certs, list(prefix)
        self.data, self.log = folder.path / f"gateway-{Gateway.started}", f"gateway-{Gateway.started}.log"
        self.data.mkdir()
        pg.own(self.data, 0o700)
        self.file = folder.path / f"routes-{Gateway.started}.json"
        self.argv = [bin or harness.BIN, "gateway", "--data", self.data, "--routes", self.file, "--listen", "127.0.0.1:0", *argv]
        if certs:
            self.argv += ["--tls-cert", certs.crt("gateway"), "--tls-key", certs.key("gateway"), "--ca", certs.path / "ca.crt"]
        self.argv += ["--io", io] if io else []
        self.env = {**os.environ, **(env or {})}
        for tool in ("ASAN", "UBSAN", "TSAN"):
            self.env[f"{tool}_OPTIONS"] = f"{self.env.get(f'{tool}_OPTIONS', '')}:log_path={self.data}/sanitizer"
        # What a gateway still has when it ends is not taken apart yet; what a life leaves is seen by its descriptors.
        self.env["ASAN_OPTIONS"] += ":detect_leaks=0"
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, *_):
        if self.process and self.process.poll() is None and kind is None:
            self.stop(signal.SIGINT)
        elif self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        assert not self.reports(), self.reports()

    # its life

    def reports(self):
        """What sanitizers have to say."""
        return "\n".join(harness.Platform.tail(p, 60) for p in sorted(self.data.glob("sanitizer.*")))

    def write_routes(self, routes):
        new = self.file.with_suffix(".new")
        new.write_text(routes.text())
        pg.own(new, 0o600)
        new.rename(self.file)
        self.routes = routes

    def start(self, ready=True):
        self.write_routes(self.routes)
        (self.data / "gateway.json").unlink(missing_ok=True)
        self.process = self.folder.start([*self.prefix, *self.argv], self.log, env=self.env)
        if ready:
            self.wait_ready()
        return self

    def wait_ready(self):
        def is_ready():
            if self.process.poll() is not None:
                raise RuntimeError(f"the gateway ended with {self.process.returncode}: {self.text()}")
            with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
                said = json.loads((self.data / "gateway.json").read_text())
                return said if self.prefix or said["pid"] == self.process.pid else None
        said = harness.wait_for("the gateway to be ready", is_ready)
        self.pid, self.io = said["pid"], said.get("io")
        self.host, port = said["address"].rsplit(":", 1)
        self.port = int(port)

    def reload(self, routes):
        """Hands it other routes; what they mean happens soon, not at once."""
        self.write_routes(routes)
        os.kill(self.pid, signal.SIGHUP)

    def hold(self, name=DATABASE, **more):
        """Begins a hold; its id, which wait_hold wants."""
        self.reload(self.routes.hold(name, **more))
        return self.routes.databases[name]["hold"]["id"]

    def wait_hold(self, state, id, name=DATABASE, timeout=30):
        """Until the gateway has said that a hold is warming, holding, held or refused."""
        harness.wait_for(f"the hold to be {state}", lambda: f"database={name} state={state} id={id} " in self.text(), timeout, every=0.002)

    def switch(self, to, name=DATABASE, **more):
        """A planned switch, with its hold."""
        self.wait_hold("held", self.hold(name, next=to, **more), name)
        self.reload(self.routes.switch(to, name))

    def stop(self, sig=signal.SIGTERM, timeout=20):
        self.process.send_signal(sig)
        assert self.process.wait(timeout) == 0, self.text() + self.reports()

    # what is seen of it

    def text(self):
        return self.folder.text(self.log)

    def fds(self):
        """{descriptor: what it is} of the process."""
        found = {}
        for fd in os.listdir(f"/proc/{self.pid}/fd"):
            with contextlib.suppress(OSError):
                found[int(fd)] = os.readlink(f"/proc/{self.pid}/fd/{fd}")
        return found

    def sockets(self):
        return sum(what.startswith("socket:") for what in self.fds().values())

    def rss(self):
        return int(pathlib.Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def admin(self, statement):
        """Rows of the admin database, as dicts."""
        with self.connect("slipway", ADMIN, ADMIN_PASSWORD, row_factory=psycopg.rows.dict_row,
                          cursor_factory=psycopg.ClientCursor) as c:
            return c.execute(statement).fetchall()

    # its clients

    def options(self, database=DATABASE, user="app", password=None, **more):
        """libpq's words for a connection."""
        return {"host": self.host, "port": self.port, "dbname": database, "user": user,
                "password": password or pg.ROLES.get(user, ADMIN_PASSWORD), "connect_timeout": 10, "gssencmode": "disable",
                "sslmode": "disable", **more}

    def url(self, database=DATABASE, user="app", password=None, **more):
        return psycopg.conninfo.make_conninfo(**self.options(database, user, password, **more))

    def uri(self, database=DATABASE, user="app", password=None, **more):
        said = self.options(database, user, password, **more)
        quote = urllib.parse.quote
        rest = {k: v for k, v in said.items() if k not in ("host", "port", "dbname", "user", "password")}
        return (f"postgresql://{quote(said['user'])}:{quote(said['password'], safe='')}@{said['host']}:{said['port']}/"
                f"{quote(said['dbname'], safe='')}?{urllib.parse.urlencode(rest)}")

    def connect(self, database=DATABASE, user="app", password=None, *, autocommit=True, row_factory=None, cursor_factory=None,
                **more):
        kw = {k: v for k, v in (("row_factory", row_factory), ("cursor_factory", cursor_factory)) if v}
        return psycopg.connect(self.url(database, user, password, **more), autocommit=autocommit, **kw)

    def env_of(self, database=DATABASE, user="app", password=None, **more):
        """The environment of a program that uses libpq."""
        names = {"host": "PGHOST", "port": "PGPORT", "dbname": "PGDATABASE", "user": "PGUSER", "password": "PGPASSWORD",
                 "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "gssencmode": "PGGSSENCMODE",
                 "connect_timeout": "PGCONNECT_TIMEOUT", "options": "PGOPTIONS", "application_name": "PGAPPNAME"}
        said = self.options(database, user, password, **more)
        return {**os.environ, "PSQLRC": "/dev/null", "PAGER": "", **{names[k]: str(v) for k, v in said.items()}}


def timed(f):
    """What a call gave, and its seconds."""
    start = time.monotonic()
    return f(), time.monotonic() - start
