"""An unmodified kubectl writes: create, apply of both kinds, diff, patch, edit, label, delete."""
import json
import subprocess

import pytest
import yaml

from harness import wait_for
from rest import unplaced


@pytest.fixture
def orders(platform, ns):
    platform.apply(unplaced("orders", ns))
    return ns


def spec(platform, ns, name="orders"):
    return platform.get("database", name, ns)["spec"]


def test_create_refuses_what_is_there(platform, ns):
    text = yaml.safe_dump(unplaced("orders", ns))
    assert platform.kubectl("create", "-f", "-", input=text).out == "database.slipway.dev/orders created\n"
    done = platform.kubectl("create", "-f", "-", input=text, check=1)
    assert '(AlreadyExists): error when creating "STDIN": databases.slipway.dev "orders" already exists' in done.err


def test_create_of_builtin_kinds(platform, ns):
    platform.kubectl("create", "namespace", f"{ns}-more")
    assert platform.get("namespace", f"{ns}-more")["status"]["phase"] == "Active"
    platform.kubectl("delete", "namespace", f"{ns}-more", timeout=60)
    platform.kubectl("create", "secret", "generic", "note", "-n", ns, "--from-literal=user=me", "--from-literal=pw=x=y")
    assert platform.secret("note", ns) == {"user": "me", "pw": "x=y"}
    done = platform.kubectl("create", "secret", "generic", "note", "-n", ns, "--from-literal=a=b", check=1)
    assert 'secrets "note" already exists' in done.err


def test_create_dry_run_writes_nothing(platform, ns):
    text = yaml.safe_dump(unplaced("orders", ns))
    out = platform.kubectl("create", "-f", "-", "--dry-run=server", "-o", "json", input=text).json
    assert out["spec"]["size"] == "small"  # as the server would have made it
    assert platform.get("database", "orders", ns) is None


def test_apply_creates_then_changes_then_leaves_alone(platform, ns):
    assert platform.apply(unplaced("orders", ns, size="medium")).out == "database.slipway.dev/orders created\n"
    assert platform.apply(unplaced("orders", ns, size="large")).out == "database.slipway.dev/orders configured\n"
    before = platform.get("database", "orders", ns)["metadata"]
    assert platform.apply(unplaced("orders", ns, size="large")).out == "database.slipway.dev/orders unchanged\n"
    after = platform.get("database", "orders", ns)["metadata"]
    assert (after["resourceVersion"], after["generation"]) == (before["resourceVersion"], 2)


def test_apply_takes_back_a_field_that_is_no_longer_in_the_manifest(platform, ns):
    platform.apply(unplaced("orders", ns, parameters={"work_mem": "8MB", "timezone": "UTC"}))
    platform.apply(unplaced("orders", ns, parameters={"timezone": "UTC"}))
    assert spec(platform, ns)["parameters"] == {"timezone": "UTC"}


def test_apply_of_several_documents(platform, ns):
    out = platform.apply(unplaced("one", ns), unplaced("two", ns)).out
    assert out == "database.slipway.dev/one created\ndatabase.slipway.dev/two created\n"


def server_side(platform, manifest, *argv, **kw):
    return platform.kubectl("apply", "--server-side", "-f", "-", *argv, input=yaml.safe_dump(manifest), **kw)


def test_server_side_apply_owns_its_fields_and_conflicts(platform, ns):
    server_side(platform, unplaced("orders", ns, size="small"), "--field-manager=team")
    server_side(platform, unplaced("orders", ns, size="small"), "--field-manager=team")
    done = server_side(platform, unplaced("orders", ns, size="large"), "--field-manager=other", check=1)
    assert 'Apply failed with 1 conflict: conflict with "team": .spec.size' in done.err
    assert spec(platform, ns)["size"] == "small"
    server_side(platform, unplaced("orders", ns, size="large"), "--field-manager=other", "--force-conflicts")
    assert spec(platform, ns)["size"] == "large"
    managers = {(m["manager"], m["operation"]) for m in platform.kubectl(
        "get", "db", "orders", "-n", ns, "-o", "json", "--show-managed-fields").json["metadata"]["managedFields"]}
    assert {("team", "Apply"), ("other", "Apply")} <= managers


def test_server_side_apply_removes_what_its_manager_no_longer_names(platform, ns):
    server_side(platform, unplaced("orders", ns, parameters={"work_mem": "8MB"}), "--field-manager=team")
    server_side(platform, unplaced("orders", ns, parameters={"timezone": "UTC"}), "--field-manager=team")
    assert spec(platform, ns)["parameters"] == {"timezone": "UTC"}


