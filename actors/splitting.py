"""Splitting a text that is too long for one message, where a reader would pause."""

from __future__ import annotations

#: Where to cut, best first: after these, when one stands in the last two thirds of what fits.
PAUSES = ("\n\n", "\n", ". ", "! ", "? ", "… ", "; ", ", ", " ")


def split(text: str, limit: int, *, most: int) -> list[str]:
    """Split a text into parts that fit, in order and whole.

    Parameters:
      text: the text.
      limit: the longest part, in characters.
      most: how many parts there may be. What is left over is cut off, and the last part ends in an ellipsis.
    """
    parts: list[str] = []
    rest = text.strip()
    while len(rest) > limit and len(parts) < most - 1:
        end = _end_of_part(rest, limit)
        parts.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    if len(rest) > limit:
        rest = rest[: _end_of_part(rest, limit - 1)].rstrip() + "…"
    return [*parts, rest]


def _end_of_part(text: str, limit: int) -> int:
    """Find where the first part ends."""
    for pause in PAUSES:
        found = text.rfind(pause, limit // 3, limit)
        if found >= 0:
            return found + len(pause)
    return limit
