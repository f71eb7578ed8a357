"""Which dead letters a command means."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from brokers.backend import QueueBackend
from brokers.records import DeadLetterFilter

#: How many are looked up at a time.
PAGE = 500


def select(
    backend: QueueBackend,
    message_ids: Sequence[str] | None,
    *,
    every: bool,
    queue: str | None,
    actor: str | None,
) -> list[str]:
    """The ids of those named, or of all that match.

    Raises:
      typer.BadParameter: neither was said, or both.
    """
    if bool(message_ids) == every:
        raise typer.BadParameter("Name message ids, or say --all (which --queue and --actor narrow).")
    if message_ids:
        return list(message_ids)
    which, ids = DeadLetterFilter(queue=queue, actor=actor), list[str]()
    while page := backend.dead_letters(which, limit=PAGE, offset=len(ids)):
        ids += [stored.message_id for stored in page]
    return ids
