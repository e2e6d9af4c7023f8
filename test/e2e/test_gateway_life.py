"""A gateway's own life: how it starts, ends and hears of other routes; the limits of its pools; what it tells of itself."""
import concurrent.futures
import contextlib
import json
import os
import select
import signal

import psycopg
import pytest

import harness
import own_gateway
import pg
import servers

DB = "shop.orders"


@pytest.fixture(scope="module")
def site():
    """A primary, a standby, and certificates; each test starts a gateway of its own."""
    with servers.Folder() as folder:
        folder.certs = pg.Certificates(folder.path / "pki")
        folder.primary = pg.Server(folder, 15, "orders-1", certs=folder.certs)
        folder.standby = pg.Server(folder, 15, "orders-2", certs=folder.certs, standby_of=folder.primary)
        yield folder


@pytest.fixture
def start(site):
    """A function that starts a gateway before both servers."""
    with contextlib.ExitStack() as all:
        def call(*argv, io=None, servers=None, **fields):
            routes = own_gateway.Routes().database(DB, *(servers or (site.primary, site.standby)), **fields)
            return all.enter_context(own_gateway.Gateway(site, routes, *argv, certs=site.certs, io=io))
        yield call


def one(c, sql="select 1"):
    return c.execute(sql).fetchone()[0]


def is_refused(f, *argv):
    """Whether a call ends with the connection lost or refused."""
    try:
        f(*argv)
    except psycopg.OperationalError:
        return True
    return False


# start and end

@pytest.mark.parametrize("io", ["epoll", "uring"])
def test_it_serves_by_either_kind_of_loop(start, io):
    gateway = start(io=io)
    said = json.loads((gateway.data / "gateway.json").read_text())
    assert said["io"] in (io, "io_uring" if io == "uring" else io) and said["pid"] == gateway.pid
    with gateway.connect(DB, sslmode="require") as c:
        assert one(c) == 1


def test_sigterm_lets_transactions_end_and_takes_no_more(start):
    gateway = start(mode="session")
    idle, busy = gateway.connect(DB), gateway.connect(DB, autocommit=False)
    assert one(idle) == one(busy) == 1
    gateway.process.send_signal(signal.SIGTERM)
    harness.wait_for("the idle one to be sent away", lambda: is_refused(one, idle))
    assert one(busy, "select 2") == 2
    busy.commit()
    assert gateway.process.wait(20) == 0
    idle.close()
    busy.close()


def test_sigint_ends_at_once(start):
    gateway = start()
    with contextlib.suppress(psycopg.Error), gateway.connect(DB, autocommit=False) as c:
        assert one(c) == 1
        gateway.stop(signal.SIGINT, timeout=5)


def test_it_drops_root(start):
    gateway = start()
    if os.geteuid():
        pytest.skip("only root has it to drop")
    assert os.stat(f"/proc/{gateway.pid}").st_uid != 0


@pytest.mark.parametrize("routes", ["", "{", "[]", '{"databases": 1}', '{"databases": [{}]}',
                                    '{"databases": [{"name": "a.b", "mode": "statement"}]}'])
def test_a_bad_file_of_routes_keeps_the_old_ones(start, routes):
    gateway = start()
    before = len(gateway.text())
    gateway.file.write_text(routes)
    os.kill(gateway.pid, signal.SIGHUP)
    harness.wait_for("the reason in the log", lambda: "level=error" in gateway.text()[before:] or "level=warn" in gateway.text()[before:])
    with gateway.connect(DB) as c:
        assert one(c) == 1


def test_a_reload_adds_and_takes_away_without_dropping_others(start):
    gateway = start()
    with gateway.connect(DB) as kept:
        one(kept)
        gateway.reload(gateway.routes.database("shop.second", gateway.folder.primary))
        harness.wait_for("the second database", lambda: one(gateway.connect("shop.second")) == 1)
        gone = gateway.connect("shop.second")
        one(gone)
        gateway.reload(gateway.routes.without("shop.second"))
        harness.wait_for("the second to be gone", lambda: is_refused(one, gone))
        assert one(kept) == 1


def test_a_password_that_rotates_is_good_with_its_successor(start):
    gateway = start()
    role = {"name": "app", "verifiers": [pg.verifier("new one"), pg.verifier(pg.ROLES["app"])], "connections": -1}
    gateway.reload(gateway.routes.change(name=DB, roles=[role]))
    harness.wait_for("the new password", lambda: one(gateway.connect(DB, "app", "new one")) == 1)
    assert one(gateway.connect(DB)) == 1
    gateway.reload(gateway.routes.change(name=DB, roles=[{**role, "verifiers": [pg.verifier("new one")]}]))
    harness.wait_for("the old password to be refused", lambda: is_refused(gateway.connect, DB))
    assert one(gateway.connect(DB, "app", "new one")) == 1


# entering

def test_where_tls_is_required_nobody_enters_without(start):
    gateway = start(tls="require")
    with pytest.raises(psycopg.OperationalError, match="encrypt|TLS|SSL"):
        gateway.connect(DB)
    with gateway.connect(DB, sslmode="require", channel_binding="require") as c:
        assert one(c) == 1


@pytest.mark.parametrize("hba", [pg.BY_SCRAM, pg.BY_MD5], ids=["scram", "md5"])
def test_an_external_server_is_entered_by_password(start, site, hba):
    with servers.Folder() as folder:
        external = pg.Server(folder, 15, "external", certs=site.certs, hba=hba)
        external.sql(f"set password_encryption to '{'md5' if hba == pg.BY_MD5 else 'scram-sha-256'}'; alter role app password 'of the server'")
        gateway = start(servers=(external,), server={"auth": "password", "user": "app", "password": "of the server"}, member_tls="require")
        with gateway.connect(DB) as c:
            assert one(c, "select current_user") == "app"
        assert "of the server" not in gateway.text()


