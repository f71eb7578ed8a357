"""What a worker process is running, and has run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from dramatiq import Broker, MessageProxy, Middleware

from .heartbeat import Job


class _Tally:
    """One thread's own, so that no lock is needed to count."""

    def __init__(self) -> None:
        self.done = 0
        self.busy_s = 0.0
        self.current: tuple[str, str, float, float | None] | None = None  # id, actor, since, limit in seconds


class Jobs(Middleware):
    """Keeps the books of a supervised worker.

    Parameters:
      default_limit_ms: the time limit of actors that have none of their own.
      grace_s: how long past its limit a message may be before it counts as stuck, in seconds.
      on_busy: called when a message begins.
    """

    def __init__(self, *, default_limit_ms: float, grace_s: float, on_busy: Callable[[], None]) -> None:
        self._default_limit_ms = default_limit_ms
        self._grace_s = grace_s
        self._on_busy = on_busy
        self._tallies: dict[int, _Tally] = {}

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        tally = self._tallies.setdefault(threading.get_ident(), _Tally())
        actor = broker.get_actor(message.actor_name)
        limit_ms: float = message.options.get("time_limit") or actor.options.get(
            "time_limit", self._default_limit_ms
        )
        limit_s = None if limit_ms == float("inf") else limit_ms / 1000
        tally.current = (message.message_id, message.actor_name, time.monotonic(), limit_s)
        self._on_busy()

    def after_process_message(
        self,
        broker: Broker,  # noqa: ARG002
        message: MessageProxy,  # noqa: ARG002
        *,
        result: Any = None,  # noqa: ARG002
        exception: BaseException | None = None,  # noqa: ARG002
    ) -> None:
        self._finish()

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:  # noqa: ARG002
        self._finish()

    def _finish(self) -> None:
        tally = self._tallies[threading.get_ident()]
        if tally.current is not None:
            tally.done += 1
            tally.busy_s += time.monotonic() - tally.current[2]
            tally.current = None

    def running(self) -> list[Job]:
        """What runs now, the longest first."""
        now = time.monotonic()
        current = [tally.current for tally in list(self._tallies.values())]
        jobs = [Job(one[0], one[1], now - one[2], one[3]) for one in current if one is not None]
        return sorted(jobs, key=lambda job: job.running_s, reverse=True)

    def stuck(self, jobs: list[Job]) -> list[Job]:
        """Those of them that are past their limit, and the grace after it."""
        return [
            job for job in jobs if job.limit_s is not None and job.running_s > job.limit_s + self._grace_s
        ]

    def totals(self, running: list[Job]) -> tuple[int, float]:
        """How many were finished, and the seconds spent, those on what still runs included."""
        tallies = list(self._tallies.values())
        so_far_s = sum(job.running_s for job in running)
        return sum(tally.done for tally in tallies), so_far_s + sum(tally.busy_s for tally in tallies)
