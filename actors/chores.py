"""What each worker sees to now and then, beside its messages."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from dramatiq import Broker, Middleware, Worker

from brokers.errors import EngineError

from .metrics import metrics

logger = structlog.get_logger(__name__)

#: Pauses for so many seconds; returns early, and True, when the worker stops.
IsStopping = Callable[[float], bool]


@dataclass(frozen=True, slots=True)
class Chore:
    """Something to be done again and again.

    Attributes:
      name: for its thread, the log and the metric.
      every_s: the pause between two times, in seconds; or returns it, where a setting has a part in it.
      first_s: the pause before the first time, likewise.
      do: does it. What takes long asks in between whether the worker stops.
    """

    name: str
    every_s: float | Callable[[], float]
    first_s: float | Callable[[], float]
    do: Callable[[IsStopping], object]


class Chores(Middleware):
    """Has a thread of each worker do each chore. They mostly sleep, and none waits for another one.

    A chore that fails, whatever the error, is done again at its next turn.

    Parameters:
      chores: what there is to do.
    """

    def __init__(self, *chores: Chore) -> None:
        self._chores = chores
        self._stopping: dict[int, threading.Event] = {}  # by the identity of the worker

    def after_worker_boot(self, broker: Broker, worker: Worker) -> None:  # noqa: ARG002
        stopping = self._stopping[id(worker)] = threading.Event()
        for chore in self._chores:
            name = f"recado-{chore.name}"
            threading.Thread(target=self._run, args=(chore, stopping), name=name, daemon=True).start()

    def before_worker_shutdown(self, broker: Broker, worker: Worker) -> None:  # noqa: ARG002
        if (stopping := self._stopping.pop(id(worker), None)) is not None:
            stopping.set()

    def _run(self, chore: Chore, stopping: threading.Event) -> None:
        pause_s = chore.first_s
        while not stopping.wait(pause_s() if callable(pause_s) else pause_s):
            pause_s = chore.every_s
            try:
                chore.do(stopping.wait)
            except (EngineError, OSError) as error:
                metrics().chores_failed.labels(chore.name).inc()
                logger.warning(
                    "a chore could not be done: it is tried again", chore=chore.name, why=str(error)
                )
            except Exception:  # the thread goes on: no other one would see to this until a restart
                metrics().chores_failed.labels(chore.name).inc()
                logger.exception("unexpected error in a chore: it is tried again", chore=chore.name)
