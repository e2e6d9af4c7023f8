"""Real clients of PostgreSQL find PostgreSQL behind the gateway, in both pool modes."""
import concurrent.futures
import pathlib
import threading

import psycopg
import pytest

import harness
import own_gateway

LIBPQ_CLIENT = harness.ROOT / 'build/asan/test/e2e/libpq_client'
NOT_YET = {"copies_go_in_by_the_extended_protocol": own_gateway.MODES, "a_name_is_prepared_once": ("transaction",)}
NODE = pathlib.Path(__file__).parent / "node/clients.js"


@pytest.fixture(scope="module")
def stage():
    with own_gateway.Stage() as s:
        yield s


@pytest.fixture(scope="module", params=own_gateway.MODES)
def mode(request):
    return request.param


@pytest.fixture(scope="module")
def database(stage, mode):
    return f"shop.{mode}"


@pytest.fixture
def connect(stage, database):
    """A function that connects to the gateway."""
    def call(**kw):
        return stage.gateway.connect(database, **kw)
    return call


@pytest.fixture
def run(stage, database):
    """A function that runs a program of libpq's against the gateway."""
    def call(*argv, user="app", **kw):
        return harness.call(argv, env=stage.gateway.env_of(database, user), timeout=60, **kw)
    return call


def psql(run, text, **kw):
    return run("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", input=text, **kw).out


# psql

def test_psql_runs_a_script(run):
    assert psql(run, "select 1;\nbegin;\ncreate temp table t (a int) on commit drop;\ninsert into t values (7) returning a;\n"
                "commit;\nselect current_user, current_database();\n") == "1\n7\napp|orders\n"


def test_psql_describes_and_expands(run):
    psql(run, "create table if not exists described (id int primary key, name text);")
    said = psql(run, "\\d described\n\\x on\nselect 5 as five \\gdesc\nselect 6 as six;\n")
    assert "id|integer" in said and "Column|five\nType|integer" in said and "six|6" in said


def test_psql_copies_in_and_out(run, tmp_path):
    rows = "".join(f"{i}\trow {i}\n" for i in range(20000))
    (tmp_path / "rows").write_text(rows)
    out = psql(run, "begin;\ncreate temp table t (a int, b text) on commit drop;\n"
               f"\\copy t from '{tmp_path}/rows'\n\\copy (select * from t order by a) to '{tmp_path}/out'\n"
               "select count(*) from t;\ncommit;\n")
    assert out == "20000\n" and (tmp_path / "out").read_text() == rows


def test_psql_keeps_its_session_after_an_error(run):
    done = run("psql", "-XAtq", input="select 1/0;\nbegin;\nselect nothing;\nselect 2;\nrollback;\nselect 3;\n")
    assert done.out == "3\n"
    assert "division by zero" in done.err and "current transaction is aborted" in done.err


# pgbench

@pytest.mark.parametrize("protocol", ["simple", "extended", "prepared"])
def test_pgbench_ends_without_an_error(run, stage, protocol):
    run("pgbench", "-i", "-q", "-s", 1)
    said = run("pgbench", "-n", "-M", protocol, "-c", 8, "-j", 2, "-t", 100, "--max-tries", 1)
    assert "number of transactions actually processed: 800/800" in said.out, str(said)
    tellers, branches, log = stage.server.sql("select (select sum(tbalance) from pgbench_tellers),"
                                              " (select sum(bbalance) from pgbench_branches), (select count(*) from pgbench_history)",
                                              "orders")[0]
    assert (tellers, log) == (branches, 800)


# psycopg

def test_psycopg_prepares_many_statements(connect, mode):
    if mode == "transaction":
        pytest.xfail("DEALLOCATE name, which psycopg says in SQL, is not understood in pools of transactions yet")
    with connect() as c:
        for i in range(300):
            assert c.execute(f"select {i % 150} + %s", (i,), prepare=True).fetchone() == (i % 150 + i,)
        assert c.execute("select 1").fetchone() == (1,)


