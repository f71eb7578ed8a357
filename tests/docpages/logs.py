"""The table of log lines in docs/logs.md."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "logs.md"

#: The table stands between these lines.
BEGIN, END = "<!-- written by `make doc-pages` -->\n", "<!-- until here -->\n"

PACKAGES = ("actors", "api", "brokers", "ops")
LEVELS = ("critical", "error", "exception", "warning", "info", "debug")


class Line(NamedTuple):
    """A log line that the code writes."""

    level: str
    text: str
    fields: tuple[str, ...]
    module: str


def written() -> str:
    """Write the page with the table anew."""
    head, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, tail = rest.partition(END)
    return head + BEGIN + table() + END + tail


def table() -> str:
    """Write the table: the lines of each level, in alphabetical order."""
    rows = sorted(set(lines()), key=lambda line: (LEVELS.index(line.level), line.text.lower(), line))
    cells = (
        f"| {'error' if line.level == 'exception' else line.level} | {_plain(line.text)} "
        f"| {', '.join(f'`{field}`' for field in line.fields)} | `{line.module}` |"
        for line in rows
    )
    return "\n".join(["", "| Level | Text | Fields | Module |", "| --- | --- | --- | --- |", *cells, "", ""])


def lines() -> Iterator[Line]:
    """Find every call of a logger."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and _is_log(node):
                    fields = (keyword.arg or "" for keyword in node.keywords)
                    named = tuple(field for field in fields if field not in {"", "exc_info", "stacklevel"})
                    yield Line(getattr(node.func, "attr", ""), _text(node.args[0]), named, module)


def _is_log(call: ast.Call) -> bool:
    function = call.func
    return (
        isinstance(function, ast.Attribute)
        and function.attr in LEVELS
        and bool(call.args)
        and ast.unparse(function.value).rpartition(".")[2] in {"logger", "_logger", "log"}
    )


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    return "…"


def _plain(text: str) -> str:
    return text.replace("|", "\\|")
