"""Each global name is defined by one library: a program that links two of them gets whichever comes first, silently."""
import collections
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def defined(library):
    """The global names that a static library defines, but for what the sanitizers add for each."""
    out = subprocess.run(["nm", "--defined-only", "--extern-only", "--format=posix", library],
                         capture_output=True, text=True, check=True).stdout
    words = [line.split() for line in out.splitlines()]
    return {w[0] for w in words if len(w) > 2 and not w[0].startswith("__")}


def shared(libraries):
    """{name: libraries} of the names that more than one defines."""
    homes = collections.defaultdict(list)
    for library in libraries:
        for name in defined(library):
            homes[name].append(pathlib.Path(library).name)
    return {name: sorted(at) for name, at in homes.items() if len(at) > 1}


@pytest.fixture(scope="module")
def libraries():
    subprocess.run(["script/build", "asan"], cwd=ROOT, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    return sorted((ROOT / "build/asan/src").glob("*/lib*.a"))


@pytest.mark.timeout(900)
def test_no_two_libraries_define_the_same_name(libraries):
    folders = {p.parent.name for p in (ROOT / "src").glob("*/meson.build")}
    assert {p.parent.name for p in libraries} >= folders - {"app"}
    assert shared(libraries) == {}


def test_a_name_that_two_define_is_seen(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.c").write_text(f"int twice(void);\nint twice(void) {{ return 1; }}\n"
                                            f"int once_{name}(void);\nint once_{name}(void) {{ return twice(); }}\n")
        subprocess.run(["gcc", "-c", f"{name}.c"], cwd=tmp_path, check=True)
        subprocess.run(["ar", "rcs", f"lib{name}.a", f"{name}.o"], cwd=tmp_path, check=True)
    assert shared([tmp_path / "liba.a", tmp_path / "libb.a"]) == {"twice": ["liba.a", "libb.a"]}
