#!/usr/bin/python3
"""run.py NAME... [--case PATTERN]: runs each bench whose file begins with NAME: test/bench/NAME*.py, and
test/bench/bench_NAME*.c as it is in build/release. --case 'write/*' leaves the cases out that do not match (of those in
Python). Only JSON lines reach standard output; exit 1 if a bench failed, said something else there, or none said a thing.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PARTS = ("run.py", "bench.py", "peers.py", "proxies.py")
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


def run(argv, case="*"):
    """How many results it had; None when it did not end well, or said something else."""
    env = {**os.environ, "SLIPWAY_BENCH_CASE": case, "SLIPWAY_BIN": str(ROOT / "build/release/src/app/slipway"), "PYTHONDONTWRITEBYTECODE": "1",
           "PYTHONPATH": os.pathsep.join([str(HERE), str(ROOT / "test/e2e")])}
    child = subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=env)
    good, bad = 0, 0
    for line in child.stdout:
        is_good = is_result(line)
        good, bad = good + is_good, bad + (not is_good)
        print(line, end="", file=sys.stdout if is_good else sys.stderr, flush=True)
    return good if child.wait() == 0 and bad == 0 else None


def main():
    every = benches()
    parser = argparse.ArgumentParser(prog="script/bench", epilog=f"NAME is one of: {' '.join(every)}")
    parser.add_argument("names", metavar="NAME", nargs="+")
    parser.add_argument("--case", metavar="PATTERN", default="*")
    said = parser.parse_args()
    wanted = [n for n in every if any(n.startswith(w) for w in said.names)]
    if not wanted:
        parser.error(f"there is none of that name; one of: {' '.join(every)}")
    results = {n: run(every[n], said.case) for n in wanted}
    failed = [n for n, good in results.items() if good is None or (good == 0 and said.case == "*")]
    if failed or not any(results.values()):
        sys.exit(f"bench: failed: {' '.join(failed or wanted)}")


if __name__ == "__main__":
    main()
