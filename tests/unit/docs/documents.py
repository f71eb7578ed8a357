"""The documents under test, and how to read them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from ops.foundation.settings import Settings

ROOT = Path(__file__).parents[3]

DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "README.pt-BR.md",
    *(ROOT / f"{name}.md" for name in ("CONTRIBUTING", "SECURITY", "UPGRADING")),
    *sorted((ROOT / "docs").rglob("*.md")),
]


class Block(NamedTuple):
    """A fenced code block."""

    where: str  # file and line, for failures
    language: str
    text: str


def blocks(document: Path) -> list[Block]:
    """The fenced code blocks of a document, in order."""
    text = document.read_text()
    return [
        Block(f"{document.name}:{text.count(chr(10), 0, match.start()) + 1}", match[2], match[3])
        for match in re.finditer(r"^( *)```(\w+)\n(.*?)^\1```$", text, re.DOTALL | re.MULTILINE)
    ]


def prose(document: Path) -> str:
    """A document without its code blocks."""
    return re.sub(r"^( *)```\w+\n.*?^\1```$", "", document.read_text(), flags=re.DOTALL | re.MULTILINE)


def default_of(name: str) -> str:
    """A setting's default, as it is written in an environment variable; empty for none."""
    default = Settings.model_fields[name].default
    if default is None:
        return ""
    return str(default).lower() if isinstance(default, bool) else str(default)


def example(containing: str) -> str:
    """The README's Python example that contains this."""
    found = [
        block for block in blocks(DOCUMENTS[0]) if block.language == "python" and containing in block.text
    ]
    assert len(found) == 1, containing
    return found[0].text
