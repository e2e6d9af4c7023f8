"""Whatever bytes arrive, the gateway answers them with an error or closes, and goes on serving everybody else.

After what befell PgBouncer and Odyssey: CVE-2021-3935 (bytes that come before TLS taken as if they had come through it),
CVE-2015-4054 (a crash by a login without a startup), CVE-2012-4575 (a crash by a long name of a database), CVE-2025-2291
(a password past its VALID UNTIL), CVE-2025-12819 (search_path of the client in the query that looks for its password).
"""
import contextlib
import random
import socket
import struct

import psycopg
import pytest

import harness
import own_gateway
import pg
import wire


@pytest.fixture(scope="module")
def stage():
    with own_gateway.Stage() as s:
        yield s


@pytest.fixture
def gateway(stage):
    """The gateway, which serves others as before when the test is over, and holds nothing of the test's."""
    gateway = stage.gateway
    with gateway.connect("shop.session") as c:  # a server connection that stays
        c.execute("select 1")
    with gateway.connect("shop.transaction") as c:
        c.execute("select 1")
    yield gateway
    assert gateway.process.poll() is None, gateway.text()
    for mode in own_gateway.MODES:
        with gateway.connect(f"shop.{mode}") as c:
            assert c.execute("select 42").fetchone() == (42,)
    harness.wait_for("the sockets of the test to be closed", lambda: not clients_of(gateway))


def clients_of(gateway):
    """Addresses of those who are connected to the gateway."""
    local, found = f"{gateway.port:04X}", []
    inodes = {what for what in gateway.fds().values()}
    for text in open("/proc/net/tcp").read().splitlines()[1:]:
        at = text.split()
        if at[1].endswith(f":{local}") and at[3] != "0A" and f"socket:[{at[9]}]" in inodes:
            found.append(at[2])
    return found


@pytest.fixture
def line(gateway):
    with wire.Line(gateway) as l:
        yield l


START = wire.startup(user="app", database="shop.transaction")


# before TLS

def test_bytes_before_tls_are_not_taken_as_encrypted(line):
    answer = b""
    with contextlib.suppress(OSError, ValueError):
        answer = line.start_tls(early=START)
    # Either it says no to TLS with an error, or the handshake meets the bytes; a login must not begin with them.
    assert answer in (b"", b"S", b"E")
    with contextlib.suppress(OSError, ValueError):
        assert line.next() is None or answer == b"E"


def test_a_query_behind_the_start_is_no_login(line):
    line.send(START, wire.query("select 1"))
    seen = line.until("EZ")
    assert set(type for type, body in seen) <= {"R", "E"}, seen
    assert line.is_closed()


@pytest.mark.parametrize("early", [
    wire.message("p", b"secret\0"), wire.message("p"), wire.query("select 1"), wire.parse("", "select 1"), wire.SYNC,
    wire.TERMINATE, wire.COPY_DONE, wire.message("d", b"x"), wire.message("f", b"no\0"), wire.message("F", b"\0" * 20)],
    ids=["password", "empty", "query", "parse", "sync", "terminate", "copy done", "copy data", "copy fail", "function call"])
def test_a_message_before_the_start_ends_the_connection(line, early):
    line.send(early)
    line.socket.shutdown(socket.SHUT_WR)
    assert line.is_closed()


@pytest.mark.parametrize("instead", [
    wire.query("select 1"), wire.SYNC, wire.TERMINATE, wire.message("p", b"x" * 5000), wire.message("p", b""),
    wire.message("p", b"SCRAM-SHA-1\0\0\0\0\0"), wire.message("p", b"SCRAM-SHA-256\0\xff\xff\xff\xff"),
    wire.message("p", b"SCRAM-SHA-256\0\x7f\xff\xff\xffn,,n=,r=x"), wire.message("p", b"SCRAM-SHA-256\0\0\0\0\x05n,,n="),
    wire.message("p", b"SCRAM-SHA-256\0\0\0\0\x03n,,"), wire.message("p", b"SCRAM-SHA-256\0\0\0\0\x0dy,,n=,r=abcde"),
    wire.message("p", b"SCRAM-SHA-256-PLUS\0\0\0\0\x0cp=tls-unique"), struct.pack("!ci", b"p", -1), struct.pack("!ci", b"p", 3),
    struct.pack("!ci", b"p", 2**31 - 1)],
    ids=range(15))