def test_psycopg_forgets_and_prepares_again(connect):
    with connect() as c:
        for i in range(5):
            assert c.execute("select %s::text", (str(i),), prepare=True).fetchone() == (str(i),)
            c.execute("drop table if exists nothing")  # psycopg says DEALLOCATE ALL then


def test_clients_prepare_the_same_names_for_other_statements(connect):
    clients = [connect() for _ in range(8)]
    try:
        for again in range(3):
            for i, c in enumerate(clients):
                assert c.execute(f"select {i}::int, %s::int", (again,), prepare=True).fetchone() == (i, again)
    finally:
        for c in clients:
            c.close()


def test_psycopg_works_in_pipelines(connect):
    with connect() as c, c.pipeline():
        cursors = [c.execute("select %s::int", (i,), prepare=i % 2 == 0) for i in range(200)]
        assert [cur.fetchone()[0] for cur in cursors] == list(range(200))


def test_an_error_in_a_pipeline_ends_at_the_sync(connect):
    with connect() as c:
        with pytest.raises(psycopg.errors.DivisionByZero), c.pipeline():
            c.execute("select 1 / 0")
            c.execute("select 2")
        assert c.execute("select 3").fetchone() == (3,)


def test_psycopg_reads_by_cursors_of_the_server(connect):
    with connect(autocommit=False) as c, c.cursor("reading") as cur:
        cur.itersize = 1000
        cur.execute("select generate_series(1, 10000)")
        assert sum(row[0] for row in cur) == 50005000


def test_psycopg_copies_binary_both_ways(connect):
    with connect(autocommit=False) as c, c.cursor() as cur:
        cur.execute("create temp table t (a int, b text) on commit drop")
        with cur.copy("copy t from stdin (format binary)") as copy:
            copy.set_types(["int4", "text"])
            for i in range(5000):
                copy.write_row((i, "x" * (i % 50)))
        with cur.copy("copy (select count(*), sum(length(b)) from t) to stdout") as copy:
            assert list(copy.rows()) == [("5000", str(100 * sum(range(50))))]


def test_a_copy_that_the_server_refuses_leaves_the_session(connect):
    with connect(autocommit=False) as c, c.cursor() as cur:
        cur.execute("create temp table t (a int) on commit drop")
        with pytest.raises(psycopg.errors.InvalidTextRepresentation), cur.copy("copy t from stdin") as copy:
            for _ in range(1000):
                copy.write(b"no number\n")
        c.rollback()
        assert c.execute("select 1").fetchone() == (1,)


def test_large_values_pass_both_ways(connect):
    big = "0123456789abcdef" * (1 << 18)
    with connect() as c:
        assert c.execute("select %s::text, length(%s::text)", (big, big)).fetchone() == (big, len(big))


def test_a_session_has_its_settings(connect):
    with connect(application_name="first") as c:
        assert c.info.parameter_status("application_name") == "first"
        c.execute("set application_name to 'second'")
        c.execute("set time zone 'Europe/Vienna'")
        c.execute("set datestyle to 'German'")
        for _ in range(5):
            assert c.execute("select current_setting('application_name'), current_setting('TimeZone'), '2026-01-31'::date::text")\
                .fetchone() == ("second", "Europe/Vienna", "31.01.2026")
        assert c.info.parameter_status("TimeZone") == "Europe/Vienna"
    with connect() as c:
        assert c.execute("select current_setting('TimeZone') = 'Europe/Vienna'").fetchone() == (False,)


def test_two_clients_have_settings_of_their_own(connect):
    with connect() as a, connect() as b:
        a.execute("set time zone 'Asia/Tokyo'")
        b.execute("set time zone 'America/Lima'")
        for _ in range(3):
            assert a.execute("show time zone").fetchone() == ("Asia/Tokyo",)
            assert b.execute("show time zone").fetchone() == ("America/Lima",)


