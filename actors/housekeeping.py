"""Deletes conversations that are older than they may be kept: in workers, now and then, in one at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog
from dramatiq import Broker, Middleware, Worker

from brokers.errors import EngineError

from .conversations import ConversationKeeper, Deleted
from .metrics import metrics

if TYPE_CHECKING:
    from .services import Services

logger = structlog.get_logger(__name__)

#: How often one of all workers looks for what is old, in seconds.
EVERY_S = 3_600.0

#: How soon a worker looks first, in seconds: not while it starts, and also where no worker lives for an hour.
FIRST_S = 60.0


class Housekeeping(Middleware):
    """Has a thread of each worker see to what is old. The thread sleeps, but for one look an hour.

    Parameters:
      services: this process's services, asked for when a worker starts.
    """

    def __init__(self, services: Callable[[], Services]) -> None:
        self._services = services
        self._stopping = threading.Event()

    def after_worker_boot(self, broker: Broker, worker: Worker) -> None:  # noqa: ARG002
        self._stopping.clear()
        threading.Thread(target=self._run, name="recado-housekeeping", daemon=True).start()

    def before_worker_shutdown(self, broker: Broker, worker: Worker) -> None:  # noqa: ARG002
        self._stopping.set()

    def _run(self) -> None:
        pause_s = FIRST_S
        while not self._stopping.wait(pause_s):
            pause_s = EVERY_S
            try:
                keep_house(self._services().conversations.keeper, is_stopping=self._stopping.wait)
            except EngineError as error:
                logger.warning(
                    "old conversations could not be deleted: the next try is in an hour", why=str(error)
                )


def keep_house(keeper: ConversationKeeper, *, is_stopping: Callable[[float], bool]) -> Deleted | None:
    """Delete what is old, unless another process did within the hour; return how much, or None.

    Parameters:
      keeper: of the conversations.
      is_stopping: pauses for so many seconds; returns early, and True, when this process ends.

    Raises:
      EngineError: the store could not. The steps before are done.
    """
    if not keeper.begin_housekeeping(every_ms=int(EVERY_S * 1000)):
        return None
    total = Deleted()
    began = time.monotonic()
    for deleted in keeper.delete_old():
        total = Deleted(*(before + now for before, now in zip(total, deleted, strict=True)))
        for what, count in deleted._asdict().items():
            metrics().retention_deleted.labels(what).inc(count)
        # As long as the step took: other threads and processes need the same lock, and go first.
        if is_stopping(time.monotonic() - began):
            break
        began = time.monotonic()
    if any(total):
        logger.info(
            "old conversations deleted: CONVERSATIONS_RETENTION_DAYS is over for them", **total._asdict()
        )
    return total
