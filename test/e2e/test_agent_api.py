"""The agents' side of the API: joining, wants, reports; and that a host reaches nothing else."""
import json
import subprocess
import time
import uuid

import pytest

import rest
from harness import wait_for
from rest import Rest, members, unplaced

MERGE = {"Content-Type": "application/merge-patch+json"}


@pytest.fixture
def api(platform):
    return Rest(platform)


@pytest.fixture
def name():
    return f"host-{uuid.uuid4().hex[:8]}"


def csr(folder, name):
    key, request = folder / f"{name}.key", folder / f"{name}.csr"
    subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", key, "-out", request, "-subj", "/CN=ignored"], check=True, capture_output=True)
    return request.read_text()


def token(api, zone="zone-x", **kw):
    return api.call("POST", "/agent/v1/tokens", {"zone": zone, **kw}, code=201).json["token"]


def ask(platform, token, request, name, zone="zone-x", address="127.0.9.1", **kw):
    return Rest(platform, token=None).call("POST", "/agent/v1/join", {
        "token": token, "csr": request, "name": name, "zone": zone, "address": address}, **kw)


@pytest.fixture
def host(platform, api, tmp_path, name):
    """A host that has joined, as a client with its certificate; it goes away with the test."""
    answer = ask(platform, token(api), csr(tmp_path, name), name, code=201).json
    (tmp_path / "crt").write_text(answer["certificate"])
    client = Rest(platform, token=None, cert=(tmp_path / "crt", tmp_path / f"{name}.key"))
    client.name = name
    yield client
    api.call("DELETE", f"/apis/slipway.dev/v1/hosts/{name}")


@pytest.fixture
def member(api, ns, host):
    """A Member on that host, with a role whose verifier is known."""
    api.call("POST", rest.secrets(ns), {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "orders-app-verifier"},
        "type": "slipway.dev/verifier", "stringData": {"verifier": "SCRAM-SHA-256$4096:abc"}}, code=201)
    made = api.call("POST", members(ns), {
        "apiVersion": "slipway.dev/v1", "kind": "Member", "metadata": {"name": "orders-1"},
        "spec": {"database": "orders", "host": host.name, "version": "15", "role": "primary", "epoch": 1,
                 "settings": {"work_mem": "4MB"}, "roles": [{"name": "app", "login": True, "credential": 1}]}}, code=201).json
    yield made
    api.call("DELETE", f"{members(ns)}/orders-1")


def report(host, *found, code=200, query=""):
    """In the form in which an agent writes it: without a blank."""
    body = json.dumps({
        "version": "0.1.0", "address": "127.0.9.1", "postgres": [{"major": "15", "version": "15.1", "path": "/x"}],
        "capacity": {"memoryBytes": 1 << 30, "cpus": 2, "diskFreeBytes": (5 << 30) + 7}, "members": list(found),
    }, separators=(",", ":"))

    def answered():
        answer = host.call("POST", f"/agent/v1/report{query}", body)
        return answer if answer.code == code else None
    return wait_for("the host to be known", answered)


def told(made, lsn="0/3000148", lag=0, **status):
    meta = made["metadata"]
    return {"uid": meta["uid"], "namespace": meta["namespace"], "name": meta["name"],
            "status": {"state": "Running", **status}, "live": {"lsn": lsn, "lagBytes": lag}}


def test_the_ca_is_for_everybody_and_its_fingerprint_in_the_token(platform, api, tmp_path):
    pem = Rest(platform, token=None).get("/agent/v1/ca", code=200).body.decode()
    assert pem.strip() == api.ca.strip()
    (tmp_path / "ca").write_text(pem)
    out = subprocess.run(["openssl", "x509", "-in", tmp_path / "ca", "-noout", "-fingerprint", "-sha256"],
                         check=True, capture_output=True, text=True).stdout
    fingerprint = out.strip().partition("=")[2].replace(":", "").lower()
    secret, pin = token(api).split(".")
    assert pin == fingerprint[:32] and len(secret) >= 32


