"""What is wrong with a host or a wish is said in one sentence where its requester looks, loses nothing, and once it has been
set right the platform goes on by itself."""
import os
import shutil
import signal
import socket
import subprocess

import pytest

import harness
import servers
from harness import database, namespace, wait_for

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def says(platform, name, ns, *words, timeout=60):
    """Waits until the Ready condition of a Database is not True, and its sentence has these words; the sentence."""
    def is_said():
        ready = platform.condition("database", name, ns, "Ready")
        assert ready and ready["status"] != "True" and all(w in ready["message"] for w in words), ready
        return ready["message"]
    return wait_for(f"{name} to say {words}", is_said, timeout, every=0.2)


def test_no_zone_is_left_for_a_second_standby(platform, ns):
    platform.kubectl("patch", "host", "zone-c", "--type=merge", "-p", '{"spec":{"unschedulable":true}}')
    try:
        platform.apply(database("orders", ns, version="15", tier="flexible", standbys=2))
        says(platform, "orders", ns, "Waiting for a third zone: a flexible database needs 3, only zone-a and zone-b have a host "
                                     "with PostgreSQL 15")
        wait_for("what there can be to be there", lambda: platform.connect("orders", ns).close() is None)
    finally:
        platform.kubectl("patch", "host", "zone-c", "--type=merge", "-p", '{"spec":{"unschedulable":null}}')
    assert len(platform.wait_database("orders", ns)["status"]["syncSet"]) == 2


@pytest.fixture(scope="module")
def attic(platform):
    """One more host, in a zone of its own, that has PostgreSQL 15 alone and a disk of 30 MB; its folder."""
    with servers.Folder() as folder:
        disk = folder.path / "disk"
        disk.mkdir()
        options = f"size=30m,mode=0700,uid={harness.USER},gid={harness.USER}"
        if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", disk], capture_output=True).returncode:
            pytest.skip("needs to mount a disk")
        try:
            token = platform.slipway("token", "create", "--zone", "attic").out.strip()
            agent = folder.start([
                harness.BIN, "agent", "--data", disk, "--join", platform.up["api"], "--token", token, "--zone", "attic",
                "--name", "attic", "--address", "127.0.77.1", "--pg-path", servers.programs(15)], "agent.log")
            wait_for("the host to join", lambda: (platform.get("host", "attic") or {}).get("status", {}).get("lastHeard"))
            yield disk
            agent.send_signal(signal.SIGINT)
            agent.wait(30)
            platform.kubectl("delete", "host", "attic")
        finally:
            harness.call(["umount", "-l", disk])


@needs_root
def test_a_major_that_no_host_has(platform, ns, attic):
    platform.apply(database("orders", ns, version="17", highAvailability={"zones": ["attic"]}))
    says(platform, "orders", ns, "Waiting for a host with PostgreSQL 17")


@needs_root
def test_a_disk_that_is_full(platform, ns, attic):
    platform.apply(database("orders", ns, version="15", highAvailability={"zones": ["attic"]}))
    says(platform, "orders", ns, "The primary in attic failed: the disk is full", "make room, and it goes on by itself")
    wait_for("what was half made to go", lambda: not list(attic.glob("m/*/data*")))
    harness.call(["mount", "-o", "remount,size=200m", attic])
    platform.wait_database("orders", ns)
    with platform.connect("orders", ns) as c:
        c.execute("create table t as select 42 as n")

    with open(attic / "filler", "wb", buffering=0) as filler:
        with pytest.raises(OSError):
            while True:
                filler.write(b"0" * (1 << 16))
    postmaster = int(next(attic.glob("m/*/data/postmaster.pid")).read_text().split()[0])
    os.kill(postmaster, signal.SIGKILL)
    says(platform, "orders", ns, "The primary in attic failed: the disk is full")
    (attic / "filler").unlink()
    platform.wait_database("orders", ns)
    with platform.connect("orders", ns) as c:
        assert c.execute("select n from t").fetchone() == (42,)
    platform.kubectl("delete", "database", "orders", "-n", ns, timeout=60)


@needs_root
def test_data_that_is_not_as_it_was_left(make_platform):
    net = f"127.81.{os.getpid() % 250}"  # where nobody else takes a port that is free for a moment
    p = make_platform("--zones", f"zone-a@{net}.1,zone-b@{net}.2,zone-c@{net}.3")
    zones = {"port": "zone-a", "version": "zone-b", "owner": "zone-c"}
    p.apply(namespace("dev"), *(database(n, "dev", version="15", highAvailability={"zones": [z]}) for n, z in zones.items()))
    data = {}
    for name, zone in zones.items():
        p.wait_database(name, "dev")
        with p.connect(name, "dev") as c:
            c.execute("create table t as select 42 as n")
        data[name] = next(p.data.glob(f"hosts/{zone}/m/*/data"))
    was = p.secret("port-app", "dev")
    p.stop()
    (data["version"] / "PG_VERSION").write_text("12\n")
    shutil.chown(data["owner"], "daemon")
    with socket.create_server((was["host"], int(was["port"]))):
        p.start()
        wait_for("another port", lambda: p.secret("port-app", "dev")["port"] != was["port"], 60)
        p.wait_database("port", "dev")
    says(p, "version", "dev", "The primary in zone-b failed: its data folder is of PostgreSQL 12, and 15 is wanted")
    says(p, "owner", "dev", "The primary in zone-c failed", "belongs to user ", "give it back with chown")
    (data["version"] / "PG_VERSION").write_text("15\n")
    shutil.chown(data["owner"], harness.USER)
    for name in zones:
        p.wait_database(name, "dev")
        with p.connect(name, "dev") as c:
            assert c.execute("select n from t").fetchone() == (42,)