def test_a_member_that_another_ca_vouches_for_is_not_entered(start, site):
    with servers.Folder() as folder:
        stranger = pg.Server(folder, 15, "stranger", certs=pg.Certificates(folder.path / "pki"))
        gateway = start(servers=(stranger,), pool={"queueMs": 500})
        with pytest.raises(psycopg.OperationalError):
            one(gateway.connect(DB))


@pytest.mark.parametrize("major", [13, 14, 16, 17, 18])
def test_each_major_is_served(start, site, major):
    with servers.Folder() as folder:
        server = pg.Server(folder, major, "other", certs=site.certs)
        gateway = start(servers=(server,), mode="transaction")
        with gateway.connect(DB) as c:
            for i in range(3):
                assert c.execute("select %s::int, current_setting('server_version_num')::int / 10000", (i,), prepare=True).fetchone() == (i, major)
            assert c.info.server_version // 10000 == major


# read-only

def is_standby(c):
    return one(c, "select pg_is_in_recovery()")


@pytest.mark.parametrize("mode", own_gateway.MODES)
def test_the_read_only_name_is_served_by_a_standby(start, mode):
    gateway = start(mode=mode)
    with gateway.connect(DB) as c, gateway.connect(f"{DB}-ro") as reader:
        assert not is_standby(c) and is_standby(reader)


def test_a_standby_that_lags_too_far_serves_nobody(start):
    gateway = start(pool={"queueMs": 500, "maxLagBytes": 1000})
    far = [{**m, "lagBytes": 5000 if m["role"] == "standby" else 0} for m in gateway.routes.databases[DB]["members"]]
    gateway.reload(gateway.routes.change(name=DB, members=far))

    def reads():
        with gateway.connect(f"{DB}-ro") as c:
            assert not is_standby(c)
            raise psycopg.OperationalError("the primary")
    harness.wait_for("the standby to be left", lambda: is_refused(reads))


# pools

def test_a_pool_has_so_many_servers_and_the_rest_wait(start, site):
    gateway = start(mode="transaction", pool={"size": 2, "reserve": 0})
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        def work():
            with gateway.connect(DB, application_name="sized") as c:
                return one(c, "select count(*) from pg_stat_activity where usename = 'app' and pg_sleep(0.2) is not null")
        assert max(f.result() for f in [pool.submit(work) for _ in range(8)]) <= 2


def test_who_waits_too_long_is_told_why(start):
    gateway = start(mode="transaction", pool={"size": 1, "reserve": 0, "queueMs": 300})
    with gateway.connect(DB, autocommit=False) as holder:
        one(holder)
        with pytest.raises(psycopg.OperationalError) as e:
            with gateway.connect(DB) as c:
                one(c)
        assert "pool" in str(e.value) or "wait" in str(e.value), e.value
        holder.rollback()


def test_the_reserve_serves_who_has_waited_for_a_while(start):
    gateway = start(mode="transaction", pool={"size": 1, "reserve": 1, "reserveAfterMs": 100, "queueMs": 5000})
    with gateway.connect(DB, autocommit=False) as holder, gateway.connect(DB) as c:
        one(holder)
        assert one(c) == 1
        holder.rollback()


@pytest.mark.parametrize("fields", [{"pool": {"clients": 2}}, {"roles": [own_gateway.Routes.role("app", connections=2)]}],
                         ids=["of the database", "of a role"])
def test_there_are_no_more_clients_than_allowed(start, fields):
    gateway = start(**fields)
    with gateway.connect(DB), gateway.connect(DB) as second:
        with pytest.raises(psycopg.OperationalError, match="already"):
            gateway.connect(DB)
        second.close()
        harness.wait_for("the place to be free", lambda: gateway.connect(DB).close() is None)


def test_a_pool_keeps_connections_warm(start, site):
    gateway = start(mode="transaction", pool={"min": 3, "size": 5})
    with gateway.connect(DB) as c:
        one(c)
    harness.wait_for("three connections", lambda: site.primary.sql(
        "select count(*) from pg_stat_activity where usename = 'app' and state = 'idle'")[0][0] >= 3)


def test_an_idle_client_is_sent_away_after_its_time(start):
    gateway = start(pool={"clientIdleS": 1})
    with gateway.connect(DB) as c:
        one(c)
        with pytest.raises(psycopg.OperationalError) as e:
            select.select([c.fileno()], [], [], 10)  # until something comes from the other end
            one(c)
        assert e.value.sqlstate in ("57P05", "57P01", None)


# what it tells

@pytest.mark.parametrize("what", ["POOLS", "CLIENTS", "SERVERS", "STATS", "ROUTES", "VERSION", "HELP"])
def test_the_admin_database_shows(start, what):
    gateway = start()
    with gateway.connect(DB, application_name="seen") as c:
        one(c)
        assert gateway.admin(f"SHOW {what}")
        if what == "CLIENTS":
            assert [r["application_name"] for r in gateway.admin("show clients;") if r["database"] == DB] == ["seen"]


def test_the_admin_database_is_for_admins(start):
    gateway = start()
    with pytest.raises(psycopg.OperationalError):
        gateway.connect("slipway")
    with pytest.raises(psycopg.OperationalError):
        gateway.connect(DB, own_gateway.ADMIN, own_gateway.ADMIN_PASSWORD)


def test_a_session_has_one_line_in_the_log(start):
    gateway = start()
    with gateway.connect(DB, application_name="logged") as c:
        one(c)
    harness.wait_for("the line", lambda: [line for line in gateway.text().splitlines() if "client said goodbye" in line])
    assert pg.ROLES["app"] not in gateway.text() and "SCRAM-SHA-256$" not in gateway.text()
