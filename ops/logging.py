"""One shape for every log line: ours, Dramatiq's, uvicorn's."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog
from dramatiq import Message, MessageProxy

from .settings import Settings

#: What every record goes through, whether it came from structlog or from the standard library.
_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]

#: Loggers that say at INFO what we say better, or that would print what they are sent.
_QUIET = (
    "botocore",
    "httpx",
    "httpx2",
    "httpcore",
    "openai",
    "twilio.http_client",
    "urllib3",
    "uvicorn.access",
)


class _WithoutContents(logging.Filter):
    """Dramatiq logs messages with their arguments, which here is what customers wrote, and from where."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_named(argument) for argument in record.args)
        return True


def _named(argument: Any) -> Any:
    if isinstance(argument, Message | MessageProxy):
        return f"{argument.actor_name}[{argument.message_id}]"
    return argument


def writes_json(settings: Settings) -> bool:
    """Whether log lines are JSON objects, with stderr being what it is."""
    return settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())


def configure_logging(settings: Settings) -> None:
    """Send all logs of this process to stderr: JSON in production, readable on a terminal."""
    as_json = writes_json(settings)
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            exception_formatter=structlog.dev.plain_traceback,  # the others print local variables
        )
    )
    last = [structlog.processors.format_exc_info] if as_json else []
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_WithoutContents())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last, renderer],
        )
    )
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
