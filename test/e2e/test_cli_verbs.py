"""The client verbs on a running platform: what they print, how they exit, what they say of bad input."""
import json

import pytest
import yaml

import harness
from harness import database, namespace


def manifest(*objects):
    return "---\n".join(yaml.safe_dump(o) for o in objects)


def small(name, ns, **spec):
    return database(name, ns, **{"version": "15", **spec})


@pytest.fixture(scope="module")
def orders(platform):
    """A flexible Database that is Ready, for tests that leave it as it is; its namespace."""
    ns = "verbs"
    platform.slipway("apply", "-f", "-", input=manifest(namespace(ns), database(
        "orders", ns, version="15", tier="flexible", standbys=1, deletionProtection=False)))
    platform.slipway("apply", "-f", "-", "--wait", timeout=150, input=manifest(database(
        "orders", ns, version="15", tier="flexible", standbys=1, deletionProtection=False)))
    yield ns
    platform.slipway("delete", "namespace", ns, "--wait", timeout=150)


# apply

def test_apply_says_created_unchanged_configured(platform, ns):
    first = manifest(small("a", ns))
    assert platform.slipway("apply", "-f", "-", input=first).out == "database.slipway.dev/a created\n"
    assert platform.slipway("apply", "-f", "-", input=first).out == "database.slipway.dev/a unchanged\n"
    second = manifest(small("a", ns, parameters={"work_mem": "8MB"}))
    assert platform.slipway("apply", "-f", "-", input=second).out == "database.slipway.dev/a configured\n"
    assert platform.get("database", "a", ns)["spec"]["parameters"] == {"work_mem": "8MB"}


def test_apply_takes_a_folder_namespaces_first(platform, tmp_path):
    (tmp_path / "1.yaml").write_text(manifest(small("a", "folder-team")))
    (tmp_path / "2.json").write_text(json.dumps(namespace("folder-team")))
    done = platform.slipway("apply", "-f", tmp_path)
    assert done.out == "namespace/folder-team created\ndatabase.slipway.dev/a created\n"
    done = platform.slipway("delete", "-f", tmp_path, "--wait", timeout=120)
    assert done.out == "database.slipway.dev/a deleted\nnamespace/folder-team deleted\n"
    assert platform.get("namespace", "folder-team") is None


def test_apply_waits_with_a_line_a_step_until_ready(platform, ns):
    done = platform.slipway("apply", "-f", "-", "--wait", input=manifest(
        database("b", ns, version="15", tier="flexible", standbys=1)), timeout=150)
    assert done.out == "database.slipway.dev/b created\n"
    lines = done.err.splitlines()
    assert any("b-1 (primary in zone-" in line and "running" in line for line in lines), done.err
    assert any("b-2 (standby in zone-" in line for line in lines), done.err
    assert "Primary in zone-" in lines[-1] and "synchronous standby in zone-" in lines[-1]
    assert "\033" not in done.err  # not on a terminal
    assert platform.condition("database", "b", ns, "Ready")["status"] == "True"


def test_apply_that_cannot_become_ready_fails_with_the_reason(platform, ns):
    done = platform.slipway("apply", "-f", "-", "--wait", check=1, timeout=60, input=manifest(
        database("nowhere", ns, version="15", tier="flexible", standbys=1, highAvailability={"zones": ["zone-a", "zone-x"]})))
    assert done.err.splitlines()[-1].startswith("slipway: database nowhere: ")
    assert "zone" in done.err.splitlines()[-1]


def test_apply_that_takes_too_long_says_what_it_waits_for(platform, ns):
    done = platform.slipway("apply", "-f", "-", "--wait", "--timeout", "1", check=1, input=manifest(
        database("slow", ns, version="15", tier="flexible", standbys=2)))
    assert "database slow is not ready after 1 s: " in done.err.splitlines()[-1]


def test_apply_in_conflict_with_another_manager_says_so_and_force_takes_over(platform, ns):
    platform.slipway("apply", "-f", "-", input=manifest(small("c", ns)))
    platform.kubectl("patch", "database", "c", "-n", ns, "--type=merge", "--field-manager=alice",
                     "-p", '{"spec":{"parameters":{"work_mem":"16MB"}}}')
    mine = manifest(small("c", ns, parameters={"work_mem": "8MB"}))
    done = platform.slipway("apply", "-f", "-", input=mine, check=1)
    assert "conflict" in done.err and '"alice"' in done.err and ".spec.parameters.work_mem" in done.err
    assert platform.slipway("apply", "-f", "-", "--force", input=mine).out.endswith("configured\n")


