"""The tree keeps its rules, and each rule notices a tree that breaks it."""
import pathlib

import pytest

import layers

ROOT = pathlib.Path(__file__).parents[2]
LONG = "void f(void)\n{\n" + "\tg();\n" * 61 + "}\n"
GOOD = {
    "src/LAYERS": "low:\nhigh: low\n\nlow/b.c: 700 a table of the protocol\n",
    "src/low/README.md": "low\n",
    "src/low/a.h": "int a(void);\n",
    "src/low/a.c": '#include "low/a.h"\n/* strcpy( is no call here */\n',
    "src/low/b.c": '#include "low/a.h"\n' + "\n" * 650,
    "src/high/README.md": "high\n",
    "src/high/c.c": '#include "low/a.h"\nconst char *s = "system(1)";\nint x = p->system(1);\n',
}
BAD = [  # rule, file, its text, what is said of it
    ("includes_obey_layers", "src/low/z.c", '#include "high/c.h"\n', "low may not include high/c.h"),
    ("includes_obey_layers", "src/low/z.c", '#include "low/none.h"\n', "not there"),
    ("includes_obey_layers", "src/low/z.c", '#include "a.h"\n', "without its folder"),
    ("includes_obey_layers", "src/wild/z.c", "\n", "does not list the folder wild"),
    ("layers_have_no_cycle", "src/LAYERS", "low: high\nhigh: low\n", "high -> low -> high"),
    ("modules_have_no_cycle", "src/low/a.h", '#include "low/b.h"\n', "low/a -> low/b -> low/a"),
    ("files_keep_their_budget", "src/low/z.c", "\n" * 601, "601 lines, its budget is 600"),
    ("files_keep_their_budget", "src/low/b.c", "\n" * 701, "701 lines, its budget is 700"),
    ("files_keep_their_budget", "src/LAYERS", "low:\nhigh: low\nlow/gone.c: 700\n", "which is not there"),
    ("most_functions_are_short", "src/low/z.c", LONG, "src/low/z.c:2: 61 lines"),
    ("folders_say_what_they_are", "src/low/README.md", "\n" * 41, "over 40 lines"),
    ("folders_say_what_they_are", "src/low/README.md", None, "missing"),
    ("nothing_banned_is_called", "src/low/z.c", "int x;\nint y = atoi (s);\n", "z.c:2: atoi"),
    ("tests_wait_for_conditions", "test/e2e/test_z.py", "import time\ntime.sleep(1)\n", "test_z.py:2"),
    ("the_project_speaks_of_itself", "src/low/z.c", "/* TO" + "DO: later */\n", "z.c:1"),
    ("the_project_speaks_of_itself", "doc/z.md", "see /wo" + "rk/x\n", "z.md:1"),
]


def tree_of(folder, files):
    for name, text in files.items():
        if text is not None:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
    return layers.Tree(folder)


@pytest.mark.parametrize("rule", layers.RULES, ids=lambda r: r.__name__)
def test_the_tree_keeps(rule):
    assert rule(layers.Tree(ROOT)) == []


@pytest.mark.parametrize("rule", layers.RULES, ids=lambda r: r.__name__)
def test_a_good_tree_passes(rule, tmp_path):
    assert rule(tree_of(tmp_path, GOOD)) == []


@pytest.mark.parametrize("rule,name,text,said", BAD, ids=[f"{b[0]}-{b[1]}-{i}" for i, b in enumerate(BAD)])
def test_a_bad_tree_is_noticed(rule, name, text, said, tmp_path):
    bad = getattr(layers, rule)(tree_of(tmp_path, {**GOOD, "src/low/b.h": '#include "low/a.h"\n', name: text}))
    assert any(said in line for line in bad), bad


def test_every_rule_is_seen_to_fail():
    assert {b[0] for b in BAD} == {r.__name__ for r in layers.RULES}


def test_long_functions_are_a_tenth_at_most(tmp_path):
    short = "void g(void)\n{\n\th();\n}\n"
    assert layers.most_functions_are_short(tree_of(tmp_path, {**GOOD, "src/low/z.c": LONG + short * 9})) == []
    assert layers.most_functions_are_short(tree_of(tmp_path, {**GOOD, "src/low/z.c": LONG + short * 8}))
