"""Watches and lists keep what clients build on: revisions, bookmarks, pages, 410 Gone."""
import pytest

from harness import wait_for
from rest import Rest, databases, unplaced

MERGE = {"Content-Type": "application/merge-patch+json"}


@pytest.fixture
def api(platform):
    return Rest(platform)


def label(api, ns, name, **labels):
    return api.call("PATCH", f"{databases(ns)}/{name}", {"metadata": {"labels": labels}}, MERGE, code=200).json


def until(events, name, type):
    """Skips what controllers do to other objects meanwhile."""
    return next(e for e in events if e["type"] == type and e["object"]["metadata"].get("name") == name)


def test_a_watch_from_a_revision_has_every_change_after_it_once(api, ns):
    api.call("POST", databases(ns), unplaced("before", ns), code=201)
    revision = api.get(databases(ns)).json["metadata"]["resourceVersion"]
    api.call("POST", databases(ns), unplaced("orders", ns), code=201)
    for i in range(5):
        label(api, ns, "orders", n=str(i))
    api.call("DELETE", f"{databases(ns)}/orders", code=200)
    with api.stream(f"{databases(ns)}?watch=1&resourceVersion={revision}&fieldSelector=metadata.name%3Dorders") as events:
        assert next(events)["type"] == "ADDED"
        seen, last = [], None
        for e in events:
            last = e
            n = e["object"]["metadata"].get("labels", {}).get("n")
            if n is not None and n not in seen:
                seen.append(n)
            if e["type"] == "DELETED":
                break
        assert seen == ["0", "1", "2", "3", "4"] and last["type"] == "DELETED"


def test_a_watch_without_a_revision_begins_with_all_there_is(api, ns):
    api.call("POST", databases(ns), unplaced("orders", ns), code=201)
    for query in ("watch=1", "watch=true&resourceVersion=0"):
        with api.stream(f"{databases(ns)}?{query}") as events:
            first = next(events)
            assert (first["type"], first["object"]["metadata"]["name"]) == ("ADDED", "orders")


def test_send_initial_events_ends_with_a_bookmark(api, ns):
    api.call("POST", databases(ns), unplaced("orders", ns), code=201)
    query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    with api.stream(f"{databases(ns)}?{query}") as events:
        assert next(events)["object"]["metadata"]["name"] == "orders"
        mark = next(e for e in events if e["type"] == "BOOKMARK")["object"]
        assert mark["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        assert int(mark["metadata"]["resourceVersion"]) > 0 and mark["kind"] == "Database"


def test_a_label_selector_turns_changes_into_additions_and_deletions(api, ns):
    api.call("POST", databases(ns), unplaced("orders", ns), code=201)
    revision = api.get(databases(ns)).json["metadata"]["resourceVersion"]
    with api.stream(f"{databases(ns)}?watch=1&resourceVersion={revision}&labelSelector=in%3Dyes") as events:
        label(api, ns, "orders", **{"in": "yes"})
        assert next(events)["type"] == "ADDED"
        label(api, ns, "orders", **{"in": "no"})
        assert next(e for e in events if e["type"] != "MODIFIED")["type"] == "DELETED"


def test_a_watch_ends_when_its_time_is_over(api, ns):
    with api.stream(f"{databases(ns)}?watch=1&resourceVersion=0&timeoutSeconds=1", timeout=10) as events:
        assert [e for e in events if e["type"] == "ERROR"] == []


def test_a_watch_as_a_table_tells_its_columns_once(api, ns):
    api.call("POST", databases(ns), unplaced("orders", ns), code=201)
    accept = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    with api.stream(f"{databases(ns)}?watch=1", headers=accept) as events:
        first = next(events)["object"]
        assert first["kind"] == "Table" and first["columnDefinitions"][0]["name"] == "Name"
        assert first["rows"][0]["cells"][0] == "orders"
        label(api, ns, "orders", a="b")
        # a controller may write its status in between
        second = next(t for t in (e["object"] for e in events) if t["rows"][0]["object"]["metadata"].get("labels"))
        assert second["columnDefinitions"] == [] and second["rows"][0]["object"]["metadata"]["labels"] == {"a": "b"}


def test_metadata_alone_can_be_listed_and_watched(api, ns):
    api.call("POST", databases(ns), unplaced("orders", ns), code=201)
    accept = {"Accept": "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"}
    found = api.get(databases(ns), headers=accept).json
    assert found["kind"] == "PartialObjectMetadataList" and "spec" not in found["items"][0]
    with api.stream(f"{databases(ns)}?watch=1", headers={"Accept": accept["Accept"].replace("List", "")}) as events:
        assert next(events)["object"]["kind"] == "PartialObjectMetadata"


def test_pages_keep_the_revision_of_the_first_one(api, ns):
    for i in range(7):
        api.call("POST", databases(ns), unplaced(f"db-{i}", ns), code=201)
    names, token, revisions = [], "", set()
    while token is not None:
        page = api.get(f"{databases(ns)}?limit=3&continue={token}").json
        names += [o["metadata"]["name"] for o in page["items"]]
        revisions.add(page["metadata"]["resourceVersion"])
        token = page["metadata"].get("continue")
        api.call("POST", databases(ns), unplaced(f"z-{len(names)}", ns), code=201)
    assert names[:7] == [f"db-{i}" for i in range(7)] and len(names) == len(set(names)) and len(revisions) == 1


def test_pages_of_a_selection_are_full(api, ns):
    for i in range(8):
        api.call("POST", databases(ns), unplaced(f"db-{i}", ns), code=201)
        label(api, ns, f"db-{i}", even=str(i % 2 == 0))
    page = api.get(f"{databases(ns)}?limit=3&labelSelector=even%3DTrue").json
    assert [o["metadata"]["name"] for o in page["items"]] == ["db-0", "db-2", "db-4"]
    rest = api.get(f"{databases(ns)}?limit=3&labelSelector=even%3DTrue&continue={page['metadata']['continue']}").json
    assert [o["metadata"]["name"] for o in rest["items"]] == ["db-6"] and "continue" not in rest["metadata"]


def test_deletecollection_deletes_what_is_selected(api, ns):
    for i in range(4):
        api.call("POST", databases(ns), unplaced(f"db-{i}", ns), code=201)
    label(api, ns, "db-2", keep="yes")
    api.call("DELETE", f"{databases(ns)}?labelSelector=!keep", code=200)
    wait_for("the others to be gone", lambda: [
        o["metadata"]["name"] for o in api.get(databases(ns)).json["items"]] == ["db-2"])


def test_a_write_that_changes_nothing_makes_no_revision(api, ns):
    made = api.call("POST", databases(ns), unplaced("orders", ns), code=201).json
    first = label(api, ns, "orders", a="b")["metadata"]["resourceVersion"]
    assert label(api, ns, "orders", a="b")["metadata"]["resourceVersion"] == first
    assert made["metadata"]["uid"] == label(api, ns, "orders", a="c")["metadata"]["uid"]


def test_many_writers_of_one_object_lose_no_update(api, ns):
    import concurrent.futures
    api.call("POST", databases(ns), unplaced("orders", ns), code=201)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: retry_label(api, ns, i), range(40)))
    labels = api.get(f"{databases(ns)}/orders").json["metadata"]["labels"]
    assert labels == {f"l{i}": "x" for i in range(40)}