@pytest.mark.parametrize("text, words", [
    ("a: [", "standard input: invalid YAML"),
    ("kind: Database", "standard input: an object without apiVersion"),
    ("{apiVersion: v1, kind: Pod, metadata: {name: x}}", "there is no kind Pod in v1"),
    ("{apiVersion: slipway.dev/v1, kind: Database, metadata: {name: x, namespace: nope}, spec: {version: '15'}}",
     'namespaces "nope" not found'),
    ("{apiVersion: slipway.dev/v1, kind: Database, metadata: {name: X_}, spec: {version: '15'}}", "metadata.name"),
    ("{apiVersion: slipway.dev/v1, kind: Database, metadata: {name: x}, spec: {version: '15', foo: 1}}", "spec.foo"),
    ("{apiVersion: slipway.dev/v1, kind: Database, metadata: {name: x}, spec: {version: '9'}}", "spec.version"),
    ("{apiVersion: slipway.dev/v1, kind: Database, metadata: {name: x}, spec: {parameters: {fsync: 'off'}}}",
     "spec.parameters[fsync]"),
    ("", "the manifests hold no object"),
])
def test_apply_refuses_what_is_wrong_with_its_place(platform, ns, text, words):
    done = platform.slipway("apply", "-n", ns, "-f", "-", input=text, check=1)
    assert words in done.err and done.err.count("\n") == 1, done.err
    assert done.out == ""


def test_apply_without_a_manifest_or_with_a_missing_one(platform):
    assert "which manifests? Say -f FILE" in platform.slipway("apply", check=1).err
    assert "read '/nonexistent': No such file" in platform.slipway("apply", "-f", "/nonexistent", check=1).err


# plan

def test_plan_exits_2_for_changes_0_for_none_1_for_errors(platform, ns):
    wanted = manifest(small("p", ns))
    done = platform.slipway("plan", "-f", "-", input=wanted, check=2)
    assert f"+ Database {ns}/p is created\n" in done.out and "Plan: 1 to create." in done.out
    assert platform.get("database", "p", ns) is None
    platform.slipway("apply", "-f", "-", input=wanted)
    assert "Plan: nothing to do." in platform.slipway("plan", "-f", "-", input=wanted, check=0).out
    platform.slipway("plan", "-f", "-", input=manifest(small("p", ns, version="9")), check=1)


@pytest.mark.parametrize("spec, action, words", [
    ({"parameters": {"work_mem": "8MB"}}, "change", "~ Database verbs/orders is changed in place"),
    ({"parameters": {"max_connections": "77"}}, "restart", "restart for max_connections"),
    ({"size": "medium"}, "restart", "pause: one server after the other"),
    ({"standbys": 2}, "change", "1 standby(s) more, from a base backup; the primary goes on"),
    ({"tier": "single", "standbys": None}, "destroy", "destroys 1 standby(s)"),
])
def test_plan_says_what_a_change_costs(platform, orders, spec, action, words):
    base = {"version": "15", "tier": "flexible", "standbys": 1, "deletionProtection": False, **spec}
    wanted = manifest(database("orders", orders, **{k: v for k, v in base.items() if v is not None}))
    assert words in platform.slipway("plan", "-f", "-", input=wanted, check=2).out
    plan = platform.slipway("plan", "-f", "-", "-o", "json", input=wanted, check=2).json
    assert [c["action"] for c in plan["changes"]] == [action]
    assert plan["summary"][action] == 1


def test_plan_of_a_namespace_and_what_lives_in_it(platform):
    both = manifest(namespace("not-yet"), small("x", "not-yet"))
    done = platform.slipway("plan", "-f", "-", input=both, check=2)
    assert "Plan: 2 to create." in done.out
    assert platform.get("namespace", "not-yet") is None
    wrong = manifest(namespace("not-yet"), small("x", "not-yet", size="huge"))
    assert "spec.size" in platform.slipway("plan", "-f", "-", input=wrong, check=1).err


# get

