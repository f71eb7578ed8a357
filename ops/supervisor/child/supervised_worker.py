"""A worker, as the supervisor runs it."""

from __future__ import annotations

from collections.abc import Sequence

from dramatiq import Broker, Worker

from brokers.durable import DurableBroker
from ops.foundation.settings import Settings
from ops.worker import run_worker

from ..protocol.child_environment import ChildEnvironment
from ..protocol.heartbeat import ChildState, Heartbeat
from .backlog_poller import BacklogPoller
from .heartbeat_sender import HeartbeatSender
from .jobs import Jobs


def run(settings: Settings, place: ChildEnvironment, modules: Sequence[str]) -> int:
    """Run messages until told to stop; return the exit code."""
    return run_worker(
        threads=settings.worker_threads, modules=modules, observer=WorkerReporter(settings, place)
    )


class WorkerReporter:
    """Sends the worker's heartbeats from a thread.

    Parameters:
      settings: the time limits, and the interval of the heartbeats.
      place: the pipe for heartbeats.
    """

    def __init__(self, settings: Settings, place: ChildEnvironment) -> None:
        self._heartbeats = HeartbeatSender(place.heartbeat_fd, settings.heartbeat_interval_s, self.report)
        self._jobs = Jobs(
            default_limit_ms=settings.message_time_limit_ms,
            grace_s=settings.hang_grace_s,
            on_begin=self._heartbeats.work_began,
        )
        self._poller: BacklogPoller | None = None
        self._worker: Worker | None = None
        self._state: ChildState = "starting"
        self._heartbeats.start()

    def attach(self, broker: DurableBroker) -> None:
        """Add the middleware that counts messages, before the worker starts.

        It is the outermost: there no time limit interrupts it.
        """
        broker.add_middleware(self._jobs, before=_first(broker))
        self._poller = BacklogPoller(broker.backend)

    def started(self, worker: Worker) -> None:
        """Send a heartbeat now: the worker runs messages."""
        self._worker = worker
        self._state = "ready"
        self._heartbeats.send()
        if self._poller is not None:
            self._poller.start()

    def draining(self) -> None:
        """Send a heartbeat now: the worker was told to stop."""
        self._state = "draining"
        self._heartbeats.send()

    def report(self) -> Heartbeat:
        """Return the state of the worker."""
        running = self._jobs.running()
        stuck = self._jobs.stuck(running)
        done, busy_s = self._jobs.totals()
        threads, lost = _count_threads(self._worker)
        return Heartbeat(
            state=self._state,
            running=len(running),
            stuck=len(stuck),
            job=next(iter(stuck or running), None),
            threads=threads,
            lost_threads=lost if self._state == "ready" else 0,
            done=done,
            busy_s=round(busy_s, 3),
            backlog=None if self._poller is None else self._poller.backlog,
            queue_error=None if self._poller is None else self._poller.error,
        )


def _first(broker: Broker) -> type | None:
    return type(broker.middleware[0]) if broker.middleware else None


def _count_threads(worker: Worker | None) -> tuple[int, int]:
    """Return how many threads for messages are alive, and how many of them and of the consumers have died."""
    if worker is None:
        return 0, 0
    alive = [thread.is_alive() for thread in worker.workers]
    consuming = [thread.is_alive() for thread in list(worker.consumers.values())]
    return sum(alive), alive.count(False) + consuming.count(False)
