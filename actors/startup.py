"""What a worker process does first, and says when it starts."""

from __future__ import annotations

import sys
from collections.abc import Callable

import structlog
from dramatiq import Broker, Middleware, Worker

from ops.foundation.settings import Settings, SettingsError

logger = structlog.get_logger(__name__)

#: The exit code of a worker that cannot be set up, as Dramatiq's own for a module that cannot be imported.
MISCONFIGURED = 2


class Startup(Middleware):
    """Sets a worker process up when it boots, and logs what it runs on and what it can do.

    Wrong settings end the process with a list of all that is wrong.

    Parameters:
      boot: sets this process up; returns the settings.
    """

    def __init__(self, boot: Callable[[], Settings]) -> None:
        self._boot = boot

    def after_process_boot(self, broker: Broker) -> None:  # noqa: ARG002
        try:
            self._boot()
        except SettingsError as error:
            sys.stderr.write(f"{error}\n")
            sys.exit(MISCONFIGURED)

    def after_worker_boot(self, broker: Broker, worker: Worker) -> None:
        settings = self._boot()
        logger.info(
            "worker started",
            backend=settings.queue_backend,
            queue=settings.queue_address,
            actors=sorted(broker.get_declared_actors()),
            threads=worker.worker_threads,
            responder=settings.ai_provider,
            sender="twilio" if settings.sends_through_twilio else "console",
        )
        if not settings.sends_through_twilio:
            logger.warning(
                "replies are NOT sent: they go to the console's outbox",
                path=str(settings.console_outbox_path),
            )
        if settings.ai_provider == "echo":
            logger.warning("the echo responder answers, no model is asked: set AI_PROVIDER=openai for one")