def test_what_is_no_answer_to_the_login_ends_it(line, instead):
    line.send(START)
    assert line.next()[0] == "R"
    line.send(instead)
    line.socket.shutdown(socket.SHUT_WR)
    seen = line.until("")
    assert all(type in "ERN" for type, body in seen), seen


# startup packets

@pytest.mark.parametrize("packet", [
    struct.pack("!ii", 8, 0), struct.pack("!ii", 4, 3 << 16), struct.pack("!i", 4), struct.pack("!i", 0), struct.pack("!i", -1),
    struct.pack("!ii", 2**31 - 1, 3 << 16), struct.pack("!ii", 10001, 3 << 16) + b"x" * 9993, struct.pack("!ii", 8, 2 << 16),
    struct.pack("!ii", 8, 4 << 16), struct.pack("!ii", 8, 3 << 16), struct.pack("!ii", 9, 3 << 16) + b"\0",
    struct.pack("!ii", 13, 3 << 16) + b"user\0", struct.pack("!ii", 14, 3 << 16) + b"user\0\0", struct.pack("!ii", 12, 3 << 16) + b"user",
    struct.pack("!ii", 20, 3 << 16) + b"\0" * 12, wire.startup(database="shop.session"), wire.startup(user=""),
    struct.pack("!iii", 12, 80877102, 1), struct.pack("!ii", 8, 80877102), struct.pack("!ii", 9, 80877103) + b"x",
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b"\xff" * 64],
    ids=range(23))
def test_an_odd_startup_packet_ends_the_connection(line, packet):
    line.send(packet)
    line.socket.shutdown(socket.SHUT_WR)
    seen = line.is_closed()
    assert seen


@pytest.mark.parametrize("length", [63, 64, 65, 127, 128, 1000, 9900])
@pytest.mark.parametrize("where", ["user", "database", "application_name", "unknown.name"])
def test_names_of_any_length_are_answered(line, where, length):
    params = {"user": "app", "database": "shop.session", where: "n" * length}
    line.send(wire.startup(**params))
    try:
        line.login("app's password")
        assert where in ("application_name", "unknown.name")
    except wire.Refused as e:
        assert e.fields["S"] == "FATAL"


def test_a_startup_of_ten_thousand_bytes_of_parameters_is_answered(line):
    # 10,000 bytes is what PostgreSQL takes.
    many = {f"p{i}": "" for i in range(1600)}
    line.send(wire.startup(user="app", database="shop.session", **many)[:9990])
    line.socket.shutdown(socket.SHUT_WR)
    assert line.is_closed()


def test_requests_for_encryption_end_some_time(line):
    with contextlib.suppress(OSError):
        for _ in range(100):
            line.send(wire.GSS_REQUEST)
            if line.bytes(1) != b"N":
                return
        pytest.fail("it answers forever")


def test_a_newer_protocol_is_negotiated_down(line):
    line.send(wire.startup(3 << 16 | 9, user="app", database="shop.session", **{"_pq_.nonsense": "1", "_pq_.more": "2"}))
    type, body = line.next()
    assert type == "v"
    newest, count = struct.unpack("!ii", body[:8])
    assert newest in (3 << 16, 3 << 16 | 2) and count == 2 and b"_pq_.nonsense\0" in body
    line.login("app's password")
    assert line.ask("select 1") == [["1"]]


# who is let in

def refusal(gateway, **params):
    with wire.Line(gateway) as line, pytest.raises(wire.Refused) as e:
        line.open(**params)
    return e.value.fields, line


def test_an_unknown_user_and_a_wrong_password_get_the_same_answer(gateway):
    known, _ = refusal(gateway, user="app", password="wrong", database="shop.session")
    unknown, _ = refusal(gateway, user="nobody", password="wrong", database="shop.session")
    assert known["C"] == unknown["C"] == "28P01"
    assert {k: v.replace("nobody", "app") for k, v in unknown.items()} == known


