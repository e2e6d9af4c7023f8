"""What benches share: figures of ours and of a peer taken in turns in one run, medians, and one JSON line a result.

    figures = bench.Bench("api")
    figures.compare("write/16", ours, theirs, peer="etcd 3.4.23", unit="writes/s", better="higher", runs=5)
    figures.say("kill/lost", 0, unit="rows", better="lower")

Functions give one figure a call. ratio is ours / theirs; every time is a monotonic one. What is for people goes to
standard error, by note(). Cases that SLIPWAY_BENCH_CASE (a pattern) leaves out are neither measured nor said; wants()
tells what need not be prepared.
"""
import contextlib
import fnmatch
import json
import os
import statistics
import subprocess
import sys
import time


def note(text):
    print(text, file=sys.stderr, flush=True)


def seconds_of(f):
    """How long a call takes."""
    start = time.monotonic()
    f()
    return time.monotonic() - start


def cpu_seconds(pid):
    """User and system time that a process has used with all its threads, those that ended too; without its children's."""
    with contextlib.suppress(OSError):
        return time.clock_gettime(~pid << 3 | 2)  # the clock of a process, which counts finer than its stat
    at = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
    return (int(at[11]) + int(at[12])) / os.sysconf("SC_CLK_TCK")


def rss_bytes(pid):
    """Resident memory of a process that no other process has mapped too, and its share of the rest (Pss); RSS where
    the kernel does not tell."""
    try:
        rows = dict(r.split(":", 1) for r in open(f"/proc/{pid}/smaps_rollup").read().splitlines()[1:])
        return int(rows["Pss"].split()[0]) * 1024
    except (OSError, KeyError):
        return int(open(f"/proc/{pid}/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def version_of(*argv):
    """The first number with dots that a program says of itself."""
    said = subprocess.run(argv, capture_output=True, text=True).stdout.split()
    return next((w.strip("v,") for w in said if w.strip("v,")[:1].isdigit()), "?")


class Bench:
    def __init__(self, name, out=sys.stdout):
        self.name, self.out = name, out
        self.pattern = os.environ.get("SLIPWAY_BENCH_CASE", "*")

    def wants(self, *cases):
        """Is one of them to be measured?"""
        return any(fnmatch.fnmatchcase(c, self.pattern) for c in cases)

    @staticmethod
    def turns(sides, measure, runs=5):
        """{side: [what measure(side) gave, ...]}, taken in turns, each time another one first."""
        figures = {side: [] for side in sides}
        for i in range(runs):
            for side in [*sides[i % len(sides):], *sides[:i % len(sides)]]:
                figures[side].append(measure(side))
        return figures

    def say(self, case, ours, *, unit, better, peer=None, theirs=None, runs=1, **more):
        if not self.wants(case):
            return
        line = {"bench": self.name, "case": case, "ours": rounded(ours)}
        if peer:
            line |= {"peer": peer, "theirs": rounded(theirs)}
        line |= {"unit": unit, "better": better}
        if peer:
            line["ratio"] = rounded(ours / theirs) if theirs else None
        print(json.dumps(line | {"runs": runs} | more, separators=(",", ":")), file=self.out, flush=True)

    def compare(self, case, ours, theirs, *, peer, unit, better, runs=5, warmup=1, **more):
        """Takes both in turns, the first one changing, so that what the machine does meanwhile meets both alike."""
        if not self.wants(case):
            return
        figures = {ours: [], theirs: []}
        for i in range(warmup + runs):
            for f in (ours, theirs) if i % 2 else (theirs, ours):
                figure = f()
                if i >= warmup:
                    figures[f].append(figure)
        spread = [[rounded(min(v)), rounded(max(v))] for v in figures.values()]
        self.say(case, statistics.median(figures[ours]), unit=unit, better=better, peer=peer,
                 theirs=statistics.median(figures[theirs]), runs=runs, spread=spread, **more)


def rounded(x):
    """Four digits are more than a bench knows."""
    return x if isinstance(x, int) or x is None else float(f"{x:.4g}")
