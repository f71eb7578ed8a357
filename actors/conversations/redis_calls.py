"""Calling the conversations' scripts, and reading what they return."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from brokers.redis.commands import Command
from brokers.redis.database import Database
from brokers.redis.scripts import Argument, Script

from ..conversation import Author
from .reader import Note

T = TypeVar("T")


class Scripts:
    """Calls scripts with what every one of them is called with.

    Parameters:
      database: the server.
      retention_ms: for how long to keep what has come to rest, in milliseconds.
      clock: milliseconds since the epoch, where that is not the server's time.
    """

    def __init__(self, database: Database, *, retention_ms: int, clock: Callable[[], int] | None) -> None:
        self._database = database
        self._retention_ms = retention_ms
        self._clock = clock

    def ask(self, script: Script, *arguments: Argument, read: Callable[[Any], T]) -> T:
        """Call a script that changes nothing."""
        return self._database.ask(Command(script, self._complete(arguments), read=read))

    def change(self, script: Script, *arguments: Argument, read: Callable[[Any], T]) -> T:
        """Call a script; return when what it changed is durable."""
        return self._database.store(Command(script, self._complete(arguments), read=read))

    def note(self, script: Script, *arguments: Argument, read: Callable[[Any], T]) -> T:
        """Call a script whose changes need not survive the death of the server."""
        return self._database.ask(Command(script, self._complete(arguments), read=read))

    def _complete(self, arguments: Iterable[Argument]) -> Sequence[Argument]:
        """Add the time and the retention. Half a surrogate pair, which is in no encoding, is kept."""
        now = "" if self._clock is None else self._clock()
        texts_encoded = (
            each.encode(errors="surrogatepass") if isinstance(each, str) else each for each in arguments
        )
        return (now, self._retention_ms, *texts_encoded)


def text(value: bytes) -> str:
    """Read a text. Half a surrogate pair, which no service takes, reads as a replacement character."""
    return value.decode(errors="replace")


def exact(value: bytes) -> str:
    """Read an id or a payload as it came in, half a surrogate pair included."""
    return value.decode(errors="surrogatepass")


def optional(value: bytes | None) -> str | None:
    """Read a text that may be missing."""
    return None if value is None else text(value)


def author(value: bytes) -> Author:
    """Read an author."""
    return "us" if value == b"us" else "contact"


def notes(fields: Sequence[bytes]) -> list[Note]:
    """Read the notes of operators, as ids and JSON in turns; the oldest comes first."""
    found = [
        (int(about["seq"]), Note(text(note_id), about["text"], about["written_by"], int(about["written_at"])))
        for note_id, about in zip(fields[::2], map(json.loads, map(text, fields[1::2])), strict=True)
    ]
    return [note for _, note in sorted(found)]