def retry_label(api, ns, i):
    """A merge patch is tried again by the server; only when it gives up we try again ourselves."""
    for _ in range(20):
        answer = api.call("PATCH", f"{databases(ns)}/orders", {"metadata": {"labels": {f"l{i}": "x"}}}, MERGE)
        if answer.code != 409:
            assert answer.code == 200, str(answer)
            return
    raise AssertionError("409 twenty times")


def test_the_documents_of_openapi_are_addressed_by_their_hash(api):
    paths = api.get("/openapi/v3").json["paths"]
    for name in ("api/v1", "apis/slipway.dev/v1"):
        answer = api.get(paths[name]["serverRelativeURL"])
        assert answer.code == 200 and "immutable" in answer.headers["Cache-Control"]
        assert answer.json["openapi"] == "3.0.0"
    assert api.get("/openapi/v2").json["swagger"] == "2.0"


def test_both_forms_of_discovery_agree(api):
    accept = {"Accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"}
    new = api.get("/apis", headers=accept)
    assert "as=APIGroupDiscoveryList" in new.headers["Content-Type"]
    old = {g["name"] for g in api.get("/apis").json["groups"]}
    assert {g["metadata"]["name"] for g in new.json["items"]} == old
    resources = {r["name"] for r in api.get("/apis/slipway.dev/v1").json["resources"]}
    assert {"databases", "databases/status", "members", "hosts"} <= resources


def test_history_that_is_gone_is_said_with_410(own_platform):
    """Compaction is by age: a change_log without its oldest rows is made by hand."""
    api = Rest(own_platform)
    own_platform.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}})
    revision = int(api.get("/api/v1/namespaces").json["metadata"]["resourceVersion"])
    for i in range(5):
        api.call("PATCH", "/api/v1/namespaces/a", {"metadata": {"labels": {"n": str(i)}}}, MERGE, code=200)
    own_platform.system_sql("SELECT slipway.compact(now() + interval '1 hour', 1000000, 100000)")
    with api.stream(f"/api/v1/namespaces?watch=1&resourceVersion={revision}") as events:
        error = next(e for e in events if e["type"] == "ERROR")["object"]
        assert (error["code"], error["reason"]) == (410, "Expired")
