"""One worker process, without Dramatiq's master: started, watched and stopped by whoever runs it."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
from collections.abc import Collection
from pathlib import Path
from typing import Protocol

import structlog
from dramatiq import Worker
from dramatiq.errors import BrokerConnectionError, BrokerError

from brokers.durable import DurableBroker
from brokers.errors import NotDurable, UnsupportedDatabase

from .foundation import gc_tuning

logger = structlog.get_logger(__name__)

#: Exit codes, as those of Dramatiq's own command line.
OK, KILLED, MISCONFIGURED, NO_CONNECTION = 0, 1, 2, 3

#: How long the queue may take to answer before the worker starts and waits for it, in seconds.
CHECK_WITHIN_S = 10.0

#: How long running messages may take to finish after the first signal, in milliseconds.
DRAIN_MS = 600_000


class Observer(Protocol):
    """Whoever wants to know how the worker is."""

    def attach(self, broker: DurableBroker) -> None:
        """The broker is built, and no worker started."""
        ...

    def started(self, worker: Worker) -> None:
        """The worker is at work."""
        ...

    def draining(self) -> None:
        """It was told to stop."""
        ...


def run_worker(
    *,
    threads: int,
    queues: Collection[str] | None = None,
    modules: Collection[str] = (),
    observer: Observer | None = None,
) -> int:
    """Work until told to stop; return the exit code.

    The first SIGTERM, SIGINT or SIGHUP drains: running messages finish, the rest goes back to the queue.
    A second one exits at once; what was running then runs again elsewhere.

    Parameters:
      threads: messages handled at a time.
      queues: only these queues; all of them when None.
      modules: imported too, from the current directory or the path, for the actors they declare.
      observer: told how it goes.

    Raises:
      SettingsError: listing every wrong or missing setting.
    """
    import actors  # noqa: F401, PLC0415  declares the actors; slow
    from actors.services import boot  # noqa: PLC0415

    parts = boot()

    sys.path.insert(0, str(Path.cwd()))
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception:
            logger.exception("a module cannot be imported", module=module)
            return MISCONFIGURED
    broker = parts.broker
    if observer is not None:
        observer.attach(broker)
    broker.emit_after("process_boot")
    stopping = threading.Event()

    def on_signal(number: int, _frame: object) -> None:
        if stopping.is_set():
            logger.warning("worker killed by a second signal", signal=signal.Signals(number).name)
            os._exit(KILLED)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, on_signal)

    try:
        broker.backend.check(timeout_s=CHECK_WITHIN_S)
    except (NotDurable, UnsupportedDatabase):
        logger.exception("the queue must not be used as it is")
        return MISCONFIGURED
    except BrokerError as error:
        logger.warning("the queue does not answer yet: waiting for it", why=str(error))

    worker = Worker(broker, queues=set(queues) if queues else None, worker_threads=threads)
    gc_tuning.freeze()
    try:
        worker.start()
    except BrokerConnectionError:
        logger.exception("the queue cannot be opened")
        return NO_CONNECTION
    if observer is not None:
        observer.started(worker)
    # Waiting with a timeout lets signal handlers run: a bare wait() would hold them off for ever.
    while not stopping.wait(1.0):
        pass
    if observer is not None:
        observer.draining()
    worker.stop(timeout=DRAIN_MS)
    broker.close()
    parts.conversations.close()
    return OK
