"""PostgreSQL servers on TCP for tests and benches of the gateway: certificates, roles, standbys, SCRAM verifiers.

    with servers.Folder() as folder:
        server = pg.Server(folder, 15, certs=pg.Certificates(folder.path / "pki"))
        standby = pg.Server(folder, 15, "standby", standby_of=server, certs=server.certs)

A server of itself has the databases orders and reporting, and the login roles of ROLES with their passwords.
"""
import base64
import hashlib
import hmac
import os
import pathlib
import pwd
import shutil
import signal
import socket

import psycopg

import harness
import servers

ROLES = {"app": "app's password", "other": "other's password", "reader": "reader's password"}
DATABASES = ("orders", "reporting")
GATEWAY = "/O=slipway:gateways/CN=gateway"
SERVER_SALT = b"sixteen of bytes"
# pg_hba.conf by what it lets in: the gateway by its certificate, passwords besides; a bench needs no TLS between both.
BY_CERTIFICATE = """
local all all trust
hostssl orders,reporting,postgres app,other,reader 127.0.0.0/8 cert clientname=DN map=slipway_gateway
hostnossl all all 127.0.0.0/8 scram-sha-256
hostnossl replication all 127.0.0.0/8 trust
"""
BY_TRUST = """
local all all trust
host all all 127.0.0.0/8 trust
host replication all 127.0.0.0/8 trust
"""
BY_MD5 = BY_TRUST.replace("host all all 127.0.0.0/8 trust", "host all all 127.0.0.0/8 md5")
BY_SCRAM = BY_TRUST.replace("host all all 127.0.0.0/8 trust", "host all all 127.0.0.0/8 scram-sha-256")


def verifier(password, salt=SERVER_SALT, iterations=4096):
    """What PostgreSQL keeps of a password, and what a gateway is given."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    client, server = (hmac.digest(salted, name, "sha256") for name in (b"Client Key", b"Server Key"))
    salt, stored, server = (base64.b64encode(b).decode() for b in (salt, hashlib.sha256(client).digest(), server))
    return f"SCRAM-SHA-256${iterations}:{salt}${stored}:{server}"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def own(path, mode):
    """Gives a file or folder to the unprivileged user, where we are root."""
    os.chmod(path, mode)
    if os.geteuid() == 0:
        shutil.chown(path, harness.USER, pwd.getpwnam(harness.USER).pw_gid)


class Certificates:
    """A CA (ca.crt), and what it vouches for: NAME.crt and NAME.key, for 127.0.0.1 as server and client."""

    def __init__(self, path):
        self.path = path
        path.mkdir(mode=0o755)
        own(path, 0o755)
        self.openssl("-subj", "/CN=ca", "-addext", "basicConstraints=critical,CA:TRUE",
                     "-keyout", path / "ca.key", "-out", path / "ca.crt")
        self.make("gateway", GATEWAY)
        self.make("server", "/CN=server")

    @staticmethod
    def openssl(*argv):
        harness.call(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                      "-days", "2", *argv])

    def make(self, name, subject):
        self.openssl("-subj", subject, "-CA", self.path / "ca.crt", "-CAkey", self.path / "ca.key",
                     "-addext", "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=serverAuth,clientAuth",
                     "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
                     "-keyout", self.key(name), "-out", self.crt(name))
        own(self.crt(name), 0o644)
        own(self.key(name), 0o600)

    def crt(self, name):
        return self.path / f"{name}.crt"

    def key(self, name):
        return self.path / f"{name}.key"


class Server(servers.Postgres):
    """A server on 127.0.0.1 and a unix socket. standby_of: stops that one shortly, and follows it from then on;
    copy_of: has the data of that one, and is another."""

    def __init__(self, folder, major, name="pg", *, certs, hba=BY_CERTIFICATE, settings=None, standby_of=None, copy_of=None):
        self.folder, self.name, self.major, self.certs = folder, name, major, certs
        self.bin, self.data, self.port = servers.programs(major), folder.path / name, free_port()
        self.url = f"host={folder.path} port={self.port} user={harness.USER} dbname=postgres"
        source = standby_of or copy_of
        if source:
            source.stop()
            harness.call(servers.as_user("cp", "-a", source.data, self.data), timeout=300)
            source.start()
        else:
            harness.call(servers.as_user(f"{self.bin}/initdb", "-D", self.data, "-U", harness.USER, "-A", "trust", "-N",
                                         "-E", "UTF8", "--locale=C"), timeout=120)
        self.configure(hba, {"password_encryption": "scram-sha-256", "max_connections": 100, **(settings or {})}, standby_of)
        self.start()
        if not source:
            self.fill()

    def configure(self, hba, settings, primary=None):
        dn = "CN=gateway,O=slipway:gateways"
        if self.major < 14:  # which knows only the name
            hba, dn = hba.replace("clientname=DN ", ""), "gateway"
        self.write("pg_hba.conf", hba)
        self.write("pg_ident.conf", "".join(f'slipway_gateway "{dn}" {role}\n' for role in ROLES))
        lines = [f"{name} = '{value}'" for name, value in settings.items()]
        lines += ["listen_addresses = '127.0.0.1'", f"port = {self.port}", f"unix_socket_directories = '{self.folder.path}'",
                  "fsync = off", "ssl = on", f"ssl_ca_file = '{self.certs.path}/ca.crt'",
                  f"ssl_cert_file = '{self.certs.crt('server')}'", f"ssl_key_file = '{self.certs.key('server')}'"]
        if primary:
            lines += [f"primary_conninfo = 'host=127.0.0.1 port={primary.port} user={harness.USER}'"]
            self.write("standby.signal", "")
        self.write("postgresql.auto.conf", "\n".join([*lines, ""]))

    def write(self, name, text):
        (self.data / name).write_text(text)
        own(self.data / name, 0o600)

    def start(self):
        self.process = self.folder.start(servers.as_user(f"{self.bin}/postgres", "-D", self.data), f"{self.name}.log")
        harness.wait_for(f"PostgreSQL {self.name} to answer", lambda: self.sql("select 1"))

    def fill(self):
        for database in DATABASES:
            self.sql(f"create database {database}")
        for role, password in ROLES.items():
            self.sql(f"create role {role} login password '{verifier(password)}'")
            if self.major >= 15:
                for database in DATABASES:
                    self.sql("grant all on schema public to public", database)

    def kill(self):
        """As a crash of the machine: no process of it lives on, nothing is said to anybody."""
        for p in [p.pid for p in harness.every_process().values() if p.ppid == self.process.pid]:
            os.kill(p, signal.SIGKILL)
        self.process.kill()
        self.process.wait(10)

    def promote(self):
        self.sql("select pg_promote()")

    def caught_up(self, standby):
        """Waits until a standby has replayed all that is written here now."""
        at = self.sql("select pg_current_wal_lsn()")[0][0]
        harness.wait_for("the standby to catch up", lambda: standby.sql(f"select pg_last_wal_replay_lsn() >= '{at}'")[0][0])

    def sql(self, text, database="postgres"):
        with psycopg.connect(self.url, dbname=database, connect_timeout=5, autocommit=True) as c:
            done = c.execute(text)
            return done.fetchall() if done.description else []

    def member(self, role="primary", tls="verify-ca"):
        """What routes say of it."""
        return {"name": self.name, "host": "127.0.0.1", "port": self.port, "role": role, "lagBytes": 0, "tls": tls}
