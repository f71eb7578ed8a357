"""Spans of calls to others, where the real programs' tests do not get to them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from actors import spans
from actors.spans import calling, note


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    provider, exporter = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(spans, "_tracer", provider.get_tracer("test"))
    yield exporter
    provider.shutdown()


def test_a_call_is_a_clients_span_with_what_is_known_before_and_after(exporter: InMemorySpanExporter) -> None:
    with calling("ask", {"before": 1, "unknown": None}):
        note({"after": "yes", "never": None})

    [span] = exporter.get_finished_spans()
    assert (span.name, span.kind) == ("ask", SpanKind.CLIENT)
    assert dict(span.attributes or {}) == {"before": 1, "after": "yes"}
    assert span.status.status_code == StatusCode.UNSET


@pytest.mark.parametrize(("cause", "expected"), [(None, "ValueError"), (TimeoutError(), "TimeoutError")])
def test_of_a_failure_it_has_the_class_of_what_caused_it_and_no_word(
    exporter: InMemorySpanExporter, cause: Exception | None, expected: str
) -> None:
    with pytest.raises(ValueError, match="between you and me"), calling("ask", {}):
        raise ValueError("between you and me") from cause

    [span] = exporter.get_finished_spans()
    assert dict(span.attributes or {}) == {"error.type": expected}
    assert span.status.status_code == StatusCode.ERROR
    assert span.events == ()
    assert "between" not in span.to_json()


def test_a_cause_that_is_not_to_be_shown_is_named_all_the_same(exporter: InMemorySpanExporter) -> None:
    def ask() -> None:
        try:
            raise TimeoutError("between you and me")
        except TimeoutError:
            raise ValueError from None

    with pytest.raises(ValueError), calling("ask", {}):  # noqa: PT011  has no text
        ask()

    [span] = exporter.get_finished_spans()
    assert dict(span.attributes or {}) == {"error.type": "TimeoutError"}


def test_an_interrupt_ends_it_too(exporter: InMemorySpanExporter) -> None:
    with pytest.raises(KeyboardInterrupt), calling("ask", {}):
        raise KeyboardInterrupt

    [span] = exporter.get_finished_spans()
    assert dict(span.attributes or {}) == {"error.type": "KeyboardInterrupt"}


def test_while_it_is_off_a_failure_passes_as_it_is() -> None:
    with pytest.raises(ValueError, match="as it is"), calling("ask", {"a": 1}):
        raise ValueError("as it is")
