"""`make test-changed`: the tests that a change concerns.

Of what differs from a commit (the last one that `main` has in common with this branch), each changed test is
run, whatever its tier, and each fast test that imports a changed module, directly or through others. What is
no Python (Lua, templates, documents) counts as a change of the package it lies in.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]
PACKAGES = ("actors", "api", "brokers", "ops", "recado", "tests")

#: What concerns all tests.
EVERYTHING = ("pyproject.toml", "constraints.txt", "tests/conftest.py", "tests/tiers.py")

#: What pytest answers when there was nothing to run.
NOTHING_COLLECTED = 5


def changed_paths(since: str) -> list[str]:
    """The files that differ from a commit, those that git does not know yet included."""
    compared = _git("diff", "--name-only", since)
    new = _git("ls-files", "--others", "--exclude-standard")
    return sorted({*compared, *new})


def _git(*arguments: str) -> list[str]:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.split("\n")[:-1]


def modules_of(paths: Iterable[str], graph: grimp.ImportGraph) -> set[str]:
    """The modules that a change of files is a change of."""
    found = set()
    for path in map(Path, paths):
        parts = path.with_suffix("").parts
        names = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
        if path.name == "__init__.py":
            names = names[1:]
        found.update(next(([name] for name in names if name in graph.modules), []))
    return found


def concerned(changed: set[str], graph: grimp.ImportGraph) -> Iterator[str]:
    """The test modules that are changed, or import something that is. A conftest concerns its folder."""
    reached = set(changed)
    for module in changed:
        reached |= graph.find_downstream_modules(module)
    folders = [name.removesuffix("conftest") for name in reached if name.endswith(".conftest")]
    for module in sorted(graph.modules):
        is_test = module.startswith("tests.") and module.rpartition(".")[2].startswith("test_")
        if is_test and (module in reached or module.startswith(tuple(folders))):
            yield module.replace(".", "/") + ".py"


def main() -> int:
    """Run them; return pytest's exit code."""
    since = sys.argv[1] if len(sys.argv) > 1 else _git("merge-base", "HEAD", "main")[0]
    paths = changed_paths(since)
    if any(path in EVERYTHING for path in paths):
        return _pytest("--tier", "fast")
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    tests = list(concerned(modules_of(paths, graph), graph))
    own = [path for path in paths if Path(path).name.startswith("test_") and (ROOT / path).exists()]
    print(f"{len(paths)} files changed since {since[:10]}: {len(own)} are tests, {len(tests)} are concerned")
    codes = []
    if own:
        codes.append(_pytest(*own))
    if others := [test for test in tests if test not in own]:
        codes.append(_pytest("--tier", "fast", *others))
    return max((code for code in codes if code != NOTHING_COLLECTED), default=0)


def _pytest(*arguments: str) -> int:
    command = [sys.executable, "-m", "pytest", *arguments]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
