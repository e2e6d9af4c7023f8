"""A further machine joins with one command: hosts in network namespaces, tokens that are used once and not for long."""
import json

import pytest

import harness
import hosts
import network
import servers
from harness import wait_for

pytestmark = pytest.mark.skipif(not network.can(), reason="needs root and network namespaces")


def refused(site, name, zone, token):
    """The sentence with which an agent that may not join ends."""
    done = harness.call(site.join_argv(name, zone, token), check=1, timeout=60)
    assert not (site.folder.path / name / "agent.json").exists()
    return done.err.splitlines()[-1].removeprefix("slipway agent: ")


@pytest.fixture(scope="module")
def site():
    with network.network() as net, servers.Folder() as folder:
        yield hosts.Site(net, folder)


def test_a_machine_joins_with_one_command_and_comes_back_without_it(site):
    address = site.net.host("d1")
    agent = site.folder.start(site.join_argv("d1", "zone-d", site.token("zone-d")), "d1.log")
    site.heard("d1")
    host = site.host("d1")
    assert host["spec"]["zone"] == "zone-d"
    assert host["status"]["address"] == address  # the one that it has on its way to the API
    key = site.folder.path / "d1/agent.key"
    assert key.stat().st_mode & 0o777 == 0o600

    agent.terminate()
    assert agent.wait(30) == 0
    before = site.host("d1")["status"]["lastHeard"]
    site.folder.start(site.agent_argv("d1"), "d1.log")
    wait_for("the host to be heard again", lambda: site.host("d1")["status"]["lastHeard"] > before)
    assert site.host("d1")["metadata"]["uid"] == host["metadata"]["uid"]


def test_a_token_is_used_once(site):
    site.net.host("e1")
    site.net.host("e2")
    token = site.token("zone-e")
    site.folder.start(site.join_argv("e1", "zone-e", token), "e1.log")
    site.heard("e1")
    assert "token" in refused(site, "e2", "zone-e", token)
    assert site.host("e2") is None


def test_a_token_expires(site):
    site.net.host("f1")
    made = json.loads(site.serve.slipway("token", "create", "--zone", "zone-f", "--ttl", "1", "-o", "json").out)

    def over():
        import datetime
        end = datetime.datetime.fromisoformat(made["expires"].replace("Z", "+00:00"))
        return datetime.datetime.now(datetime.timezone.utc) > end + datetime.timedelta(seconds=1)
    wait_for("the token to expire", over)
    assert "token" in refused(site, "f1", "zone-f", made["token"])


def test_a_token_is_for_its_zone_and_name(site):
    site.net.host("g1")
    assert "zone" in refused(site, "g1", "zone-h", site.token("zone-g"))
    assert "g2" in refused(site, "g1", "zone-g", site.token("zone-g", name="g2"))


def test_a_platform_with_another_ca_is_not_told_anything(site):
    site.net.host("i1")
    secret, _, pin = site.token("zone-i").partition(".")
    wrong = f"{secret}.{'0' * len(pin)}"
    sentence = refused(site, "i1", "zone-i", wrong)
    assert "certificate" in sentence or "CA" in sentence or "authority" in sentence
    # nothing was sent, so it is still good
    site.folder.start(site.join_argv("i1", "zone-i", f"{secret}.{pin}"), "i1.log")
    site.heard("i1")


@pytest.mark.parametrize("argv, sentence", [
    (["--join", "https://127.0.0.1:1", "--token", "x"], "--join wants --zone too: in which zone is this host?"),
    (["--join", "https://127.0.0.1:1", "--zone", "z"],
     "--join wants --token too: make one with 'slipway token create --zone ZONE'"),
    (["--address", "db1"], "--address wants an IP address, not 'db1'"),
])
def test_what_is_missing_is_said(argv, sentence, tmp_path):
    done = harness.call([harness.BIN, "agent", "--data", tmp_path / "a", *argv], check=1)
    assert done.err == f"slipway agent: {sentence}\n"


def test_a_folder_that_never_joined_says_how():
    with servers.Folder() as folder:
        done = harness.call([harness.BIN, "agent", "--data", folder.path / "a"], check=1)
        assert done.err == (f"slipway agent: '{folder.path}/a' has not joined a platform: "
                            "say --join URL --token TOKEN --zone ZONE\n")


def test_a_folder_has_one_agent(site):
    site.net.host("j1")
    site.folder.start(site.join_argv("j1", "zone-j", site.token("zone-j")), "j1.log")
    site.heard("j1")
    done = harness.call(site.agent_argv("j1"), check=1, timeout=60)
    assert "another slipway runs on" in done.err


def test_a_host_whose_certificate_has_expired_joins_again_as_itself(site):
    agent = site.folder.start
    site.net.host("k1")
    first = agent(site.join_argv("k1", "zone-k", site.token("zone-k")), "k1.log")
    site.heard("k1")
    uid = site.host("k1")["metadata"]["uid"]
    first.terminate()
    assert first.wait(30) == 0

    crt, serve = site.folder.path / "k1/agent.crt", site.serve.data
    csr = harness.call(["openssl", "x509", "-x509toreq", "-in", crt, "-signkey", site.folder.path / "k1/agent.key"]).out
    old = harness.call(["openssl", "x509", "-req", "-CA", serve / "ca.crt", "-CAkey", serve / "ca.key", "-days", "-1"], input=csr).out
    crt.write_text(old)
    alone = agent(site.agent_argv("k1"), "k1-alone.log")
    wait_for("it to say what to do", lambda: "has expired" in site.folder.text("k1-alone.log")
             and "join again" in site.folder.text("k1-alone.log"))
    alone.terminate()
    alone.wait(30)

    assert "has expired: join again as that host, with --name k1" in harness.call(
        [*site.join_argv("k1", "zone-k", "x.y"), "--name", "k2"], check=1, timeout=60).err
    before = site.host("k1")["status"]["lastHeard"]
    agent(site.join_argv("k1", "zone-k", site.token("zone-k", name="k1")), "k1.log")
    wait_for("the host to be heard again", lambda: site.host("k1")["status"]["lastHeard"] > before)
    assert site.host("k1")["metadata"]["uid"] == uid
