"""Traces of the real programs, as a collector gets them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator

import pytest
from llmock.pytest_plugin import LLMock

from tests.fakes.collector import FakeCollector
from tests.support.ports import free_port
from tests.support.system import ROOT, System
from tests.support.waiting import eventually

from .conftest import MakeSystem, Settings

DOCUMENT = ROOT / "docs" / "tracing.md"


@pytest.fixture
def collector() -> Iterator[FakeCollector]:
    with FakeCollector() as collector:
        yield collector


def traced_to(url: str) -> Settings:
    """Settings that send spans there, and none before the process ends."""
    return {"TRACING": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_BSP_SCHEDULE_DELAY": "600000"}


def make_traced(make_system: MakeSystem, collector: FakeCollector, model_settings: Settings) -> System:
    return make_system(**traced_to(collector.url), **model_settings)


def test_one_trace_shows_all_that_came_of_a_webhook(
    make_system: MakeSystem, collector: FakeCollector, model_settings: Settings, llmock: LLMock
) -> None:
    system = make_traced(make_system, collector, model_settings)
    api, worker = system.api(), system.worker()
    contact = system.contact()
    llmock.fail(503)

    response = system.webhook(system.parameters("between you and me", sender=contact))
    system.settle()
    assert collector.spans == [], "they wait for the end"
    assert [api.terminate(), worker.terminate()] == [0, 0]

    [webhook] = collector.named("POST /webhooks/twilio/messages")
    assert collector.picture(webhook.trace_id) in DOCUMENT.read_text()
    assert {span.trace_id for span in collector.spans} == {webhook.trace_id}
    assert webhook.attributes["recado.webhook.outcome"] == "accepted"
    request_id = response.headers["X-Request-Id"]
    assert webhook.attributes["recado.request_id"] == request_id
    for name in ("send messages", "process messages", "send replies", "process replies"):
        for span in collector.named(name):
            assert span.attributes["messaging.message.conversation_id"] == request_id

    [sent] = collector.named("send messages")
    first, second = collector.named("process messages")
    assert first.links == [sent.span_id]
    assert second.links == [sent.span_id, first.span_id]
    [message] = system.twilio.sent_to(contact)
    [sending] = collector.named("twilio send")
    assert sending.attributes["twilio.message_sid"] == message.sid
    chat = collector.named("chat a-model")[-1]
    assert chat.attributes["gen_ai.usage.input_tokens"] > 0
    assert chat.attributes["gen_ai.usage.output_tokens"] > 0
    for span in collector.spans:
        assert span.resource["service.name"] == "recado"
        assert re.fullmatch(r"\d+\.\d+\.\d+", span.resource["service.version"])


def test_the_document_names_every_attribute_and_no_span_has_what_a_customer_wrote(
    make_system: MakeSystem, collector: FakeCollector, model_settings: Settings, llmock: LLMock
) -> None:
    system = make_traced(make_system, collector, model_settings)
    api, worker = system.api(), system.worker()
    contact, words = system.contact(), "between you and me"
    llmock.fail(400)
    llmock.reply(words)

    system.webhook({"Body": words})  # refused
    for _ in range(2):
        system.write(words, sender=contact)  # one that the model refuses, and one that it answers
        system.settle()
    system.twilio.refuse(429, 20429, retry_after="0")
    system.twilio.drop(stores=True)
    system.write(words, sender=contact)
    system.settle()
    assert len(system.twilio.sent_to(contact)) == 2
    for message in system.twilio.sent_to(contact):
        assert system.twilio.report(message, "delivered", through=system.url).status_code == 200
    system.settle()
    assert [api.terminate(), worker.terminate()] == [0, 0]

    [found] = collector.named("twilio find")
    assert found.attributes["twilio.message_sid"] in {message.sid for message in system.twilio.messages}
    emitted: dict[str, set[str]] = defaultdict(set)
    for span in collector.spans:
        emitted[re.sub(r" .*", "", span.name)] |= {f"{span.kind}:", *span.attributes}
    documented = {
        name: {f"{kind}:", *re.findall(r"`([\w.]+)`", attributes)}
        for name, kind, attributes in re.findall(
            r"^\| `(\w+)\b[^|]*\| (\w+) \| (.*) \|$", DOCUMENT.read_text(), re.MULTILINE
        )
    }
    for name in ("POST", "send"):  # the queue was there all the time
        documented[name].discard("error.type")
    assert emitted == documented
    exported = b"".join(collector.bodies)
    for secret in (words, contact.partition("+")[2], system.settings["TWILIO_AUTH_TOKEN"]):
        assert secret.encode() not in exported


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_dramatiqs_own_command_line_sends_its_last_spans_too(
    make_system: MakeSystem, collector: FakeCollector, model_settings: Settings
) -> None:
    system = make_traced(make_system, collector, model_settings)
    api, program = system.api(), system.dramatiq("actors", "-p", "2", "-t", "2")
    system.write("Oi", sender=system.contact())
    system.settle()
    assert [api.terminate(), program.terminate()] == [0, 0]

    assert len(collector.named("process messages")) == len(collector.named("twilio send")) == 1


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_a_collector_that_is_away_keeps_nobody_from_an_answer_and_no_program_from_its_end(
    make_system: MakeSystem, model_settings: Settings
) -> None:
    system = make_system(
        **traced_to(f"http://127.0.0.1:{free_port()}"),
        OTEL_EXPORTER_OTLP_TIMEOUT="1",
        **model_settings,
    )
    api, worker = system.api(), system.worker()
    contact = system.contact()
    system.write("Oi", sender=contact)
    system.settle()

    assert len(system.twilio.sent_to(contact)) == 1
    assert [api.terminate(), worker.terminate()] == [0, 0]
    assert "Failed to export spans" in api.log
    assert "Failed to export spans" in worker.log


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_it_is_off_unless_it_is_switched_on(
    make_system: MakeSystem, collector: FakeCollector, model_settings: Settings
) -> None:
    where = {name: value for name, value in traced_to(collector.url).items() if name != "TRACING"}
    system = make_system(**where, FASTAPI_OTEL_AUTO_CONFIGURE="true", **model_settings)
    api, worker = system.api(), system.worker()
    contact = system.contact()
    system.webhook(system.parameters("Oi", sender=contact))
    eventually(lambda: system.twilio.sent_to(contact))
    assert [api.terminate(), worker.terminate()] == [0, 0]

    assert collector.bodies == []


#: Builds what a worker works with, and says what of OpenTelemetry that took.
OFF = """
import sys
import actors
from actors.services import services
from actors.spans import calling, note

with calling("chat", {"a": 1}):
    note({"b": 2})
print([type(each).__name__ for each in services().broker.middleware])
print(sorted(name for name in sys.modules if name.startswith("opentelemetry")))
"""


def test_a_worker_without_it_imports_nothing_of_opentelemetry(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", OFF],
        cwd=tmp_path_factory.mktemp("off"),
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    middleware, modules = ended.stdout.splitlines()
    assert "Tracing" not in middleware
    assert "LogContext" in middleware
    assert modules == "[]"