def test_a_token_joins_one_host_once(platform, api, tmp_path, name):
    once = token(api)
    request = csr(tmp_path, name)
    answer = ask(platform, once, request, name, code=201).json
    assert answer["name"] == name and "BEGIN CERTIFICATE" in answer["certificate"]
    made = platform.get("host", name)
    assert made["spec"]["zone"] == "zone-x" and made["status"]["address"] == "127.0.9.1"
    again = ask(platform, once, request, f"{name}-b", code=401)
    assert "unknown, used up or too old" in again.json["message"]
    assert platform.get("host", f"{name}-b") is None
    platform.kubectl("delete", "host", name)


def test_a_token_expires(platform, api, tmp_path, name):
    short = token(api, ttlSeconds=1)
    request = csr(tmp_path, name)
    deadline = time.monotonic() + 1.5
    wait_for("a second to pass", lambda: time.monotonic() > deadline)
    ask(platform, short, request, name, code=401)


def test_a_token_is_not_spent_by_a_request_that_is_wrong(platform, api, tmp_path, name):
    one = token(api)
    request = csr(tmp_path, name)
    assert "zone zone-x, not for zone-y" in ask(platform, one, request, name, zone="zone-y", code=403).json["message"]
    assert "csr" in ask(platform, one, "no request", name, code=400).json["message"]
    assert "name" in ask(platform, one, request, "Bad Name", code=400).json["message"]
    assert "address" in ask(platform, one, request, name, address="nowhere", code=400).json["message"]
    ask(platform, one, request, name, code=201)
    platform.kubectl("delete", "host", name)


def test_a_name_that_is_taken_needs_a_token_for_it(platform, api, host, tmp_path):
    report(host)
    wait_for("the host to be told of", lambda: platform.get("host", host.name)["status"].get("agentVersion"))
    request = csr(tmp_path, "again")
    assert "has joined already" in ask(platform, token(api), request, host.name, code=409).json["message"]
    ask(platform, token(api, name=host.name), request, host.name, code=201)


def test_only_an_admin_makes_tokens(platform, host):
    assert Rest(platform, token=None).call("POST", "/agent/v1/tokens", {"zone": "a"}).code == 401
    assert host.call("POST", "/agent/v1/tokens", {"zone": "a"}).code == 403


def test_a_host_reaches_its_own_door_only(platform, host, ns):
    for path in ("/api", "/apis/slipway.dev/v1/hosts", rest.secrets(ns), rest.databases(ns),
                 f"/terraform/v1/state/{ns}/a", "/openapi/v3"):
        assert host.get(path).code == 403, path
    assert host.call("POST", rest.databases(ns), unplaced("a", ns)).code == 403
    assert Rest(platform).get("/agent/v1/wants").code == 403  # and an admin is no host


def test_wants_come_whole_and_at_once(api, ns, host, member):
    with host.stream("/agent/v1/wants") as lines:
        first = next(line for line in lines if line["type"] == "wants" and line["members"])
        want = first["members"][0]
        assert (want["uid"], want["name"], want["deleting"]) == (member["metadata"]["uid"], "orders-1", False)
        assert want["spec"]["settings"] == {"work_mem": "4MB"}
        assert want["spec"]["roles"][0]["verifier"] == "SCRAM-SHA-256$4096:abc"
        began = time.monotonic()
        api.call("PATCH", f"{members(ns)}/orders-1", {"spec": {"restart": 1}}, MERGE, code=200)
        second = next(line for line in lines if line["type"] == "wants")
        assert second["members"][0]["spec"]["restart"] == 1 and time.monotonic() - began < 2
        assert int(second["revision"]) > int(first["revision"])
        api.call("PATCH", f"{rest.secrets(ns)}/orders-app-verifier", {"stringData": {"verifier": "new"}}, MERGE)
        third = next(line for line in lines if line["type"] == "wants")
        assert third["members"][0]["spec"]["roles"][0]["verifier"] == "new"


