"""Sources are laid out by clang-format, headers stand alone, scripts parse, commits speak of the project."""
import os
import pathlib
import re
import subprocess

import pytest

import layers

ROOT = pathlib.Path(__file__).parents[2]
TREE = layers.Tree(ROOT)
FLAGS = ["-std=gnu17", "-D_GNU_SOURCE", '-DSLIPWAY_VERSION="x"', "-fsyntax-only", "-Wall", "-Wextra", "-Wundef",
         "-Wno-unused-parameter", "-Wno-missing-field-initializers", "-Wno-unused-function", "-Werror"]


def run(*argv, **kw):
    return subprocess.run(argv, capture_output=True, text=True, timeout=300, **kw)


def package_flags():
    names = re.findall(r"= dependency\('([^']+)'", TREE.text("meson.build"))
    return run("pkg-config", "--cflags", *[n for n in names if n != "threads"]).stdout.split()


def compile_alone(headers, src):
    return run("gcc", *FLAGS, *package_flags(), "-I", src, "-x", "c", *headers)


def unformatted(files):
    """Files that clang-format would lay out otherwise."""
    said = run("clang-format", f"--style=file:{ROOT}/.clang-format", "--dry-run", *files).stderr
    return sorted(set(re.findall(r"^([^:\n]+):\d+:\d+: warning", said, re.M)))


def test_each_header_stands_alone():
    headers = [str(ROOT / h) for h in TREE.match(r"src/.*\.h")]
    assert headers
    done = compile_alone(headers, ROOT / "src")
    assert done.returncode == 0, done.stderr


def test_a_header_that_leans_on_another_is_noticed(tmp_path):
    (tmp_path / "a.h").write_text("size_t a(void);\n")
    assert compile_alone([str(tmp_path / "a.h")], tmp_path).returncode != 0


def test_sources_are_laid_out_by_clang_format():
    files = [str(ROOT / n) for n in TREE.match(r"(src|test)/.*\.[ch]")]
    assert unformatted(files) == [], "run script/fmt"


def test_a_bad_layout_is_noticed(tmp_path):
    (tmp_path / "a.c").write_text("int  a( void ) { return 1; }\n")
    assert unformatted([str(tmp_path / "a.c")]) == [str(tmp_path / "a.c")]


def shell_scripts():
    return [n for n in TREE.files if re.match(r"#!.*\b(ba|da)?sh\b", TREE.text(n)[:40])]


@pytest.mark.parametrize("script", shell_scripts())
def test_shell_scripts_are_sound(script):
    assert os.access(ROOT / script, os.X_OK), "is not executable"
    parsed = run("bash", "-n", str(ROOT / script))
    assert parsed.returncode == 0, parsed.stderr
    checked = run("shellcheck", "-S", "warning", str(ROOT / script))
    assert checked.returncode == 0, checked.stdout


def test_python_files_parse():
    for name in TREE.match(r".*\.py") + [n for n in TREE.files if TREE.text(n).startswith("#!/usr/bin/python3")]:
        compile(TREE.text(name), name, "exec")


def test_the_page_of_the_kinds_is_of_now():
    checked = run(str(ROOT / "script/reference"), "--check")
    assert checked.returncode == 0, checked.stderr


def test_commits_speak_of_the_project():
    log = run("git", "-C", str(ROOT), "log", "--format=%h %B", "-500")
    if log.returncode:
        pytest.skip("not a git checkout")
    assert [line for line in log.stdout.splitlines() if layers.FOREIGN.search(line)] == []
