#!/usr/bin/python3
"""The test runner behind script/test: builds, runs every suite, counts every case, closes with the sum.

    script/test               everything
    script/test NAME...       suites (unit), programs (unit/child), files (e2e/test_kubectl.py),
                              cases (e2e/test_kubectl.py::test_x), or any part of such a name
    script/test --list        the names

A suite that ran no case has failed, and so has a program that died in one.
"""
import dataclasses
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[1]
LOGS = ROOT / "build/test"
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}


CORES = str(os.cpu_count())
WORKERS = str(os.cpu_count() + 1)  # unit tests wait for servers as much as they compute


@dataclasses.dataclass
class Suite:
    name: str
    kind: str  # how it runs: build, meson or pytest
    build: str = ""  # what script/build must have built
    meson: str = ""  # the suite's name there
    options: tuple = ()
    limit_s: int = 900
    why: str = ""


SUITES = [
    Suite("rules", "pytest", options=("test/unit", "-n", CORES), why="the tree keeps its own rules"),
    Suite("build", "build", limit_s=900, why="each kind of script/build, without a warning"),
    Suite("unit", "meson", "asan", "unit", why="cmocka, under ASan and UBSan"),
    Suite("fuzz", "meson", "asan", "fuzz", why="each fuzzer over its corpus, under ASan and UBSan"),
    Suite("tsan", "meson", "tsan", "threads", why="cmocka where threads meet, under TSan"),
    Suite("e2e", "pytest", "asan", options=("test/e2e", "-n", CORES, "--dist", "loadfile", "--timeout", "180"),
          limit_s=1200, why="the whole, with real PostgreSQL, kubectl and psql"),
]
BUILDS = ["asan", "tsan", "clang", "release"]


@dataclasses.dataclass
class Case:
    name: str
    error: str = ""  # empty: it passed
    skipped: bool = False


