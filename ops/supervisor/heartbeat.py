"""What a child says of itself: a line of JSON on a pipe, about once a second."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

#: A write of at most so many bytes to a pipe is all or nothing (PIPE_BUF).
MAX_BYTES = 4096

#: unready: it accepts connections, and cannot do its work yet: `queue_error` says why.
ChildState = Literal["starting", "unready", "ready", "draining"]


@dataclass(frozen=True, slots=True)
class Job:
    """A message that is being run.

    Attributes:
      running_s: for how long, in seconds.
      limit_s: its time limit; None for none.
    """

    message_id: str
    actor: str
    running_s: float
    limit_s: float | None


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in one queue.

    Attributes:
      oldest_due_at_ms: since when the longest waiting message is due, in milliseconds since the epoch.
    """

    queue: str
    ready: int
    oldest_due_at_ms: int | None


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """How a child is.

    Attributes:
      running: messages, or requests, it works on.
      stuck: how many of them are past their time limit and the grace after it.
      job: the one that is stuck, or else the one that runs longest.
      threads: those that live and are there to run messages; None where there are none by design.
      lost_threads: those that died.
      done: messages, or requests, it finished.
      busy_s: what all its threads together spent on messages, in seconds.
      backlog: what waits in each queue; None when it was not looked at.
      queue_error: why it could not be.
    """

    state: ChildState
    running: int = 0
    stuck: int = 0
    job: Job | None = None
    threads: int | None = None
    lost_threads: int = 0
    done: int = 0
    busy_s: float = 0.0
    backlog: tuple[Backlog, ...] | None = None
    queue_error: str | None = None

    def encode(self) -> bytes:
        """One line, short enough to be written whole or not at all."""
        line = _encode(self)
        if len(line) > MAX_BYTES:  # very many queues
            line = _encode(replace(self, backlog=None, queue_error=None))
        return line

    @classmethod
    def decode(cls, line: bytes) -> Heartbeat:
        """
        Raises:
          ValueError: it is none.
        """
        try:
            fields: dict[str, Any] = json.loads(line)
            if fields["job"] is not None:
                fields["job"] = Job(**fields["job"])
            if fields["backlog"] is not None:
                fields["backlog"] = tuple(Backlog(**queue) for queue in fields["backlog"])
            return cls(**fields)
        except (TypeError, KeyError) as error:
            raise ValueError(f"no heartbeat: {error}") from error


#: Made once: `json.dumps` would make one each time.
_to_json = json.JSONEncoder(separators=(",", ":")).encode


def _encode(heartbeat: Heartbeat) -> bytes:
    return _to_json(asdict(heartbeat)).encode() + b"\n"
