"""What the documents point to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from ops.cli import app

from .documents import DOCUMENTS, ROOT, blocks, prose

by_name = pytest.mark.parametrize(
    "document", [pytest.param(document, id=document.name) for document in DOCUMENTS]
)


def anchors(document: Path) -> set[str]:
    """The anchors GitHub makes of a document's headings."""
    headings = re.findall(r"^#+ (.+)$", prose(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@by_name
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(document)):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


@by_name
def test_named_paths_exist(document: Path) -> None:
    if document.name == "README.md" and document.parent == ROOT:
        return  # files that a reader is told to write
    first = "|".join(("actors", "api", "brokers", "examples", "ops", "recado", "tests"))
    for path in re.findall(rf"`((?:{first})/[\w./-]*)(?:::\w+)?`", document.read_text()):
        assert (ROOT / path).exists(), path


@by_name
def test_named_tests_exist(document: Path) -> None:
    for path, name in re.findall(r"`(tests/[\w./-]+\.py)::(\w+)`", document.read_text()):
        assert f"def {name}(" in (ROOT / path).read_text(), f"{path}::{name}"


@by_name
def test_commands_exist(document: Path) -> None:
    commands = getattr(typer.main.get_command(app), "commands", {})
    for name, sub in re.findall(
        r"(?:`|bin/|^)recado\s+([a-z]+)(?:\s+([a-z-]+))?", document.read_text(), re.MULTILINE
    ):
        assert name in commands, name
        subcommands = getattr(commands[name], "commands", {})
        assert not (sub and subcommands) or sub in subcommands, (name, sub)


@by_name
def test_make_targets_exist(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    mentioned = re.findall(r"(?:`|^|&& )make (?:-C \S+ )?([a-z-]+)", document.read_text(), re.MULTILINE)
    assert set(mentioned) <= targets


@by_name
def test_telephone_numbers_belong_to_nobody(document: Path) -> None:
    for number in re.findall(r"\+\d{8,}", document.read_text()):
        assert re.fullmatch(r"\+551190000\d{4}|\+15005550006", number), number


def test_metrics_exist() -> None:
    sources = [
        path.read_text() for name in ("actors", "api", "brokers") for path in (ROOT / name).rglob("*.py")
    ]
    declared = set(re.findall(r'"(recado_\w+)"', "\n".join(sources)))
    declared |= {f"{name}_total" for name in declared}  # counted by the engine: the library adds this
    mentioned = {
        name for document in DOCUMENTS for name in re.findall(r"`(recado_\w+[a-z])[`{]", document.read_text())
    }
    assert mentioned
    assert mentioned <= declared


def test_the_quick_start_is_two_commands() -> None:
    for document in DOCUMENTS[:2]:
        first = next(block for block in blocks(document) if block.language == "console")
        assert first.text == "make demo\nmake test\n"


def test_the_readme_stays_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 300
