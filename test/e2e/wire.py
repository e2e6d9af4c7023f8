"""A PostgreSQL client of bare bytes, for what no honest client does: half messages, floods, silence.

    with wire.Line(gateway) as line:
        line.send(wire.startup(user="app", database="shop.orders"))
        line.login("app's password")
        line.send(wire.query("select 1"))
        assert [type for type, body in line.until("Z")] == ["T", "D", "C", "Z"]
"""
import base64
import functools
import hashlib
import hmac
import random
import socket
import ssl
import struct

SSL_REQUEST = struct.pack("!ii", 8, 80877103)
GSS_REQUEST = struct.pack("!ii", 8, 80877104)


def startup(version=3 << 16, **params):
    body = struct.pack("!i", version) + b"".join(k.encode() + b"\0" + v.encode() + b"\0" for k, v in params.items()) + b"\0"
    return struct.pack("!i", len(body) + 4) + body


def cancel(pid, key):
    return struct.pack("!iii", 12 + len(key), 80877102, pid) + key


def message(type, body=b""):
    return type.encode() + struct.pack("!i", len(body) + 4) + body


def query(sql):
    return message("Q", sql.encode() + b"\0")


def parse(name, sql):
    return message("P", name.encode() + b"\0" + sql.encode() + b"\0" + struct.pack("!h", 0))


def bind(portal, name, *values):
    body = b"".join(struct.pack("!i", len(v)) + v for v in (v.encode() for v in values))
    return message("B", portal.encode() + b"\0" + name.encode() + b"\0" + struct.pack("!hh", 0, len(values)) + body + struct.pack("!h", 0))


def execute(portal="", rows=0):
    return message("E", portal.encode() + b"\0" + struct.pack("!i", rows))


SYNC, TERMINATE, COPY_DONE = message("S"), message("X"), message("c")


def fields(body):
    """{field: text} of an ErrorResponse or NoticeResponse."""
    return {chr(f[0]): f[1:].decode() for f in body.split(b"\0") if f}


@functools.lru_cache
def salted(password, salt, iterations):
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)


class Refused(Exception):
    """The other end answered with an error; fields has what it says."""

    def __init__(self, body):
        self.fields = fields(body)
        super().__init__(f"{self.fields.get('C')}: {self.fields.get('M')}")


class Line:
    def __init__(self, gateway, timeout=20, rcvbuf=None):
        self.socket = socket.socket()
        self.socket.settimeout(timeout)
        if rcvbuf:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        # Failures count against an address: each line has one of its own.
        self.socket.bind((f"127.{random.randrange(1, 255)}.{random.randrange(256)}.{random.randrange(1, 255)}", 0))
        self.socket.connect((gateway.host, gateway.port))
        self.rest, self.parameters, self.key = bytearray(), {}, None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, *parts):
        self.socket.sendall(b"".join(parts))

    def bytes(self, n):
        """n bytes, or those before the other end closed."""
        while len(self.rest) < n:
            got = self.recv()
            if not got:
                break
            self.rest += got
        got = bytes(self.rest[:n])
        del self.rest[:n]
        return got

    def recv(self):
        try:
            return self.socket.recv(65536)
        except (ConnectionResetError, BrokenPipeError):
            return b""

    def next(self):
        """(type, body) of a message; None when the other end has closed."""
        head = self.bytes(5)
        if len(head) < 5:
            return None
        return chr(head[0]), self.bytes(struct.unpack("!i", head[1:])[0] - 4)

    def until(self, types):
        """The messages up to one of these types, or up to the end."""
        seen = []
        while (found := self.next()):
            seen.append(found)
            if found[0] in types:
                break
        return seen

    def is_closed(self):
        """Waits for the other end to close, whatever it says before."""
        while self.recv():
            pass
        return True

    def error(self):
        """The fields of the error that comes next; it is an AssertionError when none does."""
        seen = self.until("E")
        assert seen and seen[-1][0] == "E", f"no error, but {seen}"
        return fields(seen[-1][1])

    def start_tls(self, context=None, early=b""):
        """SSLRequest, what is sent too early, and TLS if it is wanted; the byte of the answer."""
        self.send(SSL_REQUEST + early)
        answer = self.bytes(1)
        if answer == b"S":
            if not context:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket)
        return answer

    def open(self, user="app", password="app's password", database="shop.orders", **params):
        """Startup and login."""
        self.send(startup(user=user, database=database, **params))
        return self.login(password)

    def login(self, password, nonce="0123456789abcdefghijklmn"):
        """Answers what is asked by SCRAM-SHA-256, until ReadyForQuery. Refused when the answer is no."""
        first = b""
        while (found := self.next()):
            type, body = found
            kind = struct.unpack("!i", body[:4])[0] if type == "R" else None
            if type == "E":
                raise Refused(body)
            if kind == 10:
                assert b"SCRAM-SHA-256\0" in body
                first = f"n=,r={nonce}".encode()
                self.send(message("p", b"SCRAM-SHA-256\0" + struct.pack("!i", len(first) + 3) + b"n,," + first))
            elif kind == 11:
                self.send(message("p", proof(password, first, body[4:])))
            elif type == "S":
                name, value = body[:-1].split(b"\0", 1)
                self.parameters[name.decode()] = value.decode()
            elif type == "K":
                self.key = struct.unpack("!i", body[:4])[0], body[4:]
            elif type == "Z":
                return self
        raise ConnectionError("the other end closed during the login")

    def ask(self, sql):
        """Rows of a simple query, as lists of texts."""
        self.send(query(sql))
        found = []
        for type, body in self.until("Z"):
            if type == "E":
                self.until("Z")
                raise Refused(body)
            if type == "D":
                found.append(row(body))
        return found


def row(body):
    at, values = 2, []
    for _ in range(struct.unpack("!h", body[:2])[0]):
        n = struct.unpack("!i", body[at:at + 4])[0]
        values.append(None if n < 0 else body[at + 4:at + 4 + n].decode())
        at += 4 + max(n, 0)
    return values


def proof(password, first, answer):
    """The last message of the client: RFC 5802, section 3."""
    said = dict(part.split("=", 1) for part in answer.decode().split(","))
    key = hmac.digest(salted(password, base64.b64decode(said["s"]), int(said["i"])), b"Client Key", "sha256")
    final = f"c=biws,r={said['r']}".encode()
    mark = hmac.digest(hashlib.sha256(key).digest(), first + b"," + answer + b"," + final, "sha256")
    return final + b",p=" + base64.b64encode(bytes(a ^ b for a, b in zip(key, mark)))
