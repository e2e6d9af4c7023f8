"""Credentials of a live Database: a new password is made without a break, and the old one ends when it was said to."""
import base64
import datetime
import os
import pty
import subprocess

import psycopg
import pytest

import rest
from harness import database, namespace, wait_for
from rest import Rest

NS = "credentials"


@pytest.fixture(scope="module")
def orders(platform):
    """A Database that is Ready, for tests that leave it with a password that works."""
    platform.apply(namespace(NS), database("orders", NS, version="15"))
    platform.wait_database("orders", NS)
    yield
    platform.kubectl("delete", "namespace", NS, timeout=90)


def rotate(platform):
    """Asks for a new password, and waits until it is made, without a look at the Secret: that would be to fetch it."""
    made = made_count(platform)
    said = platform.slipway("credentials", "rotate", "orders", "-n", NS)
    assert "the old ones work until the new have been fetched" in said.err
    wait_for("a new password to be made", lambda: made_count(platform) > made)


def made_count(platform):
    """How many times, by the events."""
    events = platform.kubectl("get", "events", "-n", NS, "-o", "json").json["items"]
    return sum(e.get("count", 1) for e in events if e["reason"] == "CredentialsRotated")


def works(uri):
    try:
        with psycopg.connect(uri, connect_timeout=10) as c:
            return c.execute("select true").fetchone()[0]
    except psycopg.OperationalError as e:
        assert "password authentication failed" in str(e)
        return False


def uri(platform):
    return platform.secret("orders-app", NS)["uri"]


def test_the_old_password_works_until_the_new_one_was_fetched(platform, orders):
    old = uri(platform)
    with psycopg.connect(old, autocommit=True) as c:
        started = c.execute("select pg_postmaster_start_time()").fetchone()
        rotate(platform)
        assert works(old), "nobody has fetched the new one yet"
        new = uri(platform)
        assert new != old
        assert works(new), "it works as soon as it can be read"
        assert not works(old)
        assert c.execute("select pg_postmaster_start_time()").fetchone() == started, "an open connection stays"


def test_the_old_password_works_for_an_hour_at_most(platform, orders):
    old = uri(platform)
    rotate(platform)
    api, secret = Rest(platform), f"{rest.secrets(NS)}/orders-app"
    merge = {"Content-Type": "application/merge-patch+json"}

    def made_ago(**ago):
        at = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(**ago)
        text = at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        api.call("PATCH", secret, {"metadata": {"annotations": {"slipway.dev/rotated-at": text}}}, merge, code=200)
    made_ago(minutes=59)
    platform.kubectl("annotate", "database", "orders", "-n", NS, "example.com/look=again", "--overwrite")
    assert works(old), "a minute is left"
    made_ago(minutes=61)
    wait_for("the old password to be refused", lambda: not works(old))
    assert works(uri(platform))


def test_a_rotation_is_seen_by_every_way_to_read(platform, orders):
    """However the new password is read, it works then."""
    for way in (["get", "secrets"], ["get", "secret", "orders-app"]):
        rotate(platform)
        items = platform.kubectl(*way, "-n", NS, "-o", "json").json
        found = [i for i in items.get("items", [items]) if i["metadata"]["name"] == "orders-app"][0]
        assert works(base64.b64decode(found["data"]["uri"]).decode()), way
    rotate(platform)
    shown = platform.slipway("credentials", "show", "orders", "-n", NS, "-o", "json").json
    assert works(shown["uri"])


def test_a_watch_tells_a_password_when_it_works(platform, orders):
    def told(event):
        return base64.b64decode(event["object"]["data"]["uri"]).decode()

    old, watch = uri(platform), f"{rest.secrets(NS)}?watch=true&fieldSelector=metadata.name=orders-app"
    with Rest(platform).stream(watch) as events:
        assert told(next(events)) == old
        rotate(platform)
        assert works(old)
        new = uri(platform)
        first = next(e for e in events if told(e) == new)
        assert "slipway.dev/rotation" not in first["object"]["metadata"]["annotations"], "it was told before it worked"
    rotate(platform)
    with Rest(platform).stream(watch) as events:
        assert works(told(next(events))), "who begins to watch has fetched it"


def test_connect_on_a_terminal_is_psql(platform, orders):
    ours, theirs = pty.openpty()
    psql = subprocess.Popen([platform.bin, "connect", "orders", "-n", NS, "--", "-X"], stdin=theirs, stdout=theirs,
                            stderr=theirs, env={**platform.env, "TERM": "dumb", "PAGER": "cat"}, start_new_session=True)
    os.close(theirs)
    said = b""
    asked = False
    try:
        while chunk := read(ours):
            said += chunk
            if not asked and b"orders=>" in said:
                asked = True
                os.write(ours, b"select 6 * 7 as answer;\n\\q\n")
        assert psql.wait(20) == 0
    finally:
        psql.kill()
        psql.wait()
        os.close(ours)
    assert b"SSL connection" in said and b"42" in said, said


def read(fd):
    try:
        return os.read(fd, 65536)
    except OSError:  # the terminal has no program any more
        return b""


def test_connect_reads_a_script(platform, orders):
    done = platform.slipway("connect", "orders", "-n", NS, "--", "-XAtq", input="create temp table t (n int);\n"
                            "insert into t values (7);\nselect n from t;\n")
    assert done.out == "7\n"