def test_a_role_without_a_password_of_its_own_gets_no_verifier(api, ns, host, member):
    api.call("PATCH", f"{members(ns)}/orders-1", {"spec": {"roles": [{"name": "app", "login": True}]}}, MERGE, code=200)
    with host.stream("/agent/v1/wants") as lines:
        roles = next(w["members"][0]["spec"]["roles"] for w in lines if w["type"] == "wants" and w["members"]
                     and "credential" not in w["members"][0]["spec"]["roles"][0])
        assert roles == [{"name": "app", "login": True}]


def test_a_report_that_comes_late_changes_nothing(api, ns, host, member):
    def tell(state, boot, sequence, code=200):
        return report(host, told(member, state=state), code=code, query=f"?boot={boot}&sequence={sequence}")

    def state():
        return api.get(f"{members(ns)}/orders-1").json.get("status", {}).get("state")

    tell("Starting", 7, 9)
    tell("Running", 8, 1)  # another life of the agent
    wait_for("the status", lambda: state() == "Running")
    for boot, sequence in (7, 10), (8, 1), (8, 0):
        late = tell("Failed", boot, sequence, code=409)
        assert f"report {sequence} of boot {boot} is older than 1 of boot 8" in late.json["message"]
    tell("Running", 8, 2)
    assert state() == "Running"


def test_a_member_that_is_being_deleted_is_wanted_as_such(api, ns, host, member):
    api.call("PATCH", f"{members(ns)}/orders-1", {"metadata": {"finalizers": ["slipway.dev/member"]}}, MERGE, code=200)
    with host.stream("/agent/v1/wants") as lines:
        next(line for line in lines if line["type"] == "wants" and line["members"])
        api.call("DELETE", f"{members(ns)}/orders-1", code=200)
        assert next(line for line in lines if line["type"] == "wants")["members"][0]["deleting"] is True
        api.call("PATCH", f"{members(ns)}/orders-1", {"metadata": {"finalizers": None}}, MERGE, code=200)
        assert next(line for line in lines if line["type"] == "wants")["members"] == []


def test_a_silent_stream_pings(host):
    with host.stream("/agent/v1/wants", timeout=15) as lines:
        assert next(line for line in lines if line["type"] != "wants") == {"type": "ping"}


def test_a_report_becomes_status_once_and_live_values_at_once(platform, api, ns, host, member):
    def written():  # as an agent does: again until it is in
        report(host, told(member, role="primary", endpoint="127.0.9.1:5433"))
        o = platform.get("member", "orders-1", ns)
        return o.get("status", {}).get("state") == "Running" and o
    seen = wait_for("the status to be written", written)
    assert seen["status"]["endpoint"] == "127.0.9.1:5433"
    assert (seen["status"]["lsn"], seen["status"]["lagBytes"]) == ("0/3000148", 0)
    report(host, told(member, "0/4000000", 7, role="primary", endpoint="127.0.9.1:5433"))
    after = platform.get("member", "orders-1", ns)
    assert (after["status"]["lsn"], after["status"]["lagBytes"]) == ("0/4000000", 7)
    assert after["metadata"]["resourceVersion"] == seen["metadata"]["resourceVersion"]  # no row was written
    listed = api.get(members(ns)).json["items"][0]["status"]
    assert listed["lsn"] == "0/4000000"
    report(host, told(member, "0/4000000", 7, role="primary", endpoint="127.0.9.1:9999"))
    wait_for("the change to be written", lambda: platform.get(
        "member", "orders-1", ns)["status"]["endpoint"] == "127.0.9.1:9999")


