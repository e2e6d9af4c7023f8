#!/usr/bin/python3
"""run.py NAME: runs each bench whose file begins with NAME: test/bench/NAME*.py, and test/bench/bench_NAME*.c as it
is in build/release. Only their JSON lines reach standard output; exit 1 if one failed, or said something else there.
"""
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PARTS = ("run.py", "bench.py")
KEYS = {"bench", "case", "ours", "unit", "better"}


def benches():
    """{name: argv}"""
    found = {p.stem: ["/usr/bin/python3", str(p)] for p in HERE.glob("*.py")
             if p.name not in PARTS and not p.name.startswith("test_")}
    found |= {p.stem.removeprefix("bench_"): [str(ROOT / "build/release/test/bench" / p.stem)]
              for p in HERE.glob("bench_*.c")}
    return dict(sorted(found.items()))


def is_result(line):
    try:
        return KEYS <= set(json.loads(line))
    except (ValueError, TypeError):
        return False


def run(argv):
    """True when it ended well, had a result, and said nothing but results."""
    env = {**os.environ, "SLIPWAY_BIN": str(ROOT / "build/release/src/app/slipway"), "PYTHONDONTWRITEBYTECODE": "1",
           "PYTHONPATH": os.pathsep.join([str(HERE), str(ROOT / "test/e2e")])}
    child = subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=env)
    good, bad = 0, 0
    for line in child.stdout:
        is_good = is_result(line)
        good, bad = good + is_good, bad + (not is_good)
        print(line, end="", file=sys.stdout if is_good else sys.stderr, flush=True)
    return child.wait() == 0 and good > 0 and bad == 0


def main(names):
    every = benches()
    wanted = [n for n in every if any(n.startswith(w) for w in names)]
    if not wanted:
        sys.exit(f"usage: script/bench NAME; one of: {' '.join(every) or '(there is none yet)'}")
    failed = [n for n in wanted if not run(every[n])]
    if failed:
        sys.exit(f"bench: failed: {' '.join(failed)}")


if __name__ == "__main__":
    main(sys.argv[1:])
