"""The page: each public name with its signature and its docstring."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import recado

PAGE = Path(__file__).parents[2] / "docs" / "api.md"

HEAD = """# The public API

Everything here is imported from `recado`: `from recado import Answer`. Names that `recado` does not have are
inside, and may change with any version ([UPGRADING.md](../UPGRADING.md)). `make doc-pages` writes this page
from the docstrings.
"""


def written() -> str:
    """Write the page."""
    return "\n".join([HEAD, *(_section(name) for name in recado.__all__)])


def _section(name: str) -> str:
    value = getattr(recado, name)
    parts = [f"## {name}", _fenced(f"{_kind(value)}{name}{_signature(value)}"), _text(value)]
    if inspect.isclass(value):
        for method, function in sorted(vars(value).items()):
            if method.startswith("_") or not inspect.isfunction(function) or not function.__doc__:
                continue
            parts += [f"### {name}.{method}", _fenced(f"{method}{_plain(function)}"), _text(function)]
    return "\n\n".join(parts) + "\n"


def _kind(value: Any) -> str:
    return "class " if inspect.isclass(value) else "def "


def _signature(value: Any) -> str:
    if inspect.isclass(value) and (issubclass(value, Exception) or getattr(value, "_is_protocol", False)):
        return ""
    if value is recado.Settings:
        return ""  # each setting is in docs/settings.md
    return _plain(value)


def _plain(value: Any) -> str:
    """The signature without the quotes that annotations have when they are not evaluated."""
    return re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(inspect.signature(value))).replace("<factory>", "{}")


#: A section of a docstring, and an entry of one: a name or several, and what is said of them.
_SECTION = re.compile(r"(Parameters|Attributes|Raises):")
_ENTRY = re.compile(r"  (\w[\w, *]*): (.*)")


def _text(value: Any) -> str:
    """Write a docstring as Markdown: its sections become lists."""
    lines: list[str] = []
    in_section = False
    for line in inspect.cleandoc(value.__doc__ or "").splitlines():
        entry = _ENTRY.fullmatch(line)
        if _SECTION.fullmatch(line):
            in_section = True
            lines += [f"{line}", ""]
        elif in_section and entry:
            lines.append(f"- {', '.join(f'`{each}`' for each in entry[1].split(', '))}: {entry[2]}")
        elif in_section and line.startswith("    "):
            lines.append(f"  {line.strip()}")
        else:
            in_section = in_section and not line.strip()
            lines.append(line)
    return "\n".join(lines)


def _fenced(code: str) -> str:
    return f"```py\n{code}\n```"
