"""Spans of supervised processes are sent, the last ones too."""

from __future__ import annotations

from tests.fakes.collector import FakeCollector

from .stage import Stage


def test_what_the_api_and_a_worker_did_is_one_trace(stage: Stage) -> None:
    with FakeCollector() as collector:
        up = stage.up(
            TRACING="true",
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
            OTEL_BSP_SCHEDULE_DELAY="600000",  # only at the end
            OTEL_SERVICE_NAME="reception",
        )
        stage.write("Oi", sender=stage.contact())
        stage.settle()
        assert up.terminate() == 0

    [webhook] = collector.named("POST /webhooks/twilio/messages")
    [sent] = collector.named("process replies")
    assert sent.trace_id == webhook.trace_id
    assert {span.resource["service.name"] for span in collector.spans} == {"reception"}
