"""Finds misspelt names in a .env file: a setting that has no effect, and nobody notices."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from difflib import get_close_matches
from pathlib import Path

from dotenv import dotenv_values

#: How alike two names have to be for one to be taken for a slip of the other, from 0 to 1. Names of other
#: programs stand in the same file.
ALIKE = 0.85


def misspelt(path: Path, known: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield each name in a file that is no setting and nearly one, and that one.

    Parameters:
      path: the file. There need not be one.
      known: the names of the settings, in capitals.
    """
    if not path.is_file():
        return
    for name in dotenv_values(path, interpolate=False):
        if name.upper() not in known:
            for meant in get_close_matches(name.upper(), known, n=1, cutoff=ALIKE):
                yield name, meant