def test_get_has_the_forms_of_kubectl(platform, orders):
    table = platform.slipway("get", "databases", "-n", orders).out.splitlines()
    assert table[0].split()[:2] == ["NAME", "TIER"] and table[1].split()[0] == "orders"
    theirs = platform.kubectl("get", "databases", "-n", orders).out.splitlines()
    assert table[0].split() == theirs[0].split()
    assert platform.slipway("get", "db", "-n", orders, "-o", "name").out == "database.slipway.dev/orders\n"
    assert platform.slipway("get", "Database", "orders", "-n", orders, "-o", "json").json["metadata"]["name"] == "orders"
    listed = platform.slipway("get", "databases", "-n", orders, "-o", "yaml").yaml[0]
    assert listed["kind"] == "List" and listed["items"][0]["kind"] == "Database"
    assert "managedFields" not in listed["items"][0]["metadata"]
    assert platform.slipway("get", "databases", "-A").out.startswith("NAMESPACE")
    wide = platform.slipway("get", "members", "-n", orders, "-o", "wide").out
    assert "LSN" in wide and "orders-2" in wide


def test_get_selects_by_label(platform, ns):
    one, other = small("one", ns), small("other", ns)
    one["metadata"]["labels"] = {"team": "payments"}
    platform.slipway("apply", "-f", "-", input=manifest(one, other))
    got = platform.slipway("get", "databases", "-n", ns, "-l", "team in (payments),team", "-o", "name").out
    assert got == "database.slipway.dev/one\n"
    assert platform.slipway("get", "databases", "-n", ns, "-l", "team=none").err == f"no databases in namespace {ns}\n"


def test_get_watches(platform, ns):
    import subprocess
    with subprocess.Popen([platform.bin, "get", "databases", "-n", ns, "-w", "-o", "name"], env=platform.env,
                          stdout=subprocess.PIPE, text=True) as watch:
        try:
            platform.slipway("apply", "-f", "-", input=manifest(small("w1", ns)))
            assert watch.stdout.readline() == "database.slipway.dev/w1\n"
        finally:
            watch.terminate()


@pytest.mark.parametrize("argv, words", [
    (["get", "pods"], "there is no kind 'pods'"),
    (["get", "database", "nope", "-n", "default"], 'databases.slipway.dev "nope" not found'),
    (["get", "database", "x", "-A"], "a name is of one namespace: say -n, not --all-namespaces"),
    (["get", "databases", "-l", "a in"], "unable to parse requirement"),
    (["get", "databases", "-n", "Not_A_Name"], "'Not_A_Name' cannot be the name of a namespace"),
    (["describe", "host", "nope"], 'hosts.slipway.dev "nope" not found'),
    (["delete", "database", "nope", "-n", "default"], 'databases.slipway.dev "nope" not found'),
    (["delete", "database"], "delete wants KIND NAME, or -f FILE"),
    (["connect", "nope", "-n", "default"], 'databases.slipway.dev "nope" not found'),
    (["credentials", "show", "nope", "-n", "default"], 'databases.slipway.dev "nope" not found'),
    (["credentials", "rotate", "nope", "-n", "default"], 'databases.slipway.dev "nope" not found'),
])
def test_what_is_not_there_is_answered_by_one_sentence(platform, argv, words):
    done = platform.slipway(*argv, check=1)
    assert words in done.err and done.err.startswith("slipway: ") and done.err.count("\n") == 1, done.err


def test_a_token_that_is_not_ours_is_refused(platform, tmp_path):
    config = yaml.safe_load((platform.data / "kubeconfig").read_text())
    config["users"][0]["user"]["token"] = "wrong"
    (tmp_path / "k").write_text(yaml.safe_dump(config))
    done = platform.slipway("get", "ns", "--kubeconfig", tmp_path / "k", check=1)
    assert done.err == "slipway: the platform does not know us (401): does the kubeconfig belong to it?\n"


# describe, status

def test_describe_says_how_a_database_is_by_zone(platform, orders):
    said = platform.slipway("describe", "database", "orders", "-n", orders).out
    assert "PostgreSQL   15, tier flexible, size small" in said
    assert "Servers, by zone:" in said and "orders-1" in said and "orders-2" in said
    assert "holds every write" in said and "no lag" in said
    assert "What happened" in said


