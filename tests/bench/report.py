"""Results as tables: in the terminal, and as Markdown for the documentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table

from .figures import Bar, Figure

HEADERS = ("figure", "{subject}", "peer", "the peer's", "ratio", "bar", "met")

#: What stands where there is nothing to say.
NOTHING = "–"


def table(title: str, subject: str, figures: Sequence[Figure]) -> Table:
    """One theme's results for the terminal."""
    made = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for header in HEADERS:
        is_number = header in {"{subject}", "the peer's", "ratio"}
        made.add_column(header.format(subject=subject), justify="right" if is_number else "left")
    for figure in figures:
        colour = {True: "green", False: "bold red", None: "dim"}[figure.is_met]
        *cells, met = _cells(figure)
        made.add_row(*cells, f"[{colour}]{met}[/]")
    return made


def markdown(results: Mapping[str, Any]) -> str:
    """All results of a file, as Markdown."""
    machine = results["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    conditions = (
        f"Measured on {machine['measured_at'][:10]}: {machine['cores']} cores of {machine['processor']}, "
        f"{machine['memory_gib']:g} GiB, {machine['filesystem']}, {machine['kernel']}; Python "
        f"{machine['python']}, SQLite {machine['sqlite']}, {packages}. The disk syncs "
        f"{_number(machine['fdatasync_appends_per_second'])} appends a second."
    )
    lines = [conditions, ""]
    for theme in results["themes"].values():
        quick = " (quick: not to be quoted)" if theme["quick"] else ""
        headers = [header.format(subject=theme["subject"]) for header in HEADERS]
        lines += [f"### {theme['title']}{quick}", "", _line(headers), _line(["---"] * len(HEADERS))]
        lines += [_line(_cells(Figure.from_json(fields))) for fields in theme["figures"]]
        lines.append("")
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cells(figure: Figure) -> list[str]:
    return [
        figure.what,
        _with_unit(figure.ours, figure.unit),
        figure.peer or NOTHING,
        NOTHING if figure.theirs is None else _with_unit(figure.theirs, figure.unit),
        NOTHING if figure.ratio is None else f"{_number(figure.ratio)}x",
        NOTHING if figure.bar is None else _bar(figure.bar, figure.unit),
        {True: "yes", False: "NO", None: NOTHING}[figure.is_met],
    ]


def _bar(bar: Bar, unit: str) -> str:
    sign = {"at least": "≥", "more than": ">", "at most": "≤", "less than": "<"}[bar.sense]
    limit = f"{_number(bar.limit)}x" if bar.of == "ratio" else _with_unit(bar.limit, unit)
    return f"{sign} {limit}"


def _with_unit(value: float, unit: str) -> str:
    number = _number(value)
    if unit in {"/s", "%", ""}:
        return f"{number}{unit}"
    return f"{number} {unit}"


def _number(value: float) -> str:
    """Three figures: more would not be the same in the next run."""
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{float(f'{value:.3g}'):g}"