def test_an_unknown_user_is_asked_the_same_each_time(gateway):
    asked = []
    for user in ("nobody", "nobody", "app"):
        with wire.Line(gateway) as line:
            line.send(wire.startup(user=user, database="shop.session"))
            assert line.next()[0] == "R"
            first = b"n,,n=,r=0123456789abcdefghijklmn"
            line.send(wire.message("p", b"SCRAM-SHA-256\0" + struct.pack("!i", len(first)) + first))
            said = dict(part.split("=", 1) for part in line.next()[1][4:].decode().split(","))
            asked.append((said["s"], said["i"]))
    assert asked[0] == asked[1] and len(asked[0][0]) == len(asked[2][0]) and asked[0][1] == asked[2][1]


def test_what_a_role_may_not_reach_it_does_not(gateway):
    for database in ("shop.other", "session", "shop.session/nothing", "shop.session-rw", "slipway", "", "orders"):
        fields, _ = refusal(gateway, database=database)
        assert fields["S"] == "FATAL", database


def test_search_path_in_the_startup_reaches_no_query_but_the_clients(stage, gateway):
    """The gateway asks the server nothing about passwords; what a client sets is set for its own queries at most."""
    stage.server.sql("create schema if not exists trap; create or replace function trap.set_config(text, text, bool) returns text"
                     " language plpgsql as $$ begin raise exception 'trapped'; end $$; grant usage on schema trap to public", "orders")
    for path in ("trap, pg_catalog", "trap", "\"; drop table x; --"):
        with wire.Line(gateway) as line:
            try:
                line.open(database="shop.transaction", search_path=path)
                line.ask("select 1")
            except wire.Refused as e:
                assert "trapped" not in e.fields["M"]
    with gateway.connect("shop.transaction") as c:
        assert "trap" not in c.execute("show search_path").fetchone()[0]


def test_a_role_past_its_time_gets_no_further_than_the_server(stage, gateway):
    """VALID UNTIL is the password's, and who has none any more in the routes is not let in."""
    without = stage.routes
    for mode in own_gateway.MODES:
        without = without.change(name=f"shop.{mode}", roles=[own_gateway.Routes.role("app"), {"name": "other", "verifiers": []}])
    gateway.reload(without)
    harness.wait_for("the role to be refused", lambda: pytest.raises(psycopg.OperationalError, gateway.connect, "shop.session", "reader"))
    for user in ("reader", "other"):
        fields, _ = refusal(gateway, user=user, password=pg.ROLES[user], database="shop.session")
        assert fields["C"] == "28P01"
    gateway.reload(stage.routes)
    harness.wait_for("the role to be let in", lambda: gateway.connect("shop.session", "reader").close() is None)


# in a session

@pytest.mark.parametrize("bad", [
    struct.pack("!ci", b"Q", 0), struct.pack("!ci", b"Q", 3), struct.pack("!ci", b"Q", -1), struct.pack("!ci", b"Q", 2**31 - 1) + b"x" * 1000,
    wire.message("Q", b"no end"), wire.message("\x00"), wire.message("\xff"[:1]), wire.message("R", b"\0\0\0\0"), wire.message("P", b"x"),
    wire.message("B", b"\0\0\0"), wire.message("E", b""), wire.message("C", b"X\0"), wire.message("D", b"X"), wire.message("p", b"again\0"),
    START, wire.SSL_REQUEST],
    ids=range(16))
def test_a_bad_message_in_a_session_harms_it_alone(line, bad):
    line.open(database="shop.transaction")
    assert line.ask("select 1") == [["1"]]
    line.send(bad, wire.SYNC)
    line.socket.shutdown(socket.SHUT_WR)
    assert line.is_closed()


def test_partial_messages_are_put_together(line):
    line.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in wire.startup(user="app", database="shop.transaction"):
        line.send(bytes([byte]))
    line.login("app's password")
    for byte in wire.query("select 'byte by byte'") + wire.parse("a", "select $1::text") + wire.bind("", "a", "x") + wire.execute() + wire.SYNC:
        line.send(bytes([byte]))
    assert [wire.row(body) for type, body in line.until("Z") + line.until("Z") if type == "D"] == [["byte by byte"], ["x"]]