def test_server_side_apply_goes_on_from_client_side_apply(platform, ns):
    platform.apply(unplaced("orders", ns, size="small", storage="10Gi"))
    server_side(platform, unplaced("orders", ns, size="large"))
    assert spec(platform, ns)["size"] == "large"
    platform.apply(unplaced("orders", ns, size="medium"))
    assert spec(platform, ns)["size"] == "medium"


def test_server_side_apply_does_not_take_what_was_edited_since_the_client_side_one(platform, ns):
    platform.apply(unplaced("orders", ns, size="small"))
    platform.kubectl("patch", "db", "orders", "-n", ns, "--type=merge", "-p", '{"spec":{"size":"medium"}}')
    done = server_side(platform, unplaced("orders", ns, size="large"), check=1)
    assert "Apply failed with 1 conflict" in done.err and 'conflict with "kubectl-patch"' in done.err
    assert spec(platform, ns)["size"] == "medium"


def test_an_edit_conflicts_with_what_server_side_apply_owns(platform, ns):
    server_side(platform, unplaced("orders", ns, size="small"), "--field-manager=team")
    platform.kubectl("patch", "db", "orders", "-n", ns, "--type=merge", "-p", '{"spec":{"size":"medium"}}')
    done = server_side(platform, unplaced("orders", ns, size="large"), "--field-manager=team", check=1)
    assert 'conflict with "kubectl-patch" using slipway.dev/v1' in done.err


def test_diff_says_with_its_exit_code_whether_something_would_change(platform, orders):
    same = platform.kubectl("diff", "-f", "-", input=yaml.safe_dump(unplaced("orders", orders)))
    assert same.out == ""
    other = platform.kubectl("diff", "-f", "-", input=yaml.safe_dump(unplaced("orders", orders, size="large")), check=1)
    assert "-  size: small" in other.out and "+  size: large" in other.out
    assert spec(platform, orders)["size"] == "small"
    new = platform.kubectl("diff", "-f", "-", input=yaml.safe_dump(unplaced("new", orders)), check=1)
    assert "+  name: new" in new.out
    side = platform.kubectl(
        "diff", "--server-side", "--force-conflicts", "-f", "-", check=1,
        input=yaml.safe_dump(unplaced("orders", orders, size="large")))
    assert "+  size: large" in side.out


def test_label_and_annotate(platform, orders):
    platform.kubectl("label", "db", "orders", "-n", orders, "team=payments", "env=dev")
    platform.kubectl("annotate", "db", "orders", "-n", orders, "example.com/note=hello")
    meta = platform.get("database", "orders", orders)["metadata"]
    assert meta["labels"] == {"team": "payments", "env": "dev"}
    assert meta["annotations"]["example.com/note"] == "hello"
    assert meta["generation"] == 1  # labels are no wish
    platform.kubectl("label", "db", "orders", "-n", orders, "env-")
    assert platform.get("database", "orders", orders)["metadata"]["labels"] == {"team": "payments"}
    done = platform.kubectl("label", "db", "orders", "-n", orders, "team=sales", check=1)
    assert "already has a value" in done.err
    platform.kubectl("label", "namespace", orders, "slipway.dev/team=payments")


def test_patch_merge_and_json(platform, orders):
    def patch(type, text, **kw):
        return platform.kubectl("patch", "db", "orders", "-n", orders, f"--type={type}", "-p", json.dumps(text), **kw)
    patch("merge", {"spec": {"size": "medium", "parameters": {"work_mem": "8MB"}}})
    assert spec(platform, orders)["parameters"] == {"work_mem": "8MB"}
    patch("merge", {"spec": {"parameters": None}})
    assert "parameters" not in spec(platform, orders)
    patch("json", [{"op": "test", "path": "/spec/size", "value": "medium"},
                   {"op": "replace", "path": "/spec/size", "value": "large"}])
    assert spec(platform, orders)["size"] == "large"
    assert "The request is invalid" in patch("json", [{"op": "remove", "path": "/spec/nothing"}], check=1).err
    assert "is not supported" in patch("strategic", {"spec": {}}, check=1).err


