"""Sentences of the product have a subject: none begins with a headless Who or Whoever."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from .documents import ROOT

PRODUCT = ("actors", "api", "brokers", "ops", "recado")

#: A sentence that begins with a question word and is no question.
HEADLESS = re.compile(
    r"(?:^|[.:;!?] +|\n\s*)((?:Who|Whoever|Whom|Nobody|Somebody|Whatever)\b[^.?!\n]*)(?!\?)"
)

LOG_LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}


def comments(path: Path) -> Iterator[tuple[int, str]]:
    """Blocks of comments that stand in one another's next line, each as one text."""
    text = path.read_text()
    if path.suffix == ".py":
        found = [
            (token.start[0], token.string.lstrip("#: "))
            for token in tokenize.generate_tokens(io.StringIO(text).readline)
            if token.type == tokenize.COMMENT
        ]
    else:
        found = [
            (number, line.partition("--")[2].strip())
            for number, line in enumerate(text.splitlines(), 1)
            if "--" in line
        ]
    block: list[str] = []
    first = last = 0
    for number, comment in [*found, (0, "")]:
        if block and number != last + 1:
            yield first, " ".join(block)
            block = []
        if not block:
            first = number
        block.append(comment)
        last = number


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Docstrings, and what is logged."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if docstring := ast.get_docstring(node):
                yield getattr(node, "lineno", 1), docstring
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in LOG_LEVELS
            and node.args
            and isinstance(node.args[0], ast.Constant)
            and isinstance(node.args[0].value, str)
        ):
            yield node.lineno, node.args[0].value


def headless(path: Path) -> list[str]:
    found = [*comments(path), *(texts(path) if path.suffix == ".py" else ())]
    return [
        f"{path.relative_to(ROOT)}:{number}: {match[1].strip()}"
        for number, text in found
        for match in HEADLESS.finditer(text)
        if not text[match.end() :].startswith("?")
    ]


@pytest.mark.parametrize("package", PRODUCT)
def test_each_sentence_has_a_subject(package: str) -> None:
    files = [path for suffix in ("py", "lua") for path in (ROOT / package).rglob(f"*.{suffix}")]
    assert [line for path in sorted(files) for line in headless(path)] == []


@pytest.mark.parametrize(
    ("text", "is_headless"),
    [
        ("# Who enters does so first.", True),
        ("# It is shut. Whoever shuts it waits.", True),
        ("# Who may read this?", False),
        ("# The process that enters does so first.", False),
        ("# The caller says who it is.", False),
    ],
)
def test_the_rule_finds_what_it_should(tmp_path: Path, text: str, is_headless: bool) -> None:
    path = tmp_path / "example.py"
    path.write_text(text + "\n")
    matches = [match for _, block in comments(path) for match in HEADLESS.finditer(block)]
    assert bool([m for m in matches if not text.endswith("?")]) is is_headless
