"""terraform's http state backend: states, locks, and the real program where there is one."""
import json
import os
import shutil
import subprocess

import pytest

from rest import Rest

LOCK_A, LOCK_B = ({"ID": i, "Operation": "apply", "Who": f"{i}@host"} for i in ("a", "b"))


@pytest.fixture
def api(platform):
    return Rest(platform)


@pytest.fixture
def state(ns):
    return f"/terraform/v1/state/{ns}/network"


def test_a_state_is_kept_as_it_was_sent(api, state):
    api.get(state, code=404)
    text = json.dumps({"version": 4, "serial": 1, "outputs": {"a": "ü"}})
    api.call("POST", state, text, code=200)
    assert api.get(state, code=200).body.decode() == text
    api.call("POST", state, '{"version": 4, "serial": 2}', code=200)
    assert api.get(state).json["serial"] == 2
    api.call("DELETE", state, code=200)
    api.get(state, code=404)


def test_a_lock_keeps_others_out_and_says_who_holds_it(api, state):
    api.call("LOCK", state, LOCK_A, code=200)
    assert api.call("LOCK", state, LOCK_B, code=423).json == LOCK_A
    assert api.call("POST", f"{state}?ID=b", {"serial": 1}, code=423).json == LOCK_A
    assert api.call("POST", state, {"serial": 1}, code=423).json == LOCK_A
    api.call("POST", f"{state}?ID=a", {"serial": 1}, code=200)
    assert api.call("UNLOCK", state, LOCK_B, code=423).json == LOCK_A
    api.call("UNLOCK", state, LOCK_A, code=200)
    api.call("LOCK", state, LOCK_B, code=200)
    api.call("UNLOCK", state, LOCK_B, code=200)
    assert api.get(state).json == {"serial": 1}


def test_force_unlock_frees_whoever_holds_it(api, state):
    api.call("LOCK", state, LOCK_A, code=200)
    api.call("UNLOCK", state, code=200)
    api.call("LOCK", state, LOCK_B, code=200)


def test_what_makes_no_sense_is_refused(api, state):
    assert api.call("POST", state, "{", code=400).json["reason"] == "BadRequest"
    api.call("LOCK", state, "{}", code=400)
    api.call("PATCH", state, "{}", code=405)
    api.get("/terraform/v1/state/nowhere/network", code=404)
    api.call("POST", state.replace("network", "Bad_Name"), "{}", code=400)
    api.call("POST", state, "x" * (2 << 20), code=413)


def test_a_state_is_sealed_at_rest(own_platform):
    api = Rest(own_platform)
    own_platform.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}})
    api.call("POST", "/terraform/v1/state/a/network", {"password": "open-sesame"}, code=200)
    sealed = own_platform.system_sql("SELECT encode(value, 'escape') FROM slipway.blob")
    assert len(sealed) > 20 and "sesame" not in sealed
    assert api.get("/terraform/v1/state/a/network").json == {"password": "open-sesame"}


@pytest.mark.skipif(not shutil.which("terraform"), reason="terraform is not on PATH")
def test_the_real_terraform_keeps_its_state_here(platform, api, state, tmp_path):
    (tmp_path / "main.tf").write_text('terraform {\n  backend "http" {}\n}\noutput "word" {\n  value = "hello"\n}\n')
    (tmp_path / "ca.crt").write_text(api.ca)
    address = f"https://{api.url.netloc}{state}"
    env = {**os.environ, "HOME": str(tmp_path), "TF_HTTP_ADDRESS": address, "TF_HTTP_LOCK_ADDRESS": address,
           "TF_HTTP_UNLOCK_ADDRESS": address, "TF_HTTP_LOCK_METHOD": "LOCK", "TF_HTTP_UNLOCK_METHOD": "UNLOCK",
           "TF_HTTP_USERNAME": "admin", "TF_HTTP_PASSWORD": api.token,
           "TF_HTTP_CLIENT_CA_CERTIFICATE_PEM": api.ca, "CHECKPOINT_DISABLE": "1"}

    def terraform(*argv, code=0):
        done = subprocess.run(["terraform", *argv, "-no-color"], cwd=tmp_path, env=env, capture_output=True, text=True)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr
    terraform("init", "-input=false")
    terraform("apply", "-auto-approve", "-input=false")
    assert api.get(state).json["outputs"]["word"]["value"] == "hello"
    api.call("LOCK", state, {**LOCK_A, "Info": "", "Version": "", "Created": "2026-01-01T00:00:00Z", "Path": ""},
             code=200)
    out = terraform("apply", "-auto-approve", "-input=false", code=1)
    assert "HTTP remote state already locked: ID=a" in out
    terraform("force-unlock", "-force", "a")
    terraform("plan", "-input=false")