def marked():
    """{pid: command line} of the processes that a test of this run started, in whatever session they are."""
    mark, found = f"SLIPWAY_TEST_RUN={os.getpid()}".encode(), {}
    for proc in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if mark in (proc / "environ").read_bytes().split(b"\0"):
                argv = (proc / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                found |= {int(proc.name): argv} if argv else {}
        except OSError:
            pass
    return found


def end_marked():
    """What is still there shortly after a suite has ended was left behind: it is killed, and named."""
    deadline = time.monotonic() + 3
    while (left := marked()) and time.monotonic() < deadline:
        time.sleep(0.1)
    for pid in left:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    return sorted(left.values())


def run(argv, log, limit_s, env=None):
    """Runs a program in a group of its own, output to a log; at the limit the group is killed. Its exit code."""
    with open(log, "ab") as out:
        child = subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                 env={**os.environ, **SANITIZERS, "SLIPWAY_TEST_RUN": str(os.getpid()),
                                      **(env or {})}, start_new_session=True)
        try:
            return child.wait(limit_s)
        except subprocess.TimeoutExpired:
            out.write(f"\nkilled: over {limit_s} s\n".encode())
            return 124
        finally:
            try:
                os.killpg(child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            child.wait()


def tail(path, lines=30):
    return "\n".join(pathlib.Path(path).read_text(errors="replace").splitlines()[-lines:])


def complaints(path):
    """What a compiler or linker said, and not the hundreds of lines around it; else the end of the log."""
    lines = pathlib.Path(path).read_text(errors="replace").splitlines()
    said = [i for i, line in enumerate(lines) if re.search(r"\b(error|warning|undefined reference)\b.*", line)
            and not line.startswith("[") and " -c " not in line]
    return "\n".join(dict.fromkeys(x for i in said[:10] for x in lines[i:i + 3])) or tail(path)


# build: one case a kind

build_results = {}


def build(kind):
    """True when build/KIND is up to date; built once a run."""
    if kind not in build_results:
        log = LOGS / f"build-{kind}.log"
        code = run(["script/build", kind], log, 900)
        build_results[kind] = Case(f"build/{kind}", complaints(log) if code else "")
    return not build_results[kind].error


def list_builds(suite):
    return [f"build/{k}" for k in BUILDS]


def run_builds(suite, names):
    for name in names:
        build(name.split("/")[1])
    return [build_results[n.split("/")[1]] for n in names]


# meson: one case a cmocka test, and one for a program that has none

def list_meson(suite):
    out = subprocess.run(["meson", "test", "-C", f"build/{suite.build}", "--list", "--suite", suite.meson],
                         cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return [f"{suite.name}/{m[1]}" for m in re.finditer(r"^(?:.* / )?(\S+)$", out.stdout, re.M)
            if " / " in m[0]]


def cmocka_cases(name, test):
    """The cases of one program's output; a case that began and did not end well has failed."""
    out, err = (re.sub(r"\x1b\[[0-9;]*m", "", test.get(k) or "") for k in ("stdout", "stderr"))
    cases, running = [], None
    for word, case in re.findall(r"^\[ +(RUN|OK|SKIPPED) +\] (\S+)", out, re.M):
        if word == "RUN":
            running = Case(f"{name}::{case}", "failed")
            cases.append(running)
        else:
            running.error, running.skipped = "", word == "SKIPPED"
    if test["result"] != "OK" and not any(c.error for c in cases):
        cases.append(Case(f"{name}::(the program)", "failed"))
    for case in cases:
        if case.error:
            said = (err or out).splitlines()
            case.error = "\n".join([f"{test['result']}, exit code {test['returncode']}", *said[:50]])
    return cases or [Case(name)]


def run_meson(suite, names):
    log = LOGS / f"{suite.name}.log"
    folder = ROOT / "build" / suite.build
    programs = [n.split("/", 1)[1] for n in names]
    report = folder / "meson-logs/testlog.json"
    report.unlink(missing_ok=True)
    run(["meson", "test", "-C", str(folder), "--no-rebuild", "--timeout-multiplier", "4", "--num-processes", WORKERS,
         "--suite", suite.meson, *programs],
        log, suite.limit_s)
    cases, seen = [], set()
    for line in report.read_text().splitlines() if report.exists() else []:
        test = json.loads(line)
        name = f"{suite.name}/{test['name'].split(' / ')[-1]}"
        seen.add(name)
        cases += cmocka_cases(name, test)
    return cases + [Case(n, "did not run: " + tail(log, 10)) for n in names if n not in seen]


# pytest: one case a test

def pytest_argv(suite, *more):
    return ["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--color=no", "--tb=short", *more]


def node_to_name(suite, node):
    return node.replace(suite.options[0], suite.name, 1)


def list_pytest(suite):
    out = subprocess.run(pytest_argv(suite, "--collect-only", suite.options[0]), cwd=ROOT,
                         capture_output=True, text=True, stdin=subprocess.DEVNULL, env=pytest_env(suite))
    names = [node_to_name(suite, line) for line in out.stdout.splitlines() if "::" in line
             and line.startswith(suite.options[0])]
    if out.returncode not in (0, 5):
        names.append(f"{suite.name}/(collection)")
    return names


def pytest_env(suite):
    return {**os.environ, **SANITIZERS, "PYTHONDONTWRITEBYTECODE": "1",
            "SLIPWAY_BIN": str(ROOT / "build" / (suite.build or "asan") / "src/app/slipway")}


def run_pytest(suite, names):
    log, report = LOGS / f"{suite.name}.log", LOGS / f"{suite.name}.xml"
    report.unlink(missing_ok=True)
    # A file that cannot be collected has no names; then the whole folder runs, and shows why.
    whole = names == list_pytest(suite) or any(n.endswith("(collection)") for n in names)
    nodes = [suite.options[0]] if whole else [n.replace(suite.name, suite.options[0], 1) for n in names]
    code = run(pytest_argv(suite, f"--junitxml={report}", "-o", "junit_family=xunit1", *suite.options[1:], *nodes),
               log, suite.limit_s, pytest_env(suite))
    cases = {}
    for test in xml.etree.ElementTree.parse(report).iter("testcase") if report.exists() else []:
        name = f"{test.get('file') or test.get('classname').replace('.', '/') + '.py'}::{test.get('name')}"
        case = cases.setdefault(name, Case(node_to_name(suite, name)))
        for kind in ("failure", "error"):
            case.error += "".join((e.get("message") or "") + "\n" + (e.text or "") for e in test.findall(kind))
        case.skipped = case.skipped or test.find("skipped") is not None
    if code not in (0, 1, 5) or (code == 1 and not any(c.error for c in cases.values())):
        cases["run"] = Case(f"{suite.name}/(the run)", f"pytest's exit code {code}: {tail(log)}")
    return list(cases.values())


KINDS = {"build": (list_builds, run_builds), "meson": (list_meson, run_meson), "pytest": (list_pytest, run_pytest)}


# the run

def may_hold(suite, wanted):
    """Whether a wanted name can be in this suite: one that starts with a suite's name is of that suite alone."""
    heads = {s.name for s in SUITES}
    return not wanted or any(
        w.split("/")[0] == suite.name or (w.split("/")[0] not in heads and suite.name not in ("build", "tsan"))
        for w in wanted)


def matches(name, wanted):
    if not wanted:
        return True
    for w in wanted:
        w = w.removeprefix("test/")
        program = w.split("::")[0] if not re.search(r"\.py::", w) else w
        if name == w or name.startswith((w + "/", w + "::", w + "[")) or program in name:
            return True
    return False


def select(suite, wanted):
    """The names of a suite that are wanted; None when its build failed."""
    if suite.build and not build(suite.build):
        return None
    return [n for n in KINDS[suite.kind][0](suite) if matches(n, wanted)]


def show(suite, cases, seconds):
    bad = [c for c in cases if c.error]
    skipped = [c for c in cases if c.skipped and not c.error]
    print(f"{suite.name:6} {len(cases) - len(bad) - len(skipped):4} passed {len(bad):3} failed"
          f"{f' {len(skipped)} skipped' if skipped else ''}  {seconds:5.1f} s  {suite.why}", flush=True)
    said = None
    for case in bad:
        rerun = re.sub(r"\[.*|::\(.*|\(.*", "", case.name).rstrip("/")
        print(f"\n  FAILED {case.name}\n  again: script/test {rerun}")
        if case.error != said:  # one program's cases share its output
            print("\n".join("    " + line for line in case.error.splitlines()[-60:]))
        said = case.error
    print("\n" if bad else "", end="", flush=True)
    for case in skipped:
        print(f"  skipped {case.name}", flush=True)


def on_terminate(number, frame):
    end_marked()
    sys.exit(128 + number)


def main(wanted):
    signal.signal(signal.SIGTERM, on_terminate)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background has it ignored, and hands that on
    if wanted in (["--help"], ["-h"]):
        print(__doc__.strip())
        return 0
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir(parents=True)
    if wanted == ["--list"]:
        for suite in SUITES:
            print("\n".join(select(suite, []) or []))
        return 0
    every = []
    for suite in SUITES:
        if not may_hold(suite, wanted):
            continue
        start = time.monotonic()
        names = select(suite, wanted)
        if names is None:
            cases = [Case(suite.name, f"did not run: build/{suite.build} failed\n"
                          + build_results[suite.build].error)]
        elif names:
            cases = KINDS[suite.kind][1](suite, names) or [Case(suite.name, "ran no test")]
            cases += [Case(f"{suite.name}/(left behind)", argv) for argv in end_marked()]
        elif wanted:
            continue
        else:
            cases = [Case(suite.name, "has no test")]
        show(suite, cases, time.monotonic() - start)
        every += cases
    if not every:
        every = [Case("script/test", "no test has such a name")]
        print("no test has such a name; script/test --list shows them")
    bad = [c for c in every if c.error]
    for case in bad:
        print(f"failed: {case.name}")
    print(f"{sum(not c.error and not c.skipped for c in every)} passed, {len(bad)} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
