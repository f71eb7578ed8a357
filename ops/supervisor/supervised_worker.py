"""A worker, as the supervisor runs it."""

from __future__ import annotations

from collections.abc import Sequence

from dramatiq import Broker, Worker

from brokers.durable import DurableBroker
from ops.foundation.settings import Settings
from ops.worker import run_worker

from .environment import Supervised
from .heartbeat import ChildState, Heartbeat
from .jobs import Jobs
from .pulse import Pulse
from .watch import QueueWatch


def run(settings: Settings, place: Supervised, modules: Sequence[str]) -> int:
    """Work until told to stop; return the exit code."""
    return run_worker(
        threads=settings.worker_threads, modules=modules, observer=WorkerObserver(settings, place)
    )


class WorkerObserver:
    """Tells the supervisor how this worker is.

    Parameters:
      settings: the time limits, and how often to tell.
      place: where to.
    """

    def __init__(self, settings: Settings, place: Supervised) -> None:
        self._pulse = Pulse(place.heartbeat_fd, settings.heartbeat_interval_s, self.report)
        self._jobs = Jobs(
            default_limit_ms=settings.message_time_limit_ms,
            grace_s=settings.hang_grace_s,
            on_busy=self._pulse.busy,
        )
        self._watch: QueueWatch | None = None
        self._worker: Worker | None = None
        self._state: ChildState = "starting"
        self._pulse.start()

    def attach(self, broker: DurableBroker) -> None:
        """Before the worker starts. Outermost in the stack, where no interrupt reaches."""
        broker.add_middleware(self._jobs, before=_first(broker))
        self._watch = QueueWatch(broker.backend)

    def started(self, worker: Worker) -> None:
        self._worker = worker
        self._state = "ready"
        self._pulse.beat()
        if self._watch is not None:
            self._watch.start()

    def draining(self) -> None:
        self._state = "draining"
        self._pulse.beat()

    def report(self) -> Heartbeat:
        """How it is now."""
        running = self._jobs.running()
        stuck = self._jobs.stuck(running)
        done, busy_s = self._jobs.totals(running)
        threads, lost = _threads(self._worker)
        return Heartbeat(
            state=self._state,
            running=len(running),
            stuck=len(stuck),
            job=next(iter(stuck or running), None),
            threads=threads,
            lost_threads=lost if self._state == "ready" else 0,
            done=done,
            busy_s=round(busy_s, 3),
            backlog=None if self._watch is None else self._watch.backlog,
            queue_error=None if self._watch is None else self._watch.error,
        )


def _first(broker: Broker) -> type | None:
    return type(broker.middleware[0]) if broker.middleware else None


def _threads(worker: Worker | None) -> tuple[int, int]:
    """How many threads there are to run messages, and how many of them and of the consumers died."""
    if worker is None:
        return 0, 0
    alive = [thread.is_alive() for thread in worker.workers]
    consuming = [thread.is_alive() for thread in list(worker.consumers.values())]
    return sum(alive), alive.count(False) + consuming.count(False)