def test_describe_never_shows_a_secret(platform, orders):
    secret = platform.secret("orders-app", orders)
    said = platform.slipway("describe", "secret", "orders-app", "-n", orders).out
    assert "password: (hidden)" in said and secret["password"] not in said


def test_status_is_the_whole_platform(platform, orders):
    done = platform.slipway("status", check=False)
    assert "Hosts: 3 of 3 ready" in done.out
    for zone in ("zone-a", "zone-b", "zone-c"):
        assert zone in done.out
    assert "orders" in done.out
    doc = platform.slipway("status", "-o", "json", check=False).json
    assert done.code == (1 if doc["troubles"] else 0)
    assert ("All is fine." in done.out) == (not doc["troubles"])


# connect, credentials

def test_connect_opens_psql_with_no_password_in_sight(platform, orders):
    done = platform.slipway("connect", "orders", "-n", orders, "--", "-XAtc", "select current_user, current_database()")
    assert done.out == "app|orders\n"
    secret = platform.secret("orders-app", orders)
    look = "\\! tr '\\0' '\\n' </proc/$PPID/cmdline; tr '\\0' '\\n' </proc/$PPID/environ"
    done = platform.slipway("connect", "orders", "-n", orders, "--", "-X", "-c", look)
    assert "PGSERVICEFILE=/dev/fd/" in done.out and secret["password"] not in done.out
    done = platform.slipway("connect", "orders", "-n", orders, "--", "-XAtc",
                            "select ssl from pg_stat_ssl where pid = pg_backend_pid()")
    assert done.out == "t\n"
    assert platform.slipway("connect", "orders", "-n", orders, "--", "-c", "select 1/0", check=1).err
    assert "has no role nope that may log in" in platform.slipway(
        "connect", "orders", "-n", orders, "--role", "nope", check=1).err


def test_credentials_are_shown(platform, orders):
    shown = platform.slipway("credentials", "show", "orders", "-n", orders, "-o", "json").json
    secret = platform.secret("orders-app", orders)
    for key in ("host", "port", "dbname", "user", "password", "uri", "jdbc-uri"):
        assert shown[key] == secret[key]
    text = platform.slipway("credentials", "show", "orders", "-n", orders).out
    assert f"password   {secret['password']}\n" in text


def test_credentials_are_rotated_without_a_restart(platform, orders):
    before = platform.secret("orders-app", orders)
    with platform.connect("orders", orders) as c:
        started = c.execute("select pg_postmaster_start_time()").fetchone()
        platform.slipway("credentials", "rotate", "orders", "-n", orders)

        def rotated():
            now = platform.slipway("credentials", "show", "orders", "-n", orders, "-o", "json").json
            return now if now["password"] != before["password"] else None
        harness.wait_for("a new password", rotated, 30)
        assert c.execute("select pg_postmaster_start_time()").fetchone() == started
    assert platform.slipway("connect", "orders", "-n", orders, "--", "-XAtc", "select 1").out == "1\n"


# delete, token

def test_delete_waits_until_it_is_gone(platform, ns):
    platform.slipway("apply", "-f", "-", "--wait", input=manifest(small("d", ns)), timeout=120)
    assert platform.slipway("delete", "database", "d", "-n", ns, "--wait", timeout=120).out == \
        "database.slipway.dev/d deleted\n"
    assert platform.get("database", "d", ns) is None
    assert not platform.kubectl("get", "members,secrets", "-n", ns, "-o", "name").out


def test_delete_of_what_is_protected_is_refused(platform, ns):
    platform.slipway("apply", "-f", "-", input=manifest(small("e", ns, deletionProtection=True)))
    done = platform.slipway("delete", "database", "e", "-n", ns, check=1)
    assert "protected from deletion" in done.err
    platform.slipway("apply", "-f", "-", input=manifest(small("e", ns, deletionProtection=False)))


def test_a_token_is_printed_alone(platform):
    done = platform.slipway("token", "create", "--zone", "zone-d", "--ttl", "60")
    assert len(done.out.split()) == 1 and "." in done.out
    assert "slipway agent --join https://" in done.err
    doc = platform.slipway("token", "create", "--zone", "zone-d", "-o", "json").json
    assert doc["token"] and doc["expires"]
    assert "zone" in platform.slipway("token", "create", "--zone", "Not A Zone", check=1).err
