"""Logs tell what happened to which message, and never what it said."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.starts_processes


#: Logs as Dramatiq's workers do, with a customer's words in a message and in a local variable.
PROGRAM = """
import logging, sys
from dramatiq import Message, MessageProxy
from ops.foundation.logging import configure_logging
from ops.foundation.settings import Settings

configure_logging(Settings(_env_file=None, log_format=sys.argv[1]))
log = logging.getLogger("dramatiq.worker")
message = Message("messages", "answer", ({"Body": sys.argv[2]},), {}, {}, message_id="message-1")
log.warning("Received message %s and %r of %d.", message, MessageProxy(message), 2)
def fail(words):
    cause = KeyError("why")
    cause.add_note(words)
    error = ValueError("no")
    error.add_note(words)
    raise error from cause
try:
    fail(sys.argv[2])
except ValueError:
    log.exception("Failed to process message %s.", message)
log.info("Nothing to fill in")
log.warning("By name: %(message)s", {"message": message})
"""


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_messages_are_named_and_not_repeated(log_format: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, log_format, "between you and me"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert "Received message answer[message-1] and 'answer[message-1]' of 2." in ended.stderr
    assert "Failed to process message answer[message-1]." in ended.stderr
    assert "KeyError: 'why'" in ended.stderr
    assert "ValueError: no" in ended.stderr, "the traceback is there"
    assert "in fail" in ended.stderr
    assert "between you and me" not in ended.stderr
    assert "Nothing to fill in" in ended.stderr
    assert "By name: answer[message-1]" in ended.stderr


#: Logs what errors of Twilio's and of its HTTP client say, which quote the number they are about.
NUMBERS = """
import logging, sys, warnings
import structlog
from ops.foundation.logging import configure_logging
from ops.foundation.settings import Settings

configure_logging(Settings(_env_file=None, log_format=sys.argv[1]))
structlog.get_logger("ours").warning("refused", error="whatsapp:+5511900001234 is not valid")
logging.getLogger("theirs").error("no answer: /Messages.json?To=whatsapp%%3A%s&Page=0", "%2B5511900001234")
warnings.warn("+5511900001234 is old-fashioned")
try:
    raise ValueError("+5511900001234")
except ValueError:
    logging.getLogger("theirs").exception("failed")
"""


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_no_telephone_number_can_be_read_whoever_logs_it(log_format: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", NUMBERS, log_format], capture_output=True, text=True, timeout=60, check=True
    )

    assert "900001234" not in ended.stderr
    said = ended.stderr.replace("\\u2022", "•")
    assert said.count("55•••••••34") == 4, "each line still tells one number from another"
    if log_format == "json":
        lines = [json.loads(line) for line in ended.stderr.splitlines()]
        assert [line["level"] for line in lines] == ["warning", "error", "warning", "error"]
        assert all({"event", "logger", "timestamp"} <= line.keys() for line in lines)


#: Logs URLs with credentials, and what libraries would say in detail of a request and its answer.
DETAILS = """
import logging, sys
import structlog
from ops.foundation.logging import configure_logging
from ops.foundation.settings import Settings

configure_logging(Settings(_env_file=None, log_format=sys.argv[1], log_level="DEBUG"))
structlog.get_logger("ours").warning("no", url="https://recado:hidden-one@recado.example.com:8443/v1?a=b@c")
logging.getLogger("theirs").error("no answer from %s", "redis://:hidden%40two@cache.example.com:6379/0")
theirs = ("openai._base_client", "httpx", "httpcore", "twilio.http_client", "urllib3", "botocore.hooks")
for name in theirs:
    logger = logging.getLogger(name)
    logger.setLevel(logging.DEBUG)  # as some libraries do of themselves, once they are imported
    logger.debug("Request options: %s", {"json": "between you and me"})
    logger.info("between you and me")
    logger.warning("what went wrong in %s", name)
logging.getLogger("urllib3_of_another_kind").debug("its details")
"""


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_no_credentials_and_no_bodies_can_be_read_whatever_the_level(log_format: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", DETAILS, log_format], capture_output=True, text=True, timeout=60, check=True
    )

    assert [secret for secret in ("hidden", "between you and me") if secret in ended.stderr] == []
    assert "https://recado.example.com:8443/v1?a=b@c" in ended.stderr
    assert "redis://cache.example.com:6379/0" in ended.stderr
    assert ended.stderr.count("what went wrong in ") == 6
    assert "its details" in ended.stderr


MAILS = """
import logging, sys
import structlog
from ops.foundation.logging import configure_logging
from ops.foundation.settings import Settings

configure_logging(Settings(_env_file=None, log_format=sys.argv[1]))
structlog.get_logger("ours").warning("refused", error="joana@example.com\\njoana@example.com is not valid")
logging.getLogger("theirs").error("no answer to %s", "\\u00e9joana.silva@example.com.br")
"""


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_no_e_mail_address_can_be_read_whoever_logs_it(log_format: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", MAILS, log_format], capture_output=True, text=True, timeout=60, check=True
    )

    assert [part for part in ("joana", "example.com") if part in ended.stderr] == []
    if log_format == "json":
        refused, unanswered = (json.loads(line) for line in ended.stderr.splitlines())
        assert refused["error"] == "j•••••••\n••••••• is not valid"
        assert unanswered["event"] == "no answer to é•••••••"
