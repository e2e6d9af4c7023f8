#!/usr/bin/python3
"""layers.py [ROOT]: prints where the tree breaks its own rules (src/LAYERS), one line each; exit 1 if it does.

A rule is a function from a Tree to a list of sentences. test_layers.py shows of each that it can fail.
"""
import functools
import pathlib
import re
import subprocess
import sys

BUDGET_LINES = 600
README_LINES = 40
FUNCTION_LINES = 60
LONG_FUNCTIONS = 0.10  # of all may be longer than FUNCTION_LINES
BANNED = {
    "strcpy": "copy slices (base/str.h)",
    "strcat": "build strings in an arena (base/arena.h)",
    "sprintf": "use snprintf or arena_printf",
    "vsprintf": "use vsnprintf",
    "gets": "read with a limit",
    "strtok": "use str_split",
    "atoi": "use str_to_i64, which notices overflow",
    "atol": "use str_to_i64, which notices overflow",
    "alloca": "use an arena",
    "system": "start children by argv (base/child.h)",
    "popen": "start children by argv (base/child.h)",
}
# Words of a workplace, not of the project (in brackets, so that this line is not one of them).
FOREIGN = re.compile(
    r"/wo[r]k/|/far[m]/|\.libra[r]y\b|\bfar[m]-(studio|bench)|develo[p]er session|\bC[E]O\b"
    r"|(?i:\b(cl[a]ude|anthro[p]ic|open[a]i|chat[g]pt|copi[l]ot)\b)|\b(TO[D]O|FIX[M]E|XX[X]|HAC[K])\b")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+"([^"]+)"', re.M)
NOT_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


