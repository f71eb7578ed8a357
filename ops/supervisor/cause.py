"""Why a child goes."""

from __future__ import annotations

from typing import Literal, NamedTuple

#: What restarts are counted by. exited and killed: by itself, or by a signal that was not ours.
Word = Literal[
    "exited",
    "killed",
    "hung",
    "stuck",
    "lost_threads",
    "not_ready",
    "slow_stop",
    "memory",
    "age",
    "jobs",
    "reload",
]


class Cause(NamedTuple):
    """One reason: a word to count by, and a sentence for a person."""

    word: Word
    text: str
