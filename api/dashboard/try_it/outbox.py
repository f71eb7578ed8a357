"""What the console sender recorded: the replies that the phone gets."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

#: How much of the end of the file the phone shows, in bytes.
SHOWN_BYTES = 256 * 1024


class SentReply(NamedTuple):
    """A reply as the sender wrote it down. `sent_at` is in milliseconds since the epoch."""

    reply_id: str
    sid: str
    address: str
    contact: str
    text: str
    sent_at: int


class SentReplies:
    """Reads the file of the console sender. What is not a whole line yet is read the next time.

    Parameters:
      path: the file, which need not be there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def to(self, contact: str) -> Sequence[SentReply]:
        """Return the latest replies to a contact, oldest first."""
        end = self.end()
        start = max(0, end - SHOWN_BYTES)
        found, _ = self.since(start)
        return [reply for reply in found if reply.contact == contact]

    def end(self) -> int:
        """Return where the file ends."""
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0

    def since(self, start: int) -> tuple[Sequence[SentReply], int]:
        """Return the replies from a place in the file on, and where the next one begins."""
        try:
            with self._path.open("rb") as file:
                file.seek(start)
                data = file.read()
        except FileNotFoundError:
            return [], 0
        whole = data[: data.rfind(b"\n") + 1]
        return list(_read(whole)), start + len(whole)


def _read(lines: bytes) -> Iterator[SentReply]:
    for line in lines.splitlines():
        try:
            written: dict[str, Any] = json.loads(line)
            yield SentReply(
                reply_id=written["reply_id"],
                sid=written["sid"],
                address=written["from"],
                contact=written["to"],
                text=written["body"],
                sent_at=int(written["sent_at"]),
            )
        except (ValueError, KeyError, TypeError):  # the rest of a line that was cut off; one that was erased
            continue
