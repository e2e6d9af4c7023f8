"""`slipway serve` on a PostgreSQL of somebody else's: any from 14 on, newer schemas and older servers refused."""
import json
import os
import socket
import ssl
import urllib.error
import urllib.request

import pytest

import harness
import servers


@pytest.fixture
def folder():
    with servers.Folder() as f:
        yield f


def raw(serve, path, ready):
    """status and headers of GET path, also when it is an error."""
    ctx = ssl.create_default_context(cafile=str(serve.data / "ca.crt"))
    config = harness.yaml.safe_load((serve.data / "kubeconfig").read_text())
    rq = urllib.request.Request(ready["api"] + path,
                                headers={"Authorization": f"Bearer {config['users'][0]['user']['token']}"})
    try:
        with urllib.request.urlopen(rq, context=ctx, timeout=20) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as e:
        return e.code, e.headers, e.read()


@pytest.mark.parametrize("major", [14, 17])
def test_it_runs_on_any_postgresql_from_14_on(folder, major):
    pg = servers.Postgres(folder, major)
    serve = servers.Serve(folder, "--database", pg.url)
    serve.ready()
    serve.kubectl("apply", "-f", "-", input=harness.yaml.safe_dump(harness.namespace("dev")))
    assert serve.slipway("get", "ns", "dev", "-o", "name").out == "namespace/dev\n"
    serve.process.terminate()
    assert serve.process.wait(20) == 0
    assert not (serve.data / "serve.json").exists()

    again = servers.Serve(folder, "--database", pg.url)
    again.ready()
    assert again.kubectl("get", "ns", "dev", "-o", "name").out == "namespace/dev\n"


def test_the_password_can_be_in_a_file(folder):
    pg = servers.Postgres(folder, 15)
    (folder.path / "url").write_text(f"{pg.url} password=geheim\n")
    serve = servers.Serve(folder, "--database-file", folder.path / "url")
    serve.ready()
    argv = harness.Process.read(serve.process.pid).argv
    assert not any("geheim" in a for a in argv)


def test_keys_and_kubeconfig_are_ours_alone(folder):
    pg = servers.Postgres(folder, 15)
    serve = servers.Serve(folder, "--database", pg.url)
    serve.ready()
    assert serve.data.stat().st_mode & 0o777 == 0o700
    for name in ("key", "ca.key", "server.key", "kubeconfig"):
        assert (serve.data / name).stat().st_mode & 0o777 == 0o600, name


def test_an_old_postgresql_is_refused(folder):
    pg = servers.Postgres(folder, 13)
    serve = servers.Serve(folder, "--database", pg.url)
    assert serve.process.wait(30) == 1
    assert "14" in folder.text(serve.log).splitlines()[-1]


def test_a_newer_schema_is_refused_and_left_as_it_is(folder):
    pg = servers.Postgres(folder, 15)
    serve = servers.Serve(folder, "--database", pg.url)
    serve.ready()
    serve.process.terminate()
    assert serve.process.wait(20) == 0
    newest = pg.sql("select max(number) from slipway.migration")[0][0]
    pg.sql(f"insert into slipway.migration (number, name) values ({newest + 1}, 'later')")
    before = pg.sql("select count(*) from slipway.object")

    again = servers.Serve(folder, "--database", pg.url)
    assert again.process.wait(30) == 1
    sentence = folder.text(again.log).splitlines()[-1]
    assert sentence.startswith("slipway serve: ") and "newer" in sentence
    assert pg.sql("select count(*) from slipway.object") == before


def test_while_the_database_is_away_it_waits_or_answers_503(folder):
    pg = servers.Postgres(folder, 15)
    pg.stop()
    serve = servers.Serve(folder, "--database", pg.url)
    harness.wait_for("serve to say that the database is away",
                     lambda: "system database is away" in folder.text(serve.log))
    pg.start()
    ready = serve.ready()
    pg.stop()

    def unavailable():
        status, headers, body = raw(serve, "/api/v1/namespaces", ready)
        assert status == 503, body
        assert int(headers["Retry-After"]) >= 1
        return json.loads(body)
    assert harness.wait_for("503", unavailable)["kind"] == "Status"
    assert "503" not in serve.slipway("get", "ns", check=1).err  # a sentence, not a number
    assert serve.process.poll() is None
    pg.start()
    harness.wait_for("the API to answer again", lambda: raw(serve, "/api/v1/namespaces", ready)[0] == 200)


def test_a_port_that_is_taken_is_said(folder):
    pg = servers.Postgres(folder, 15)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        serve = servers.Serve(folder, "--database", pg.url, listen=f"127.0.0.1:{port}")
        assert serve.process.wait(30) == 1
        assert f"port {port} on 127.0.0.1 is in use by another program" in folder.text(serve.log).splitlines()[-1]


def test_a_folder_has_one_serve(folder):
    pg = servers.Postgres(folder, 15)
    servers.Serve(folder, "--database", pg.url).ready()
    done = harness.call([harness.BIN, "serve", "--data", folder.path / "serve", "--database", pg.url, "--listen",
                         "127.0.0.1:0"], check=1, timeout=60)
    assert f"another slipway runs on '{folder.path}/serve' already" in done.err


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_started_by_root_it_is_nobody_special(folder):
    pg = servers.Postgres(folder, 15)
    serve = servers.Serve(folder, "--database", pg.url)
    serve.ready()
    status = dict(line.split(":\t", 1) for line in open(f"/proc/{serve.process.pid}/status").read().splitlines()
                  if ":\t" in line)
    assert "0" not in status["Uid"].split()
    assert int(status["CapEff"], 16) == 0
    assert status["NoNewPrivs"] == "1"
