"""The harness notices what it promises to notice, shown with a program that does it on purpose."""
import pathlib
import signal

import pytest

import harness

FAKE = str(pathlib.Path(__file__).with_name("fake_slipway.py"))


def fake(what=""):
    return harness.Platform(bin=FAKE, env={"FAKE": what})


def test_a_platform_starts_stops_and_starts_again():
    with fake() as p:
        assert p.pid("up") == p.process.pid
        assert p.up["api"] in p.ports()
        first = p.pid("serve")
        p.stop()
        assert p.processes() == []
        p.start()
        assert p.pid("serve") != first
    assert not p.base.exists()


def test_a_platform_that_dies_shows_its_log_at_once():
    with pytest.raises(RuntimeError, match="port taken"), fake("dies"):
        pass


def test_a_platform_that_is_never_ready_is_given_up():
    p = fake("never")
    with pytest.raises(harness.Late, match="up.json"):
        p.start(timeout=0.5)
    assert p.processes()
    p.abandon()
    assert p.processes() == []


def test_a_process_left_behind_is_noticed():
    p = fake("leaks")
    with pytest.raises(AssertionError, match="no process of it to be left"), p:
        pass
    assert p.processes() == []  # and ended all the same


def test_a_wrong_exit_code_is_noticed():
    with pytest.raises(AssertionError), fake("code"):
        pass


def test_a_sanitizers_report_is_noticed():
    with pytest.raises(AssertionError, match="heap-use-after-free"), fake("report"):
        pass


def test_a_platform_that_does_not_stop_is_noticed():
    p = fake("hangs")
    p.start()
    with pytest.raises(harness.Late, match="did not end"):
        p.stop(timeout=0.5)
    p.abandon()


def test_a_killed_process_is_seen_as_down():
    with fake() as p:
        pid = p.kill("serve", signal.SIGKILL)
        harness.wait_for("it to be down", lambda: p.pid("serve") is None)
        assert harness.Process.read(pid) is None


def test_wait_for_says_what_it_waited_for():
    with pytest.raises(harness.Late, match="the sun.*0"):
        harness.wait_for("the sun", lambda: 0, timeout=0.1)


def test_a_command_is_checked_and_never_hangs():
    assert harness.call(["sh", "-c", "cat; exit 2"], input="x", check=2).out == "x"
    with pytest.raises(AssertionError, match="exit code 2"):
        harness.call(["sh", "-c", "exit 2"])
    with pytest.raises(harness.Late):
        harness.call(["tail", "-f", "/dev/null"], timeout=0.2)