def test_what_a_report_repeats_is_written_again_where_the_row_lost_it(platform, api, ns, host, member):
    def state():
        return platform.get("member", "orders-1", ns).get("status", {}).get("state")

    report(host, told(member))
    wait_for("the status to be written", lambda: state() == "Running")
    report(host, told(member))
    api.call("PATCH", f"{members(ns)}/orders-1/status", {"status": {"state": "Failed"}}, MERGE, code=200)

    def is_back():
        report(host, told(member))  # in the very same words
        return state() == "Running"
    wait_for("the status to be written again", is_back)
    platform.kubectl("delete", "member", "orders-1", "-n", ns)
    report(host, told(member))
    made = api.call("POST", members(ns), {
        "apiVersion": "slipway.dev/v1", "kind": "Member", "metadata": {"name": "orders-1"},
        "spec": {**member["spec"], "host": host.name}}, code=201).json
    report(host, told(member))  # of the one that is no more
    assert state() is None

    def is_there():
        report(host, told(made))
        return state() == "Running"
    wait_for("the new one's status to be written", is_there)


def test_a_report_tells_of_the_host(platform, host):
    report(host)
    seen = wait_for("the status to be written", lambda: (
        o := platform.get("host", host.name))["status"].get("majors") and o)["status"]
    assert seen["majors"] == "15" and seen["agentVersion"] == "0.1.0"
    assert seen["capacity"]["diskFreeBytes"] == 5 << 30  # whole GiB: a breath of the disk writes no row
    assert seen["memberCount"] == 0 and seen["lastHeard"]


def test_a_report_of_another_hosts_member_is_refused(platform, api, ns, member, tmp_path, name):
    other = f"{name}-b"
    answer = ask(platform, token(api), csr(tmp_path, other), other, code=201).json
    (tmp_path / "crt-b").write_text(answer["certificate"])
    client = Rest(platform, token=None, cert=(tmp_path / "crt-b", tmp_path / f"{other}.key"))
    report(client, told(member, state="Failed"), code=409)
    assert platform.get("member", "orders-1", ns).get("status", {}).get("state") != "Failed"
    platform.kubectl("delete", "host", other)


def test_a_broken_report_is_refused(host):
    report(host)
    for body in ("{", "[]", "{}", '{"members": 1}', '{"members": [1, null, {"uid": 5}]}'):
        answer = host.call("POST", "/agent/v1/report", body)
        assert answer.code in (200, 400), str(answer)
    report(host)


def test_a_host_that_was_deleted_is_told_nothing_more(platform, api, tmp_path, name):
    answer = ask(platform, token(api), csr(tmp_path, name), name, code=201).json
    (tmp_path / "crt").write_text(answer["certificate"])
    client = Rest(platform, token=None, cert=(tmp_path / "crt", tmp_path / f"{name}.key"))
    report(client)
    platform.kubectl("delete", "host", name)
    wait_for("its reports to be refused", lambda: client.call("POST", "/agent/v1/report", {"members": []}).code == 404)
    assert client.get("/agent/v1/wants").code == 404


def test_a_certificate_is_renewed_for_the_same_name(host, tmp_path):
    answer = host.call("POST", "/agent/v1/renew", {"csr": csr(tmp_path, "new")}, code=200).json
    (tmp_path / "new.crt").write_text(answer["certificate"])
    out = subprocess.run(["openssl", "x509", "-in", tmp_path / "new.crt", "-noout", "-subject", "-ext",
                          "subjectAltName"], check=True, capture_output=True, text=True).stdout
    assert host.name in out and "slipway:hosts" in out and "127.0.9.1" in out


def test_live_values_reach_a_database(platform, api, ns, host, member):
    api.call("POST", rest.databases(ns), unplaced("orders", ns), code=201)
    api.call("PATCH", f"{rest.databases(ns)}/orders/status", {"status": {"members": [{"name": "orders-1"}]}}, MERGE)
    report(host, told(member))
    found = json.loads(platform.kubectl("get", "db", "orders", "-n", ns, "-o", "json").out)
    if found["status"].get("members"):  # unless its controller has set it anew
        assert found["status"]["members"][0]["lsn"] == "0/3000148"
