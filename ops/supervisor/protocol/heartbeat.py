"""The heartbeat: a line of JSON that a child writes to a pipe, about once a second."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

#: The kernel writes up to this many bytes to a pipe at once, or none of them (PIPE_BUF on Linux).
MAX_BYTES = 4096

#: unready: the child accepts connections and cannot do its work yet; `queue_error` says why.
ChildState = Literal["starting", "unready", "ready", "draining"]


@dataclass(frozen=True, slots=True)
class Job:
    """Describes a message that is being run.

    Attributes:
      message_id: the message's id.
      actor: the name of the message's actor.
      running_s: how long the message has been running, in seconds.
      limit_s: the message's time limit, in seconds; None for none.
    """

    message_id: str
    actor: str
    running_s: float
    limit_s: float | None


@dataclass(frozen=True, slots=True)
class Backlog:
    """Describes what waits in one queue.

    Attributes:
      queue: the queue's name.
      ready: how many messages wait.
      oldest_due_at_ms: when the oldest waiting message was due, in milliseconds since the epoch.
    """

    queue: str
    ready: int
    oldest_due_at_ms: int | None


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Describes the state of a child.

    Attributes:
      state: where the child is between its start and its end.
      running: how many messages, or requests, the child works on.
      stuck: how many of them are past their time limit and the grace after it.
      job: the message that is stuck, or else the one that has been running longest.
      threads: how many threads for messages are alive; None for the API, which has none.
      lost_threads: how many threads died.
      done: how many messages, or requests, the child has finished.
      busy_s: the time that all threads together have spent on messages, in seconds, without what these
        waited for another party while the thread was others'.
      backlog: what waits in each queue; None when the child has not counted it.
      queue_error: why the queue could not be read, or opened.
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
        """Return the heartbeat as one line, short enough to be written at once."""
        line = _encode(self)
        if len(line) > MAX_BYTES:  # the backlog of very many queues
            line = _encode(replace(self, backlog=None, queue_error=None))
        return line

    @classmethod
    def decode(cls, line: bytes) -> Heartbeat:
        """Read a heartbeat from its line.

        Raises:
          ValueError: the line is no heartbeat.
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


#: Made once, because `json.dumps` with separators makes an encoder at each call.
_to_json = json.JSONEncoder(separators=(",", ":")).encode


def _encode(heartbeat: Heartbeat) -> bytes:
    return _to_json(asdict(heartbeat)).encode() + b"\n"
