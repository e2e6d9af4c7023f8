"""The command line says what it can do, and what was wrong with what it was asked."""
import os
import re
import shutil
import subprocess

import pytest

from harness import BIN, call

VERBS = re.findall(r"^  ([a-z]+(?: [a-z]+)?)  ", call([BIN, "help"]).out, re.M)


def slipway(*argv, **kw):
    return call([BIN, *argv], **kw)


def test_the_issue_s_verbs_are_all_there():
    for verb in ("up serve agent status plan apply get describe delete connect version completion".split() +
                 ["credentials show", "credentials rotate", "token create"]):
        assert verb in VERBS


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_explains_itself_with_examples_and_exit_codes(verb):
    said = slipway(*verb.split(), "--help").out
    assert f"Usage:\n  slipway {verb}" in said
    assert "\nExit codes:\n  " in said
    examples = said.partition("\nExamples:\n")[2].partition("\n\n")[0]
    assert "slipway " in examples
    assert said == slipway("help", *verb.split()).out


def test_version_is_said():
    assert re.fullmatch(r"slipway \d+\.\d+\.\d+\n", slipway("version").out)
    assert slipway("--version").out == slipway("version").out


@pytest.mark.parametrize("argv, sentence", [
    (["nope"], "there is no verb 'nope': see 'slipway help'"),
    (["credentials"], "which 'slipway credentials'? See 'slipway help credentials'"),
    (["get", "--nope"], "slipway get has no option '--nope': see 'slipway get --help'"),
    (["get", "databases", "-o", "xml"], "--output wants one of table|wide|json|yaml|name, not 'xml'"),
    (["describe", "database"], "slipway describe wants KIND NAME: see 'slipway describe --help'"),
    (["apply", "--timeout", "x"], "--timeout wants a whole number, not 'x'"),
    (["completion", "tcsh"], "there is no completion for 'tcsh': want bash, zsh or fish"),
    (["reference", "x"], "there is no reference page 'x': want cli"),
    (["token", "create"], "which zone will the host be in? Say --zone ZONE, or --gateway for a gateway"),
    (["serve"], "serve wants either --database URL or --database-file FILE"),
    (["serve", "--database", "x", "--listen", "here"],
     "'here' is no ADDRESS:PORT, such as 127.0.0.1:6443"),
])
def test_a_wrong_command_line_is_answered_by_one_sentence(argv, sentence):
    done = slipway(*argv, check=1)
    assert done.err.strip().partition(": ")[2] == sentence
    assert done.out == ""


def test_without_a_kubeconfig_it_says_where_to_get_one(tmp_path):
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "KUBECONFIG": "", "SLIPWAY_KUBECONFIG": str(tmp_path / "no")}
    assert "No such file" in slipway("status", env=env, check=1).err
    done = slipway("status", "--kubeconfig", tmp_path / "none", env=env, check=1)
    assert done.err == f"slipway: read '{tmp_path}/none': No such file or directory\n"


def test_a_platform_that_is_away_is_said_to_be(tmp_path):
    (tmp_path / "k").write_text("""
current-context: a
contexts: [{name: a, context: {cluster: a, user: a}}]
clusters: [{name: a, cluster: {server: "https://127.0.0.1:1", certificate-authority-data: ""}}]
users: [{name: a, user: {token: x}}]
""")
    assert "the platform does not answer" in slipway("get", "ns", "--kubeconfig", tmp_path / "k", check=1).err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_sound_script(shell, tmp_path):
    if not shutil.which(shell):
        pytest.skip(f"no {shell}")
    (tmp_path / "script").write_text(slipway("completion", shell).out)
    call([shell, "-n", tmp_path / "script"])


def complete(tmp_path, *words):
    """What bash offers for the last of these words; `slipway get` answers from a script of the test's."""
    (tmp_path / "script").write_text(slipway("completion", "bash").out)
    fake = tmp_path / "slipway"
    fake.write_text("""#!/bin/sh
case "$*" in
"get -o name") printf 'databases\\nhosts\\n' ;;
"get -n dev -o name databases") printf 'database.slipway.dev/orders\\ndatabase.slipway.dev/other\\n' ;;
"get -o name namespaces") printf 'namespace/dev\\n' ;;
esac
""")
    fake.chmod(0o755)
    quoted = " ".join(f"'{w}'" for w in words)
    done = subprocess.run(
        ["bash", "-c", f"source {tmp_path}/script; compopt() {{ :; }}; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; "
                       "_slipway; printf '%s\\n' \"${COMPREPLY[@]}\""],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}, text=True, capture_output=True, timeout=20)
    assert done.stderr == ""
    return done.stdout.split()


def test_completion_offers_verbs_options_kinds_and_names(tmp_path):
    assert "credentials" in complete(tmp_path, "slipway", "")
    assert complete(tmp_path, "slipway", "desc") == ["describe"]
    assert complete(tmp_path, "slipway", "credentials", "") == ["show", "rotate"]
    assert complete(tmp_path, "slipway", "get", "--out") == ["--output"]
    assert complete(tmp_path, "slipway", "get", "-o", "") == ["table", "wide", "json", "yaml", "name"]
    assert complete(tmp_path, "slipway", "get", "") == ["databases", "hosts"]
    assert complete(tmp_path, "slipway", "get", "-n", "dev", "databases", "o") == ["orders", "other"]
    assert complete(tmp_path, "slipway", "connect", "-n", "dev", "or") == ["orders"]
    assert complete(tmp_path, "slipway", "get", "-n", "") == ["dev"]
    assert complete(tmp_path, "slipway", "completion", "f") == ["fish"]
