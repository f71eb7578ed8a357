"""The events in the life of the supervisor and its children. Each becomes a log line.

The text of an event is the `event` of that line; operators search for it. It says what happened, and where
that is not plain what follows.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import ClassVar

import structlog

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    Attributes:
      level: the level of the log line.
      text: the text of the log line. The event's fields are the fields of the line.
    """

    level: ClassVar[str] = "info"
    text: ClassVar[str]


def log(event: Event) -> None:
    """Write an event as a log line, without the fields that are None."""
    fields = {name: value for name, value in asdict(event).items() if value is not None}
    getattr(logger, event.level)(event.text, **fields)


@dataclass(frozen=True, slots=True)
class SupervisorStarted(Event):
    text = "supervisor started"
    pid: int
    address: str
    workers: int
    run_directory: str


@dataclass(frozen=True, slots=True)
class SupervisorReady(Event):
    text = "supervisor ready: an API accepts webhooks and a worker runs messages"


@dataclass(frozen=True, slots=True)
class SupervisorStopping(Event):
    text = "supervisor stopping"
    reason: str
    within_s: float


@dataclass(frozen=True, slots=True)
class SupervisorHurried(Event):
    level = "warning"
    text = (
        "told to stop a second time: the children that still run are killed, their messages run again later"
    )


@dataclass(frozen=True, slots=True)
class SupervisorStopped(Event):
    text = "supervisor stopped"
    exit_code: int


@dataclass(frozen=True, slots=True)
class ChildStarted(Event):
    text = "child started"
    child: str
    pid: int


@dataclass(frozen=True, slots=True)
class ChildReady(Event):
    text = "child ready"
    child: str
    pid: int
    after_s: float


@dataclass(frozen=True, slots=True)
class ChildStopping(Event):
    text = "child told to stop"
    child: str
    pid: int
    reason: str


@dataclass(frozen=True, slots=True)
class ChildStopped(Event):
    text = "child stopped"
    child: str
    pid: int
    end: str


@dataclass(frozen=True, slots=True)
class ChildKilled(Event):
    level = "warning"
    text = "child killed"
    child: str
    pid: int
    reason: str


@dataclass(frozen=True, slots=True)
class ChildDied(Event):
    level = "warning"
    text = "child died: it is started again"
    child: str
    pid: int
    end: str
    job: str | None
    restart_in_s: float


@dataclass(frozen=True, slots=True)
class ChildFailed(Event):
    level = "error"
    text = "child FAILED: it is not started again before a reload"
    child: str
    reason: str


@dataclass(frozen=True, slots=True)
class ChildNotStarted(Event):
    level = "error"
    text = "child cannot be started: the supervisor tries again"
    child: str
    error: str
    retry_in_s: float


@dataclass(frozen=True, slots=True)
class ReplacementStarted(Event):
    text = "child is being replaced"
    child: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReplacementFailed(Event):
    level = "error"
    text = "replacement did not become ready: the old child goes on"
    child: str
    by: str
    end: str


@dataclass(frozen=True, slots=True)
class ApiMissing(Event):
    level = "error"
    text = "no API accepts webhooks: the supervisor answers them with 503 until one does"


@dataclass(frozen=True, slots=True)
class ApiBack(Event):
    level = "warning"
    text = "an API accepts webhooks again"


@dataclass(frozen=True, slots=True)
class ReloadStarted(Event):
    text = "reload started"
    children: int


@dataclass(frozen=True, slots=True)
class ReloadDone(Event):
    text = "reload done"
    took_s: float


@dataclass(frozen=True, slots=True)
class ReloadAborted(Event):
    level = "error"
    text = "reload ABORTED: the replacement of a child failed"
    child: str


@dataclass(frozen=True, slots=True)
class WorkersWanted(Event):
    text = "number of workers changes"
    before: int
    after: int
    ready: int
    oldest_wait_s: float


@dataclass(frozen=True, slots=True)
class DeathNotReported(Event):
    level = "warning"
    text = "a worker's death could not be reported to the queue, which finds out by itself, later"
    pid: int
    end: str


@dataclass(frozen=True, slots=True)
class OrphanReaped(Event):
    level = "debug"
    text = "a process ended that a child had left behind"
    pid: int
