"""One worker process, without Dramatiq's master process: `recado worker`, and each worker of `recado up`."""

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

from .exit_codes import FAILED, MISCONFIGURED, NO_CONNECTION, OK
from .foundation import gc_tuning
from .foundation.settings import MAX_WORKER_THREADS, MIN_WORKER_THREADS, SettingsError

logger = structlog.get_logger(__name__)

#: How long the queue may take to answer before the worker starts and waits for it, in seconds.
CHECK_WITHIN_S = 10.0

#: How long running messages may take to finish after the first signal, in milliseconds.
DRAIN_MS = 600_000


class ThreadsOutOfBounds(SettingsError):
    """A worker was to run with too many threads, or with none.

    Attributes:
      threads: the number that was asked for.
    """

    def __init__(self, threads: int) -> None:
        super().__init__(
            f"A worker cannot run with {threads} threads: their number is from {MIN_WORKER_THREADS} to "
            f"{MAX_WORKER_THREADS:,}."
        )
        self.threads = threads


class UnknownQueue(SettingsError):
    """A worker was to consume queues for which no actor is declared.

    Attributes:
      unknown: the names of these queues.
      known: the names of the queues that have actors.
    """

    def __init__(self, unknown: Collection[str], known: Collection[str]) -> None:
        super().__init__(
            f"No actor is declared on {', '.join(sorted(unknown))}. "
            f"The queues are {', '.join(sorted(known))}. "
            "For the queue of an actor of your own, name its module with --module."
        )
        self.unknown = unknown
        self.known = known


class Observer(Protocol):
    """Is told how the worker goes on."""

    def attach(self, broker: DurableBroker) -> None:
        """The broker is built, and no worker is started."""
        ...

    def started(self, worker: Worker) -> None:
        """The worker runs messages."""
        ...

    def draining(self) -> None:
        """The worker was told to stop."""
        ...


def run_worker(
    *,
    threads: int,
    queues: Collection[str] | None = None,
    modules: Collection[str] = (),
    observer: Observer | None = None,
) -> int:
    """Run messages until told to stop; return the exit code.

    The first SIGTERM, SIGINT or SIGHUP drains: running messages finish, the others go back to the queue.
    A second signal ends the process at once; its messages run again in another worker.

    Parameters:
      threads: how many messages run at a time.
      queues: the queues to consume; all of them when None.
      modules: Python modules, in the current directory or the path, that declare more actors.
      observer: is told how the worker goes on.

    Raises:
      SettingsError: listing every wrong or missing setting.
      ThreadsOutOfBounds: no worker can have so many threads.
      UnknownQueue: one of the queues has no actor.
    """
    if not MIN_WORKER_THREADS <= threads <= MAX_WORKER_THREADS:
        raise ThreadsOutOfBounds(threads)

    import actors  # noqa: F401, PLC0415  declares the actors; slow
    from actors.services import boot  # noqa: PLC0415

    parts = boot()

    sys.path.insert(0, str(Path.cwd()))
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception:
            logger.exception("a module cannot be imported: the worker ends", module=module)
            return MISCONFIGURED
    broker = parts.broker
    known = broker.get_declared_queues()
    if queues and not known.issuperset(queues):
        raise UnknownQueue(set(queues) - known, known)
    if observer is not None:
        observer.attach(broker)
    broker.emit_after("process_boot")
    stopping = threading.Event()

    def on_signal(number: int, _frame: object) -> None:
        if stopping.is_set():
            logger.warning("worker killed by a second signal", signal=signal.Signals(number).name)
            os._exit(FAILED)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, on_signal)

    try:
        broker.backend.check(timeout_s=CHECK_WITHIN_S)
    except (NotDurable, UnsupportedDatabase):
        logger.exception("the queue must not be used as it is: the worker ends")
        return MISCONFIGURED
    except BrokerError as error:
        logger.warning("the queue does not answer yet: the worker waits for it", why=str(error))

    worker = Worker(broker, queues=set(queues) if queues else None, worker_threads=threads)
    gc_tuning.freeze()
    try:
        worker.start()
    except BrokerConnectionError:
        logger.exception("the queue cannot be opened: the worker ends")
        return NO_CONNECTION
    if observer is not None:
        observer.started(worker)
    # A wait without a timeout would hold signal handlers back for ever.
    while not stopping.wait(1.0):
        pass
    if observer is not None:
        observer.draining()
    worker.stop(timeout=DRAIN_MS)
    broker.close()
    parts.conversations.close()
    return OK
