"""A platform outlives the death of each of its parts, and comes back as it was."""
import contextlib
import os
import signal

import psycopg
import pytest

import harness
from harness import database, namespace, wait_for
from rest import Rest


def parts(platform):
    return {role: platform.pid(role) for role in ("serve", "postgres")}


def same_objects(platform):
    return platform.kubectl("get", "namespaces", "-o", "jsonpath={.items[*].metadata.uid}").out


def listens(pid):
    """The TCP addresses that this process listens at."""
    found, listening = set(), harness.listening_inodes()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            found.add(listening.get(os.readlink(f"/proc/{pid}/fd/{fd}").removeprefix("socket:[").rstrip("]")))
    return found - {None}


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_is_stopped_and_brought_back_with_all_it_had(own_platform, sig):
    own_platform.apply(namespace("dev"))
    before, api = same_objects(own_platform), own_platform.up["api"]
    own_platform.stop(sig)
    assert own_platform.read_up() is None
    own_platform.start()
    assert own_platform.up["api"] == api
    assert same_objects(own_platform) == before


def test_killed_it_comes_back_on_the_system_database_that_went_on(own_platform):
    own_platform.apply(namespace("dev"))
    before, postgres = same_objects(own_platform), own_platform.pid("postgres")
    own_platform.kill("up")
    own_platform.process.wait(20)
    own_platform.process = None
    assert harness.Process.read(postgres)
    own_platform.start()
    assert own_platform.pid("postgres") == postgres
    assert same_objects(own_platform) == before
    own_platform.stop()
    assert not harness.Process.read(postgres)


@pytest.mark.parametrize("role", ["serve", "postgres"])
def test_a_part_that_was_killed_is_started_again(own_platform, role):
    own_platform.apply(namespace("dev"))
    before, pids = same_objects(own_platform), parts(own_platform)
    own_platform.wait_restarted(role, own_platform.kill(role))
    wait_for("the same objects", lambda: same_objects(own_platform) == before)
    for other in pids:
        assert (own_platform.pid(other) == pids[other]) == (other != role)


def test_a_part_that_keeps_dying_is_tried_again_after_pauses(own_platform):
    for _ in range(4):
        own_platform.wait_restarted("serve", own_platform.kill("serve"))
    assert "ended, is started again" in own_platform.log.read_text()


def test_each_process_has_a_log_that_others_cannot_read(own_platform):
    for log in own_platform.data.glob("log/*"):
        assert log.stat().st_mode & 0o777 == 0o600, log
    assert (own_platform.data / "log/serve.log").read_text()


def test_the_kubeconfig_and_up_json_tell_where_it_is(platform):
    up = platform.up
    assert up["kubeconfig"] == str(platform.data / "kubeconfig")
    assert (platform.data / "kubeconfig").stat().st_mode & 0o777 == 0o600
    config = harness.yaml.safe_load((platform.data / "kubeconfig").read_text())
    assert config["clusters"][0]["cluster"]["server"] == up["api"]
    assert set(up["pids"]["agents"]) == {"zone-a", "zone-b", "zone-c"}


def test_the_system_database_listens_on_a_socket_of_ours_alone(platform):
    run = platform.data / "system/run"
    assert run.stat().st_mode & 0o777 == 0o700
    assert (run / ".s.PGSQL.5432").stat().st_mode & 0o777 == 0o700
    pid = platform.pid("postgres")
    assert not listens(pid)
    with pytest.raises(psycopg.OperationalError, match="[Pp]eer authentication failed|Permission denied"):
        psycopg.connect(host=str(run), user="slipway", dbname="slipway", connect_timeout=5)


def test_ctrl_c_while_it_starts_again_stops_the_servers_that_went_on(own_platform):
    own_platform.apply(namespace("dev"), database("orders", "dev", version="15"))
    own_platform.wait_database("orders", "dev")
    own_platform.kill("up")
    own_platform.process.wait(20)
    own_platform.process = None
    assert len(own_platform.postmasters()) == 1

    own_platform.start(ready=False)
    wait_for("an agent of its own", lambda: [p for p in own_platform.processes()
                                             if p.ppid == own_platform.process.pid and p.argv[1:2] == ("agent",)], 30)
    own_platform.stop()  # which checks that nothing is left


@pytest.mark.parametrize("end", ["ctrl-c", "kill -9"])
def test_databases_come_back_with_their_rows(own_platform, end):
    own_platform.apply(namespace("dev"), database("orders", "dev", version="15", tier="flexible", standbys=1))
    own_platform.wait_database("orders", "dev")
    with own_platform.connect("orders", "dev") as c:
        c.execute("create table t (n int)")
        c.execute("insert into t values (42)")
    uri = own_platform.secret("orders-app", "dev")["uri"]
    servers = {folder: p.pid for folder, p in own_platform.postmasters().items()}
    assert len(servers) == 2
    if end == "ctrl-c":
        own_platform.stop()
    else:
        own_platform.kill("up")
        own_platform.process.wait(20)
        own_platform.process = None
        with psycopg.connect(uri, connect_timeout=10) as c:  # they serve while nobody watches them
            assert c.execute("select n from t").fetchall() == [(42,)]
        assert {f: p.pid for f, p in own_platform.postmasters().items()} == servers
    own_platform.start()
    own_platform.wait_database("orders", "dev")
    if end == "kill -9":
        assert {f: p.pid for f, p in own_platform.postmasters().items()} == servers, "a server was restarted"
    with own_platform.connect("orders", "dev") as c:
        assert c.execute("select n from t").fetchall() == [(42,)]
        c.execute("insert into t values (43)")


def test_while_the_system_database_is_away_databases_serve_and_the_api_says_503(own_platform):
    own_platform.apply(namespace("dev"), database("orders", "dev", version="15"))
    own_platform.wait_database("orders", "dev")
    uri = own_platform.secret("orders-app", "dev")["uri"]
    postgres = own_platform.pid("postgres")
    own_platform.kill_system(signal.SIGSTOP)
    try:
        # kubectl would hide it: it tries again by itself while Retry-After tells it to
        def says_503():
            answer = Rest(own_platform).get("/api/v1/namespaces", timeout=60)
            assert answer.code == 503, str(answer)
            return answer
        answer = wait_for("the API to say that it cannot answer", says_503, 90)
        assert int(answer.headers["Retry-After"]) >= 1 and answer.json["reason"] == "ServiceUnavailable"
        with psycopg.connect(uri, connect_timeout=10) as c:
            assert c.execute("select 1").fetchall() == [(1,)]
        assert own_platform.pid("zone-a") and own_platform.pid("zone-b")
    finally:
        own_platform.kill_system(signal.SIGCONT)
    wait_for("the API to answer", lambda: own_platform.kubectl("get", "namespaces").out, 60)
    assert own_platform.pid("postgres") == postgres
    own_platform.wait_database("orders", "dev")
