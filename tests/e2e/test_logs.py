"""The logs of the real programs: one shape, and one search from the webhook to Twilio's SID."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from llmock.pytest_plugin import LLMock

from actors.masking import masked
from tests.support.system import ROOT, Program, System

from .conftest import MakeSystem, Settings


def names(lines: list[dict[str, Any]]) -> list[str]:
    """What was said, and in which actor."""
    return [": ".join(filter(None, (line.get("actor"), line["event"]))) for line in lines]


def assert_one_shape(program: Program) -> None:
    """Every line the program wrote is an object that says when, what, and how bad it is."""
    lines = [json.loads(line) for line in program.log.splitlines()]
    assert lines
    for line in lines:
        assert {"event", "level", "timestamp"} <= line.keys(), line
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", line["timestamp"])


def test_one_search_finds_all_that_came_of_a_webhook(running: System) -> None:
    contact = running.contact()
    parameters = running.parameters("Oi", sender=contact)

    response = running.webhook(parameters, **{"X-Request-Id": "from.the-proxy_1"})
    running.settle()

    assert response.headers["X-Request-Id"] == "from.the-proxy_1"
    [message] = running.twilio.sent_to(contact)
    lines = running.logged(request_id="from.the-proxy_1")
    assert names(lines) == ["message received", "process_ai_response: answered", "send_reply: reply sent"]
    assert {line["contact"] for line in lines} == {masked(contact)}
    received, answered, sent = lines
    assert (
        received["message_id"] == answered["message_id"] == f"{running.twilio.sid}.{parameters['MessageSid']}"
    )
    assert answered["queue"] == "messages"
    assert (sent["queue"], sent["sid"]) == ("replies", message.sid)
    assert sent["message_id"] == f"send-{running.reply_of(message).reply_id}"


def test_the_document_shows_what_is_really_logged(running: System) -> None:
    text = (ROOT / "docs" / "logs.md").read_text()
    documented = set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
    shown = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    contact = running.contact()
    running.write("Oi", sender=contact)
    running.settle()
    [message] = running.twilio.sent_to(contact)
    running.twilio.report(message, "delivered", through=running.url)
    running.settle()

    [sent, delivered] = running.logged(sid=message.sid)
    written = [*running.logged(request_id=sent["request_id"]), delivered]

    assert names(shown) == names(written)
    left_out = {"message_sid", "messages", "tokens", "tool_calls"}
    assert [line.keys() for line in shown] == [line.keys() - left_out for line in written]
    of_their_own = {"error", "model", "moved", "status"}
    assert set().union(*written) - left_out - of_their_own <= documented


def test_a_status_callback_is_found_by_the_sid_and_is_a_request_of_its_own(running: System) -> None:
    contact = running.contact()
    running.write("Oi", sender=contact)
    running.settle()
    [message] = running.twilio.sent_to(contact)

    response = running.twilio.report(message, "delivered", through=running.url)
    running.settle()

    sent, delivered = running.logged(sid=message.sid)
    assert names([sent, delivered]) == ["send_reply: reply sent", "record_delivery_status: delivery status"]
    assert delivered["request_id"] == response.headers["X-Request-Id"] != sent["request_id"]
    assert delivered["contact"] == sent["contact"]
    assert delivered["reply_id"] == sent["reply_id"]


def test_the_search_finds_what_went_wrong_too_in_dramatiqs_words_and_in_ours(
    running: System, llmock: LLMock
) -> None:
    contact = running.contact()
    llmock.fail(503)
    llmock.fail(400, message="cannot make sense of 'between you and me'", code="no_sense")
    running.twilio.refuse(400, 21211)

    response = running.webhook(running.parameters("between you and me", sender=contact))
    running.settle()

    lines = running.logged(request_id=response.headers["X-Request-Id"])
    assert [re.sub(r" message \S*\d.*", "", name) for name in names(lines)] == [
        "message received",
        "process_ai_response: no answer from the responder",
        "process_ai_response: Retrying",
        "process_ai_response: message is known already: a repeated webhook, or a second delivery",
        "process_ai_response: no answer from the responder",
        "process_ai_response: Failed to process",
        "process_ai_response: Retries exceeded for",
        "apologise: message is known already: a repeated webhook, or a second delivery",
        "apologise: no answer could be produced",
        "send_reply: Failed to process",
        "send_reply: Retries exceeded for",
    ]
    assert [line.get("deliveries") for line in lines[1:8]] == [None, None, 2, 2, 2, 2, None]
    assert "The model answered 400 (no_sense)" in lines[5]["exception"]
    assert "21211" in lines[-2]["exception"]
    assert {line["contact"] for line in lines} == {masked(contact)}
    digits = contact.partition("+")[2]
    assert [secret for secret in (digits, "between you and me") if secret in running.logs()] == []
    [letter] = running.dead_letters("process_ai_response")
    assert "between you and me" in (letter.last_error or ""), "what the endpoint said is kept there"


def test_each_program_writes_one_shape(front: System) -> None:
    worker = front.worker()
    front.twilio.refuse(400, 21211)
    front.webhook({"Body": "neither signed nor whole"})
    front.write("Oi", sender=front.contact())
    front.settle()
    worker.terminate()

    assert_one_shape(worker)


def test_dramatiqs_command_line_writes_it_too_once_it_is_told_to_leave_logging_alone(front: System) -> None:
    program = front.dramatiq("actors", "-p", "1", "-t", "2", "--skip-logging")
    front.twilio.refuse(400, 21211)
    front.write("Oi", sender=front.contact())
    front.settle()
    assert program.terminate() == 0

    assert_one_shape(program)


@pytest.mark.parametrize("log_level", ["INFO", "DEBUG"])
def test_the_api_writes_it_from_its_first_line_to_its_last(
    make_system: MakeSystem, model_settings: Settings, log_level: str
) -> None:
    system = make_system(LOG_LEVEL=log_level, **model_settings)
    api = system.api()
    system.write("Oi", sender=system.contact())
    system.webhook({"Body": "a webhook that lacks all else"})
    assert api.terminate() == 0

    assert_one_shape(api)
    refused = system.logged(event="webhook refused")
    assert [line["outcome"] for line in refused] == ["incomplete"]
    assert refused[0]["request_id"]


@pytest.mark.parametrize("openai_log", ["", "debug"])
def test_no_level_of_the_logs_shows_what_was_said(
    make_system: MakeSystem, model_settings: Settings, openai_log: str
) -> None:
    """The worker's libraries send what was said, and say at DEBUG what they send."""
    system = make_system(LOG_LEVEL="DEBUG", OPENAI_LOG=openai_log, **model_settings)
    system.api()
    system.worker()
    system.write("between you and me", sender=system.contact())
    system.settle()

    [message] = system.twilio.messages
    assert [said for said in ("between you and me", message.body) if said in system.logs()] == []