def test_patch_of_a_builtin_kind_merges_strategically(platform, ns):
    platform.kubectl("create", "secret", "generic", "note", "-n", ns, "--from-literal=a=b")
    platform.kubectl("patch", "secret", "note", "-n", ns, "-p", '{"stringData":{"c":"d"}}')
    assert platform.secret("note", ns) == {"a": "b", "c": "d"}


def test_edit_writes_what_the_editor_left(platform, orders):
    done = subprocess.run(
        ["kubectl", "edit", "db", "orders", "-n", orders], capture_output=True, text=True,
        env={**platform.env, "EDITOR": "sed -i 's/size: small/size: medium/'"})
    assert done.returncode == 0 and "orders edited" in done.stdout, done
    assert spec(platform, orders)["size"] == "medium"


def test_replace_refuses_a_stale_revision(platform, orders):
    old = platform.get("database", "orders", orders)
    platform.kubectl("label", "db", "orders", "-n", orders, "a=b")
    done = platform.kubectl("replace", "-f", "-", input=json.dumps(old), check=1)
    assert "(Conflict)" in done.err and "the object has been modified" in done.err


def test_replace_with_the_current_revision(platform, orders):
    now = platform.get("database", "orders", orders)
    now["spec"]["size"] = "large"
    platform.kubectl("replace", "-f", "-", input=json.dumps(now))
    assert spec(platform, orders)["size"] == "large"


def test_delete_waits_for_finalizers(platform, orders):
    platform.kubectl("patch", "db", "orders", "-n", orders, "--type=merge", "-p",
                     '{"metadata":{"finalizers":["example.com/hold"]}}')
    delete = subprocess.Popen(["kubectl", "delete", "db", "orders", "-n", orders], env=platform.env,
                              stdout=subprocess.DEVNULL)
    wait_for("its deletion to be asked for",
             lambda: platform.get("database", "orders", orders)["metadata"].get("deletionTimestamp"))
    assert delete.poll() is None
    platform.kubectl("patch", "db", "orders", "-n", orders, "--type=json", "-p",
                     '[{"op":"remove","path":"/metadata/finalizers"}]')
    assert delete.wait(20) == 0
    assert platform.get("database", "orders", orders) is None


def test_delete_of_a_protected_database_is_refused(platform, ns):
    platform.apply(unplaced("orders", ns, deletionProtection=True))
    done = platform.kubectl("delete", "db", "orders", "-n", ns, check=1)
    assert "(Forbidden)" in done.err and "deletionProtection" in done.err
    platform.kubectl("patch", "db", "orders", "-n", ns, "--type=merge", "-p", '{"spec":{"deletionProtection":false}}')
    platform.kubectl("delete", "db", "orders", "-n", ns)


def test_delete_by_label_and_of_all(platform, ns):
    platform.apply(*(unplaced(f"db-{i}", ns) for i in range(4)))
    platform.kubectl("label", "db", "db-1", "-n", ns, "go=now")
    platform.kubectl("delete", "db", "-n", ns, "-l", "go=now")
    assert platform.kubectl("get", "db", "-n", ns, "-o", "name").out.count("\n") == 3
    platform.kubectl("delete", "db", "-n", ns, "--all")
    assert "No resources found" in platform.kubectl("get", "db", "-n", ns).err
    assert "(NotFound)" in platform.kubectl("delete", "db", "db-1", "-n", ns, check=1).err


def test_delete_of_a_namespace_takes_what_is_in_it(platform, ns):
    platform.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"{ns}-gone"}})
    platform.apply(unplaced("orders", f"{ns}-gone"))
    platform.kubectl("delete", "namespace", f"{ns}-gone", timeout=60)
    assert platform.get("namespace", f"{ns}-gone") is None
    assert platform.get("database", "orders", f"{ns}-gone") is None


def test_status_can_be_patched_apart_from_spec(platform, orders):
    def patch(*argv):
        platform.kubectl("patch", "db", "orders", "-n", orders, "--type=merge", *argv)
    patch("-p", '{"status":{"note":"not through this door"}}')
    assert "note" not in platform.get("database", "orders", orders).get("status", {})
    try:
        patch("--subresource=status", "-p", '{"status":{"note":"seen"},"spec":{"size":"large"}}')
    except AssertionError as e:
        if "unknown flag: --subresource" in str(e):
            pytest.skip("this kubectl is older than --subresource")
        raise
    now = platform.get("database", "orders", orders)
    assert now["status"]["note"] == "seen" and now["spec"]["size"] == "small"
