"""What BullMQ calls a message, and what a message is called that another program added as a job.

BullMQ makes ids of digits itself, and puts colons into those of its schedulers; so it takes neither from a
caller. An id must not be the name of a part of a queue either: all are keys side by side.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote_to_bytes

from ..redis.scripts import encoded, name_of

#: Parts of a queue, at BullMQ and at its predecessors.
_RESERVED = frozenset(
    {
        *("active", "completed", "de", "delayed", "events", "failed", "id", "limiter", "marker", "meta"),
        *("meta-paused", "paused", "pc", "prioritized", "priority", "repeat", "stalled", "stalled-check"),
        *("wait", "waiting", "waiting-children"),
    }
)

#: The job of a message whose id is empty: no other is written so.
_EMPTY = "%"

_DIGITS = re.compile(r"\d+", re.ASCII)


def job_id(message_id: str, queue: str) -> str:
    """Return the id of a message's job. `message_id_of` reverses this, whatever the id is.

    Parameters:
      message_id: the message's.
      queue: the queue that the message is in.
    """
    of, colon, foreign = message_id.partition(":")
    if colon and of == queue and not _is_ours(foreign):
        return foreign
    return _own(message_id)


def message_id_of(job_id: str, queue: str) -> str:
    """Return the id of the message that a job is: `<queue>:<job id>` if another program gave that id."""
    return _message_id(job_id) if _is_ours(job_id) else f"{queue}:{job_id}"


def names_of(message_id: str) -> tuple[str, str, str]:
    """Return how to look for a message: the id of a job of ours, and queue and id of another program's."""
    of, colon, foreign = message_id.partition(":")
    if not colon or _is_ours(foreign):
        return _own(message_id), "", ""
    return _own(message_id), of, foreign


def _own(message_id: str) -> str:
    safe = quote(encoded(message_id), safe="")
    if safe in _RESERVED or _DIGITS.fullmatch(safe):
        return f"%{ord(safe[0]):02X}{safe[1:]}"
    return safe or _EMPTY


def _message_id(job_id: str) -> str:
    return "" if job_id == _EMPTY else name_of(unquote_to_bytes(job_id))


def _is_ours(job_id: str) -> bool:
    """Whether an id is one that `_own` makes."""
    return _own(_message_id(job_id)) == job_id
