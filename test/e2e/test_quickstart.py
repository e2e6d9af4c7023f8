"""script/quickstart does what the README says."""
import re

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
def test_the_tour_runs_stops_and_finds_everything_again(place):
    first = quickstart(place, "--once").out
    assert "database.slipway.dev/orders created" in first
    assert re.search(r"^ +1 \| ", first, re.M), "one row was written"
    assert place.processes() == [], "it stops what it started"
    again = quickstart(place, "--once").out
    assert "database.slipway.dev/orders unchanged" in again
    assert re.search(r"^ +2 \| ", again, re.M), "the first row was still there"
    assert place.processes() == []


def test_a_wrong_argument_is_refused(place):
    assert "usage:" in quickstart(place, "--twice", check=1).err