@pytest.mark.parametrize("mode", own_gateway.MODES)
def test_a_client_that_goes_in_the_middle_leaves_nothing(stage, gateway, mode):
    for half in (wire.query("select pg_sleep(0.2)"), wire.query("begin; select 1"), wire.query("copy pgbench_x from stdin")[:9],
                 wire.query("begin")[:7], wire.parse("a", "select 1"), wire.parse("a", "select 1") + wire.bind("", "a"),
                 wire.query("begin; create temp table t (a int); copy t from stdin") + wire.message("d", b"1\n"),
                 wire.query("select repeat('x', 1000000) from generate_series(1, 20)")):
        with wire.Line(gateway) as line:
            line.open(database=f"shop.{mode}")
            line.send(half)
    with gateway.connect(f"shop.{mode}") as c:
        assert c.execute("select count(*) from pg_prepared_statements where name = 'a'").fetchone() == (0,)

    def at_rest():
        left = stage.server.sql("select state, wait_event, query from pg_stat_activity where usename = 'app' and state <> 'idle'")
        assert not left, left
        return True
    harness.wait_for("the server to have nothing open", at_rest)


def test_a_half_closed_client_gets_its_answer(line):
    line.open(database="shop.transaction")
    line.send(wire.query("select pg_sleep(0.3), 'late'"))
    line.socket.shutdown(socket.SHUT_WR)
    assert ["", "late"] in [wire.row(body) for type, body in line.until("Z") if type == "D"]
    assert line.is_closed()


# cancels

def test_a_cancel_with_a_wrong_key_does_nothing(gateway):
    with wire.Line(gateway) as line:
        line.open(database="shop.transaction")
        pid, key = line.key
        line.send(wire.query("select pg_sleep(1), 'not cancelled'"))
        for wrong in (b"\0" * 4, bytes(b ^ 1 for b in key), b"", b"x" * 300, key[:3], key + b"\0"):
            with wire.Line(gateway) as other:
                other.send(wire.cancel(pid, wrong))
                assert other.is_closed()
        assert ["", "not cancelled"] in [wire.row(body) for type, body in line.until("Z") if type == "D"]


def test_a_flood_of_cancels_harms_nobody(gateway):
    with wire.Line(gateway) as line, wire.Line(gateway) as idle:
        line.open(database="shop.transaction")
        idle.open(database="shop.transaction")
        for i in range(300):
            with wire.Line(gateway) as other:
                other.send(wire.cancel(*(idle.key if i % 2 else (i, b"abcd"))))
        for i in range(50):
            assert line.ask(f"select {i}") == [[str(i)]]
        # A cancel that found the client idle must not hit what it asks afterwards.
        assert idle.ask("select pg_sleep(0.2), 1") == [["", "1"]]


# many at once

def test_a_storm_of_logins_is_slowed_but_not_fatal(gateway):
    lines = [wire.Line(gateway) for _ in range(200)]
    for each in lines:
        each.send(START)
    good = sum(each.login("app's password") is each for each in lines)
    assert good == 200
    assert lines[-1].ask("select 1") == [["1"]]
    for each in lines:
        each.socket.close()


def test_random_connections_leave_nothing(stage, gateway):
    """A few of the million that script/bench soaks with."""
    dice = random.Random(4711)
    before, sockets = gateway.rss(), gateway.sockets()
    for _ in range(600):
        with wire.Line(gateway) as line, contextlib.suppress(OSError, wire.Refused, AssertionError):
            random_life(line, dice)
    harness.wait_for("the sockets to be closed", lambda: not clients_of(gateway))
    assert gateway.sockets() <= sockets + 20  # warm connections to the server
    assert gateway.rss() < before + (64 << 20)


def random_life(line, dice):
    if dice.random() < 0.2:
        line.send(dice.choice([wire.SSL_REQUEST, wire.GSS_REQUEST]))
        line.bytes(1)
    if dice.random() < 0.2:
        return line.send(dice.randbytes(dice.randrange(1, 200)))
    start = wire.startup(user=dice.choice(["app", "nobody"]), database=dice.choice(["shop.session", "shop.transaction", "shop.none"]))
    if dice.random() < 0.2:
        return line.send(start[:dice.randrange(len(start))])
    line.send(start)
    if dice.random() < 0.2:
        return None
    line.login(dice.choice(["app's password", "wrong"]))
    told = wire.query("select 1") + wire.parse("a", "select 2") + wire.bind("", "a") + wire.execute() + wire.SYNC
    line.send(told[:dice.randrange(1, len(told))] if dice.random() < 0.5 else told + wire.TERMINATE)
