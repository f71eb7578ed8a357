"""One worker process, without Dramatiq's master: started, watched and stopped by whoever runs it."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
from collections.abc import Collection
from pathlib import Path

import structlog
from dramatiq import Worker
from dramatiq.errors import BrokerConnectionError

logger = structlog.get_logger(__name__)

#: Exit codes, as those of Dramatiq's own command line.
OK, KILLED, NO_CONNECTION = 0, 1, 3

#: How long running messages may take to finish after the first signal, in milliseconds.
DRAIN_MS = 600_000


def run_worker(*, threads: int, queues: Collection[str] | None = None, modules: Collection[str] = ()) -> int:
    """Work until told to stop; return the exit code.

    The first SIGTERM, SIGINT or SIGHUP drains: running messages finish, the rest goes back to the queue.
    A second one exits at once; what was running then runs again elsewhere.

    Parameters:
      threads: messages handled at a time.
      queues: only these queues; all of them when None.
      modules: imported too, from the current directory or the path, for the actors they declare.
    """
    import actors  # noqa: PLC0415  importing it builds the broker: not before the settings are known good
    from actors.services import services  # noqa: PLC0415

    sys.path.insert(0, str(Path.cwd()))
    for module in modules:
        importlib.import_module(module)
    broker = actors.process_ai_response.broker
    broker.emit_after("process_boot")
    stopping = threading.Event()

    def on_signal(number: int, _frame: object) -> None:
        if stopping.is_set():
            logger.warning("worker killed by a second signal", signal=signal.Signals(number).name)
            os._exit(KILLED)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, on_signal)

    worker = Worker(broker, queues=set(queues) if queues else None, worker_threads=threads)
    try:
        worker.start()
    except BrokerConnectionError:
        logger.exception("the queue cannot be opened")
        return NO_CONNECTION
    # Waiting with a timeout lets signal handlers run: a bare wait() would hold them off for ever.
    while not stopping.wait(1.0):
        pass
    worker.stop(timeout=DRAIN_MS)
    broker.close()
    services().conversations.close()
    return OK
