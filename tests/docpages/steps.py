"""The table in docs/messages.md: what comes of a process that is killed, stopped or fails at each step."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.steps.points import HOWS, POINTS, Point

from .logs import BEGIN, END

PAGE = Path(__file__).parents[2] / "docs" / "messages.md"


def written() -> str:
    """Write the page with the table anew."""
    head, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, tail = rest.partition(END)
    return head + BEGIN + table() + END + tail


def table() -> str:
    """Write the table."""
    rows = (f"| {point.step} | {point.what} | {_outcomes(point)} |" for point in POINTS.values())
    head = ("Step", "What has just happened", *HOWS)
    return "\n".join(["", f"| {' | '.join(head)} |", "| --- " * len(head) + "|", *rows, "", ""])


def _outcomes(point: Point) -> str:
    return " | ".join(point.outcome(how) if how != "fails" or point.can_fail else "" for how in HOWS)
