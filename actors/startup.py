"""What a worker says when it starts."""

from __future__ import annotations

import structlog
from dramatiq import Broker, Middleware, Worker

from ops.settings import Settings

logger = structlog.get_logger(__name__)


class Announcement(Middleware):
    """Logs, once per worker process, what it runs on and what it can do."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def after_worker_boot(self, broker: Broker, worker: Worker) -> None:
        settings = self._settings
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
