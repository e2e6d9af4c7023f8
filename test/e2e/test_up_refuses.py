"""`slipway up` says in one sentence why it cannot start, and has then changed nothing and left nothing running."""
import os
import pathlib
import pwd
import shutil
import signal
import socket

import pytest

import harness
import servers


@pytest.fixture
def folder():
    with servers.Folder() as f:
        yield f


def refused(folder, *argv, data="data", timeout=60):
    """The sentence with which `up` refuses; nothing of it runs afterwards."""
    done = harness.call([harness.BIN, "up", "--data", folder.path / data, "--api", "127.0.0.1:0", *argv], check=1, timeout=timeout)
    left = [p for p in harness.every_process().values() if str(folder.path) in " ".join((p.cwd, *p.argv))]
    assert not left
    assert not (folder.path / data / "up.json").exists()
    return [line for line in done.err.splitlines() if line.startswith("slipway up: ")][-1].removeprefix("slipway up: ")


def test_a_port_that_is_taken(folder):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert refused(folder, "--api", f"127.0.0.1:{port}") == f"port {port} on 127.0.0.1 is in use by another program"


@pytest.mark.parametrize("argv, sentence", [
    (["--api", "192.0.2.1:6443"], "192.0.2.1 is no address of this machine"),
    (["--api", "localhost:1"], "'localhost' is no IP address (in 'localhost:1')"),
    (["--zones", "a,a"], "zone a is there twice"),
    (["--zones", "Zone_A"], "zone 'Zone_A': a name is of small letters, digits and dashes, at most 63 of them"),
    (["--zones", "a@nowhere"], "zone a: 'nowhere' is no IP address"),
    (["--pg-path", "/nonexistent/*/bin"], "the system database needs PostgreSQL 14 or newer, and none is installed "
                                          "(looked in /nonexistent/*/bin): run script/setup"),
])
def test_what_cannot_be_right(folder, argv, sentence):
    assert refused(folder, *argv) == sentence


def test_a_path_that_is_too_long_for_sockets(folder):
    sentence = refused(folder, data="d" * 70)
    assert sentence.startswith(f"'{folder.path}/{'d' * 70}' is too long a path") and "another --data" in sentence


def test_a_path_that_a_configuration_could_not_hold(folder):
    assert "cannot be a data folder" in refused(folder, data="it's")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_folder_of_somebody_else(folder):
    data = folder.path / "data"
    data.mkdir()
    (data / "precious").write_text("x")
    shutil.chown(data, "daemon")
    assert refused(folder) == f"'{data}' belongs to daemon: want an empty folder, or one that is ours"
    shutil.chown(data, "root")
    assert refused(folder) == f"'{data}' belongs to root: want an empty folder, or one that is ours"
    assert [p.name for p in data.iterdir()] == ["precious"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_folder_that_the_user_cannot_reach(folder):
    closed = folder.path / "closed"
    closed.mkdir(mode=0o700)
    shutil.chown(closed, "root", "root")
    sentence = refused(folder, data="closed/data")
    assert sentence == f"user 'slipway' may not enter the folders above '{closed}/data': choose another --data"


def test_a_folder_of_a_newer_version(folder):
    data = folder.path / "data"
    data.mkdir(mode=0o700)
    (data / "format").write_text("2\n")
    if os.geteuid() == 0:
        for p in (data, data / "format"):
            shutil.chown(p, harness.USER)
    sentence = refused(folder)
    assert sentence.startswith(f"'{data}' was made by a newer slipway (format 2; this is ")
    assert sorted(p.name for p in data.iterdir()) == ["format"]


def test_a_second_one_on_the_same_folder(own_platform):
    done = own_platform.slipway("up", "--data", own_platform.data, check=1)
    assert done.err == f"slipway up: another slipway runs on '{own_platform.data}' already (it holds up.lock)\n"
    assert own_platform.read_up()["pid"] == own_platform.process.pid
    own_platform.kubectl("get", "namespaces")


def test_a_system_database_of_a_major_that_is_gone(own_platform):
    own_platform.stop()
    version = own_platform.data / "system/data/PG_VERSION"
    version.write_text("99\n")
    done = own_platform.slipway("up", "--data", own_platform.data, check=1)
    assert "the system database was made by PostgreSQL 99, which is not installed" in done.err


def test_a_zone_that_is_left_out(own_platform):
    own_platform.stop()
    done = own_platform.slipway("up", "--data", own_platform.data, "--zones", "zone-a,zone-b", check=1)
    assert "this platform has zone-c@127.0.3.1, which may hold databases: --zones must name it too" in done.err


def test_an_address_that_the_agents_do_not_know(own_platform):
    own_platform.stop()
    done = own_platform.slipway("up", "--data", own_platform.data, "--api", "127.0.0.2:0", check=1)
    assert "the agents of this platform look for its API at 127.0.0.1 port " in done.err


def test_ctrl_c_while_it_starts_leaves_nothing(folder):
    up = folder.start([harness.BIN, "up", "--data", folder.path / "data", "--api", "127.0.0.1:0"], "up.log")
    harness.wait_for("the system database to be made", lambda: (folder.path / "data/system").exists())
    up.send_signal(signal.SIGINT)
    assert up.wait(60) == 0, folder.text("up.log")
    left = [p for p in harness.every_process().values() if str(folder.path) in " ".join((p.cwd, *p.argv))]
    assert not left
    assert pathlib.Path(folder.path / "data").stat().st_uid in (os.geteuid(), pwd.getpwnam(harness.USER).pw_uid)
