"""Holds what pages show of the state of queues, stores and processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from brokers.records import QueueStats
from brokers.spool import SpoolDepth


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Holds the state of this machine's Recado at one moment.

    Attributes:
      now_ms: the time, in milliseconds since the epoch.
      queues: every queue, counted; empty while the engine is away.
      engine_error: why the engine is away.
      stores: by name, why a store beside the queue cannot be used; only stores that cannot.
      spool: what waits on this machine for the engine to be back; None where there is no spool.
      spool_trouble: why messages go to the spool.
      supervisor: what `recado status --json` shows; None where no supervisor answers.
      recent_dead: by queue, dead letters of the last hour, no more than `at_most_recent`.
      stalled_s: by queue, for how long nothing was finished, in seconds.
      restarts: by child, restarts of the last ten minutes.
      webhooks: by outcome, webhooks of the last ten minutes.
      need_person: contacts who wrote last in a conversation that a person answers, no more than
        `at_most_need_person`.
      no_answer, not_through: messages that could not be answered, and replies that did not get through, which
        no person has dismissed; together no more than `at_most_need_person`.
      budget_used: share of the day's budget that is used, when that is worth telling; else None.
    """

    now_ms: int
    queues: Sequence[QueueStats] = ()
    engine_error: str | None = None
    stores: Mapping[str, str] = field(default_factory=dict)
    spool: SpoolDepth | None = None
    spool_trouble: str | None = None
    supervisor: Mapping[str, Any] | None = None
    recent_dead: Mapping[str, int] = field(default_factory=dict)
    at_most_recent: int = 100
    stalled_s: Mapping[str, float] = field(default_factory=dict)
    restarts: Mapping[str, int] = field(default_factory=dict)
    webhooks: Mapping[str, int] = field(default_factory=dict)
    need_person: int = 0
    no_answer: int = 0
    not_through: int = 0
    at_most_need_person: int = 50
    budget_used: float | None = None
