"""script/quickstart does what the README says."""
import contextlib
import os
import re
import signal
import subprocess

import pytest

import harness

LIMIT_S = 400  # it builds for release first


@pytest.fixture
def place():
    """A folder for its data, and a look at what it left running."""
    p = harness.Platform()
    yield p
    p.abandon()


def quickstart(place, *argv, **kw):
    return harness.call([harness.ROOT / "script/quickstart", *argv], timeout=LIMIT_S,
                        env={**place.env, "SLIPWAY_DATA": str(place.data)}, **kw)


@pytest.mark.timeout(2 * LIMIT_S)
def test_the_tour_stays_up_until_ctrl_c_and_finds_everything_again(place):
    log = place.base / "quickstart.log"
    with open(log, "wb") as out:
        first = subprocess.Popen([harness.ROOT / "script/quickstart"], env={**place.env, "SLIPWAY_DATA": str(place.data)},
                                 stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
    try:
        harness.wait_for("the end of the tour", lambda: "The platform stays up." in log.read_text() or first.poll() is not None,
                         LIMIT_S)
        said = log.read_text()
        assert "database.slipway.dev/orders created" in said
        assert re.search(r"^ +1 \| ", said, re.M), "one row was written"
        assert place.kubectl("get", "database", "orders", "-n", "payments-dev", "-o", "name").out, "it is up"
        os.killpg(first.pid, signal.SIGINT)  # as a terminal does
        assert first.wait(60) == 0, log.read_text()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(first.pid, signal.SIGKILL)
        first.wait()
    assert place.processes() == [], "it stops what it started"
    again = quickstart(place, "--once").out
    assert "database.slipway.dev/orders unchanged" in again
    assert re.search(r"^ +2 \| ", again, re.M), "the first row was still there"
    assert place.processes() == []


def test_a_wrong_argument_is_refused(place):
    assert "usage:" in quickstart(place, "--twice", check=1).err
