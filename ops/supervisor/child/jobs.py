"""Counts the messages that a worker process runs, and has run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from dramatiq import Broker, MessageProxy, Middleware

from brokers.durable_message import DurableMessage

from ..protocol.heartbeat import Job


class _ThreadCounts:
    """Counts the messages of one thread. Only that thread writes, so counting needs no lock."""

    def __init__(self) -> None:
        self.done = 0
        self.busy_s = 0.0
        #: The message, when it began, and its time limit in seconds.
        self.current: tuple[MessageProxy, float, float | None] | None = None


class Jobs(Middleware):
    """Counts the messages of a supervised worker.

    Parameters:
      default_limit_ms: the time limit of an actor that has none of its own, in milliseconds.
      grace_s: a message that is this long past its time limit counts as stuck, in seconds.
      on_begin: called when a message begins.
    """

    def __init__(self, *, default_limit_ms: float, grace_s: float, on_begin: Callable[[], None]) -> None:
        self._default_limit_ms = default_limit_ms
        self._grace_s = grace_s
        self._on_begin = on_begin
        self._by_thread: dict[int, _ThreadCounts] = {}

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        counts = self._by_thread.setdefault(threading.get_ident(), _ThreadCounts())
        actor = broker.get_actor(message.actor_name)
        limit_ms: float = message.options.get("time_limit") or actor.options.get(
            "time_limit", self._default_limit_ms
        )
        limit_s = None if limit_ms == float("inf") else limit_ms / 1000
        counts.current = (message, time.monotonic(), limit_s)
        self._on_begin()

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
        counts = self._by_thread[threading.get_ident()]
        if counts.current is not None:
            counts.done += 1
            counts.busy_s += _busy_s(*counts.current[:2])
            counts.current = None

    def running(self) -> list[Job]:
        """Return the messages that run now; the one that has been running longest is the first."""
        now = time.monotonic()
        jobs = [
            Job(message.message_id, message.actor_name, now - began_s, limit_s)
            for message, began_s, limit_s in self._current()
        ]
        return sorted(jobs, key=lambda job: job.running_s, reverse=True)

    def stuck(self, jobs: list[Job]) -> list[Job]:
        """Return those of them that are past their time limit and the grace after it."""
        return [
            job for job in jobs if job.limit_s is not None and job.running_s > job.limit_s + self._grace_s
        ]

    def totals(self) -> tuple[int, float]:
        """Return how many messages were finished, and the seconds spent on these and on those that run.

        The time that an actor waited for another party, and gave its thread to others, is not counted.
        """
        threads = list(self._by_thread.values())
        so_far_s = sum(_busy_s(message, began_s) for message, began_s, _ in self._current())
        return sum(counts.done for counts in threads), so_far_s + sum(counts.busy_s for counts in threads)

    def _current(self) -> list[tuple[MessageProxy, float, float | None]]:
        current = [counts.current for counts in list(self._by_thread.values())]
        return [one for one in current if one is not None]


def _busy_s(message: MessageProxy, began_s: float) -> float:
    return message.busy_s if isinstance(message, DurableMessage) else time.monotonic() - began_s