class Tree:
    """The files of a checkout: what git tracks or would track, or all of them where there is no git."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.allowed, self.budgets = {}, {}
        for line in (self.root / "src/LAYERS").read_text().splitlines():
            key, colon, rest = line.partition("#")[0].partition(":")
            if not colon:
                continue
            if "." in key:
                self.budgets[key.strip()] = int(rest.split()[0])
            else:
                self.allowed[key.strip()] = set(rest.split()) | {key.strip()}

    @functools.cached_property
    def files(self):
        git = subprocess.run(["git", "-C", self.root, "ls-files", "-zco", "--exclude-standard"],
                             capture_output=True, text=True) if (self.root / ".git").exists() else None
        if git and git.returncode == 0:
            names = sorted(set(git.stdout.split("\0")))
        else:
            names = sorted(str(p.relative_to(self.root)) for p in self.root.rglob("*")
                           if "build" not in p.parts)
        return [n for n in names if (self.root / n).is_file()]

    def match(self, pattern):
        return [n for n in self.files if re.fullmatch(pattern, n)]

    @functools.cache
    def text(self, name):
        return (self.root / name).read_text(errors="replace")

    @functools.cache
    def code(self, name):
        """The text with comments and literals blanked, line for line."""
        return NOT_CODE.sub(lambda m: "\n" * m[0].count("\n") or " ", self.text(name))

    @property
    def sources(self):
        return self.match(r"src/\w+/\w+\.[ch]")

    @functools.cached_property
    def modules(self):
        """{module: {modules it includes}}; x.c and x.h are one."""
        graph = {}
        for name in self.sources:
            graph.setdefault(module_of(name), set()).update(
                module_of(i) for i in INCLUDE.findall(self.text(name)))
        return {m: {i for i in to if i in graph and i != m} for m, to in graph.items()}


def module_of(path):
    return re.sub(r"^src/|\.[ch]$", "", path)


def find_cycle(graph):
    """One cycle of the graph as a list of nodes, or none."""
    done, path = set(), []

    def walk(node):
        if node in path:
            return path[path.index(node):] + [node]
        if node in done:
            return None
        path.append(node)
        for to in sorted(graph.get(node, ())):
            if cycle := walk(to):
                return cycle
        done.add(path.pop())
        return None

    return next(filter(None, map(walk, sorted(graph))), None)


def includes_obey_layers(tree):
    bad = []
    for name in tree.sources:
        layer = name.split("/")[1]
        if layer not in tree.allowed:
            bad.append(f"{name}: src/LAYERS does not list the folder {layer}")
            continue
        for inc in INCLUDE.findall(tree.text(name)):
            if "/" not in inc:
                bad.append(f'{name}: includes "{inc}" without its folder')
            elif inc.split("/")[0] not in tree.allowed[layer]:
                bad.append(f"{name}: {layer} may not include {inc} (src/LAYERS)")
            elif "src/" + inc not in tree.files:
                bad.append(f"{name}: includes {inc}, which is not there")
    return bad


def layers_have_no_cycle(tree):
    cycle = find_cycle({k: v - {k} for k, v in tree.allowed.items()})
    return ["src/LAYERS: a cycle: " + " -> ".join(cycle)] if cycle else []


def modules_have_no_cycle(tree):
    cycle = find_cycle(tree.modules)
    return ["modules include each other: " + " -> ".join(cycle)] if cycle else []


def files_keep_their_budget(tree):
    bad = []
    for name in tree.match(r"(src|test)/.*\.[ch]") + tree.match(r"(test|script)/.*\.py"):
        lines, budget = tree.text(name).count("\n"), tree.budgets.get(name.removeprefix("src/"), BUDGET_LINES)
        if lines > budget:
            bad.append(f"{name}: {lines} lines, its budget is {budget}: split it by meaning")
    return bad + [f"src/LAYERS: a budget for {b}, which is not there"
                  for b in tree.budgets if "src/" + b not in tree.files]


def functions(tree):
    """(file, line, length) of each function: kernel style, so a body stands between braces in column 0."""
    for name in tree.sources:
        start = 0
        for at, line in enumerate(tree.code(name).splitlines(), 1):
            if line.startswith("{"):
                start = at
            elif line.startswith("}") and start:
                yield name, start, at - start - 1
                start = 0


def most_functions_are_short(tree):
    every = list(functions(tree))
    long = [f for f in every if f[2] > FUNCTION_LINES]
    if len(long) <= LONG_FUNCTIONS * len(every):
        return []
    return [f"{len(long)} of {len(every)} functions are over {FUNCTION_LINES} lines:"] + [
        f"{name}:{at}: {length} lines" for name, at, length in sorted(long, key=lambda f: -f[2])]


def folders_say_what_they_are(tree):
    bad = []
    for layer in sorted({n.split("/")[1] for n in tree.match(r"src/\w+/\w+\.c")}):
        readme = f"src/{layer}/README.md"
        if readme not in tree.files:
            bad.append(f"{readme}: missing")
        elif tree.text(readme).count("\n") > README_LINES:
            bad.append(f"{readme}: over {README_LINES} lines")
    return bad


def nothing_banned_is_called(tree):
    call = re.compile(r"(?<![\w.>])(%s)\s*\(" % "|".join(BANNED))
    return [f"{name}:{at}: {m[1]}: {BANNED[m[1]]}"
            for name in tree.match(r"(src|test)/.*\.[ch]")
            for at, line in enumerate(tree.code(name).splitlines(), 1)
            for m in call.finditer(line)]


def tests_wait_for_conditions(tree):
    sleep = re.compile(r"\btime\.sleep\(|(?<!\w)u?sleep\(")
    return [f"{name}:{at}: a sleep; wait for what you need (wait_for of test/e2e/harness.py)"
            for name in tree.match(r"test/.*\.(py|c)") if name not in ("test/e2e/harness.py", "test/run.py")
            for at, line in enumerate(tree.code(name).splitlines(), 1) if sleep.search(line)]


def the_project_speaks_of_itself(tree):
    bad = []
    for name in tree.files:
        if "\0" in tree.text(name)[:4096]:
            continue
        bad += [f"{name}:{at}: '{m[0]}' does not belong here"
                for at, line in enumerate(tree.text(name).splitlines(), 1)
                if (m := FOREIGN.search(line))]
    return bad


RULES = [includes_obey_layers, layers_have_no_cycle, modules_have_no_cycle, files_keep_their_budget,
         most_functions_are_short, folders_say_what_they_are, nothing_banned_is_called,
         tests_wait_for_conditions, the_project_speaks_of_itself]


def main():
    tree = Tree(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2])
    bad = [line for rule in RULES for line in rule(tree)]
    print("\n".join(bad), end="\n" if bad else "")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