def test_a_session_has_what_only_sessions_have(stage):
    with stage.gateway.connect("shop.session") as c:
        c.execute("create temp table kept (a int)")
        c.execute("insert into kept values (1)")
        c.execute("set work_mem to '7MB'")
        c.execute("prepare by_sql as select 11")
        c.execute("select pg_advisory_lock(4711)")
        assert c.execute("select a from kept").fetchone() == (1,)
        assert c.execute("show work_mem").fetchone() == ("7MB",)
        assert c.execute("execute by_sql").fetchone() == (11,)
    with stage.gateway.connect("shop.session") as c:
        assert c.execute("select count(*) from pg_locks where locktype = 'advisory'").fetchone() == (0,)
        assert c.execute("select to_regclass('kept')").fetchone() == (None,)
        assert c.execute("show work_mem").fetchone() != ("7MB",)
        assert c.execute("select count(*) from pg_prepared_statements where name = 'by_sql'").fetchone() == (0,)


def test_notifications_reach_who_listens(stage):
    with stage.gateway.connect("shop.session") as listener, stage.gateway.connect("shop.session") as speaker:
        listener.execute("listen news")
        for i in range(3):
            speaker.execute("select pg_notify('news', %s)", (f"number {i}",))
        heard = []
        for note in listener.notifies():
            heard.append(note.payload)
            if len(heard) == 3:
                break
        assert heard == ["number 0", "number 1", "number 2"]


def test_a_cancel_ends_the_query_of_its_client_alone(connect):
    with connect() as a, connect() as b, concurrent.futures.ThreadPoolExecutor(2) as pool:
        slow = pool.submit(lambda: a.execute("select pg_sleep(60)"))
        other = pool.submit(lambda: b.execute("select pg_sleep(1.5), 'done'").fetchone()[1])

        def cancelled():
            a.cancel()
            return slow.done()
        harness.wait_for("the query to be cancelled", cancelled, every=0.2)
        assert isinstance(slow.exception(), psycopg.errors.QueryCanceled)
        assert other.result() == "done"
        assert a.execute("select 1").fetchone() == (1,)


def test_sixteen_threads_at_once_mix_no_answers(connect):
    trouble = []

    def work(me):
        try:
            with connect() as c:
                for i in range(60):
                    want = me * 1000 + i
                    assert c.execute("select %s::int", (want,), prepare=i % 3 == 0).fetchone() == (want,)
                    with c.transaction():
                        c.execute("select set_config('slipway.me', %s, true)", (str(want),))
                        assert c.execute("select current_setting('slipway.me')").fetchone() == (str(want),)
        except Exception as e:
            trouble.append(e)
    threads = [threading.Thread(target=work, args=(n,)) for n in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not trouble


def test_tls_is_verified_by_the_client(connect, stage):
    ca = str(stage.certs.path / "ca.crt")
    with connect(sslmode="verify-full", sslrootcert=ca, host="127.0.0.1") as c:
        assert c.pgconn.ssl_in_use
        assert c.execute("select length(%s)", ("x" * 300000,)).fetchone() == (300000,)


def test_another_postgres_database_is_named_behind_a_slash(stage, database):
    with stage.gateway.connect(f"{database}/reporting") as c:
        assert c.execute("select current_database()").fetchone() == ("reporting",)
    with pytest.raises(psycopg.OperationalError):
        stage.gateway.connect(f"{database}/template1")


# node, libpq

def test_node_postgres_works(stage, database):
    done = harness.call(["node", NODE, stage.gateway.uri(database)],
                        env=stage.gateway.env_of(database) | {"NODE_PATH": "/opt/slipway/node/node_modules"}, timeout=60)
    assert done.out == "ok\n"


@pytest.mark.parametrize("case", [
    "many_in_one_pipeline", "an_error_aborts_to_the_sync_alone", "answers_come_at_a_flush", "statements_are_prepared_in_a_pipeline",
    "a_name_is_prepared_once", "rows_come_one_by_one", "transactions_span_a_pipeline", "copies_go_in_and_out",
    "copies_go_in_by_the_extended_protocol",
    "a_cancel_ends_the_query_alone", "notices_arrive", "functions_are_called"])
def test_libpq(stage, database, mode, case):
    if case in NOT_YET and mode in NOT_YET[case]:
        pytest.xfail(f"the gateway does not do this yet in pools by {mode}")
    done = harness.call([LIBPQ_CLIENT, stage.gateway.url(database), case], timeout=60)
    assert done.out == f"ok {case}\n"
