"""One shape for every log line: ours, Dramatiq's, uvicorn's."""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import Mapping
from typing import Any, TextIO

import structlog
from dramatiq import Message, MessageProxy

from .credentials import without_credentials
from .settings import Settings

#: What every record goes through, whether it came from structlog or from the standard library.
_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]

#: Loggers that say at INFO what we say better, and print at DEBUG what they send and get: texts of customers.
_QUIET = (
    "aiohttp",
    "boto3",
    "botocore",
    "httpx",
    "httpx2",
    "httpcore",
    "openai",
    "requests",
    "twilio",
    "urllib3",
    "uvicorn.access",
)

#: A logger that prints URLs with the tokens in them. What became of a notice, Recado says itself.
_SILENT = "apprise"

_QUIET_AND_BELOW = tuple(f"{name}." for name in _QUIET)


#: A telephone number, as it is or within a URL. Errors of Twilio's quote the number they are about.
_NUMBER = re.compile(r"(\+|%2[Bb])(\d\d)\d{4,11}(\d\d)\b")


#: An e-mail address. Some channels know contacts by theirs.
_MAIL = re.compile(
    r"""(\\u[0-9a-fA-F]{4}|\\["\\/bfnrt]|(?<![\w.%+\\-])[^\W_])"""  # an escape of JSON's stays whole
    r"(?:[\w.%+-]|\\u[0-9a-fA-F]{4}){0,63}@[\w-]{1,63}(?:\.[\w-]{1,63})+"
)


class _WithoutContents(logging.Filter):
    """Dramatiq logs messages with their arguments, which here is what customers wrote, and from where.

    At DEBUG it logs the arguments by themselves, too.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        name = _counted if record.levelno <= logging.DEBUG else _named
        if isinstance(record.args, tuple):
            record.args = tuple(name(argument) for argument in record.args)
        elif isinstance(record.args, Mapping):  # of "%(name)s": logging takes a lone one out of its tuple
            record.args = {key: name(argument) for key, argument in record.args.items()}
        return True


class _NothingInDetail(logging.Filter):
    """Loggers that print bodies say what went wrong, and no more, whatever level they are set to.

    Libraries set levels themselves: openai's does when OPENAI_LOG is set, and after logging was configured.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name == _SILENT:
            return False
        return record.levelno >= logging.WARNING or not f"{record.name}.".startswith(_QUIET_AND_BELOW)


def _named(argument: Any) -> Any:
    if isinstance(argument, Message | MessageProxy):
        return f"{argument.actor_name}[{argument.message_id}]"
    return argument


def _counted(argument: Any) -> Any:
    if isinstance(argument, list | tuple | dict):
        return f"<{len(argument)} values>"
    return _named(argument)


def _traceback(exc_info: Any) -> str:
    """A traceback without notes: in those exceptions keep what others said, which may quote anything."""
    summary = traceback.TracebackException(*exc_info)
    waiting: list[traceback.TracebackException | None] = [summary]
    while waiting:
        each = waiting.pop()
        if each is not None:
            each.__notes__ = []
            waiting += [each.__cause__, each.__context__, *(each.exceptions or ())]
    return "".join(summary.format()).rstrip("\n")


def _plain_traceback(output: TextIO, exc_info: Any) -> None:
    output.write("\n" + _traceback(exc_info))


def _without_secrets(renderer: Any, *, dots: str) -> Any:
    """Make a renderer of lines in which no number, no e-mail address and no credentials of a URL can be read.

    Errors of libraries quote both.

    Parameters:
      renderer: makes the line.
      dots: what to put in a number's middle, as that renderer writes it.
    """

    def render(logger: Any, name: str, event: Any) -> str:
        line = without_credentials(renderer(logger, name, event))
        line = _MAIL.sub(rf"\1{dots}", line)
        return _NUMBER.sub(rf"\1\2{dots}\3", line)

    return render


def writes_json(settings: Settings) -> bool:
    """Whether log lines are JSON objects, with stderr being what it is."""
    return settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())


def configure_logging(settings: Settings) -> None:
    """Send all logs of this process to stderr: JSON in production, readable on a terminal."""
    as_json = writes_json(settings)
    renderer = (
        _without_secrets(structlog.processors.JSONRenderer(), dots=r"\\u2022" * 7)
        if as_json
        else _without_secrets(
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                exception_formatter=_plain_traceback,  # structlog's own print notes, or local variables
            ),
            dots="•" * 7,
        )
    )
    last = [structlog.processors.ExceptionRenderer(_traceback)] if as_json else []
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_WithoutContents())
    handler.addFilter(_NothingInDetail())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last, renderer],
        )
    )
    logging.captureWarnings(True)
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger(_SILENT).setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
