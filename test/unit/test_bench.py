"""The machinery of the benches counts as it says."""
import io
import json
import os
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "bench"))

import bench  # noqa: E402
import run as bench_run  # noqa: E402


def test_a_comparison_takes_turns_and_gives_medians_and_their_ratio():
    out, calls = io.StringIO(), []
    ours, theirs = iter([99, 3, 1, 2]), iter([99, 8, 4, 6])

    def a():
        calls.append("a")
        return next(ours)

    def b():
        calls.append("b")
        return next(theirs)

    bench.Bench("x", out).compare("c", a, b, peer="p 1", unit="us", better="lower", runs=3)
    assert json.loads(out.getvalue()) == {
        "bench": "x", "case": "c", "ours": 2, "peer": "p 1", "theirs": 6, "unit": "us", "better": "lower",
        "ratio": 0.3333, "runs": 3, "spread": [[1, 3], [4, 8]]}
    assert "".join(calls) == "baabbaab"


def test_a_count_needs_no_peer():
    out = io.StringIO()
    bench.Bench("x", out).say("kill/lost", 0, unit="rows", better="lower")
    assert json.loads(out.getvalue()) == {
        "bench": "x", "case": "kill/lost", "ours": 0, "unit": "rows", "better": "lower", "runs": 1}


def test_only_results_reach_standard_output(capfd):
    line = '{"bench":"x","case":"c","ours":1,"unit":"us","better":"lower"}'
    assert bench_run.run(["echo", line])
    assert capfd.readouterr().out == line + "\n"
    assert not bench_run.run(["echo", "hello"])
    assert not bench_run.run(["echo", "[1]"])
    assert capfd.readouterr().out == ""
    assert not bench_run.run(["true"])
    assert not bench_run.run(["sh", "-c", f"echo '{line}'; exit 1"])


def test_a_case_that_is_not_asked_for_is_neither_measured_nor_said(monkeypatch):
    out = io.StringIO()
    monkeypatch.setenv("SLIPWAY_BENCH_CASE", "write/*")
    b = bench.Bench("x", out)
    b.compare("read/1", None, None, peer="p 1", unit="us", better="lower")
    b.say("read/2", 1, unit="us", better="lower")
    assert out.getvalue() == ""
    assert b.wants("read/1", "write/1") and not b.wants("read/1", "read/2")


def test_each_side_has_its_turn_and_another_is_first_each_time():
    seen = []
    assert bench.Bench.turns(["a", "b", "c"], lambda side: seen.append(side) or len(seen), runs=3) == {
        "a": [1, 6, 8], "b": [2, 4, 9], "c": [3, 5, 7]}
    assert "".join(seen) == "abcbcacab"


def test_the_time_of_a_process_is_counted_finer_than_ticks():
    before = bench.cpu_seconds(os.getpid())
    assert 0 < before and 0 <= bench.cpu_seconds(os.getpid()) - before < 0.01
