"""OpenTelemetry spans of what passes through a broker. Needs opentelemetry-api, and no more of it."""

from __future__ import annotations

import threading
from contextvars import ContextVar, Token
from typing import Any, NamedTuple

from dramatiq import Broker, Message, Middleware, Worker
from dramatiq.errors import Retry
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import (
    Link,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TracerProvider,
    get_current_span,
    get_tracer_provider,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ..durable_message import DurableMessage, decide

#: The message option that names the span of a message's first delivery, as W3C traceparent.
FIRST_DELIVERY = "first_delivery_traceparent"

_propagator = TraceContextTextMapPropagator()

#: The span of the message that this thread, or this coroutine, is just storing.
_sending: ContextVar[Span | None] = ContextVar("recado_sending_span", default=None)


class _Processing(NamedTuple):
    span: Span
    token: Token[Context]


class Tracing(Middleware):
    """A span for each message that is stored, and one for each time it is delivered.

    They follow the semantic conventions of messaging
    (https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/). A message carries the context
    it was stored in, as the options `traceparent` and `tracestate`. That context is the parent of every
    delivery, so that one trace has all that came of a request, however often it was retried; and since a
    message is processed long after it was sent, each delivery links to it as well. A second delivery and
    those after it link to the first, too, unless that ended with its process.

    Of an exception the span has the class and not the text, which may quote what was processed.

    To be the outermost middleware, so that what the others enqueue belongs to the delivery.

    Parameters:
      provider: where spans go; the process's own provider when None.
      correlated_by: the message option whose value is the conventions' `messaging.message.conversation_id`,
        the id that all messages of one request share.
    """

    def __init__(self, provider: TracerProvider | None = None, *, correlated_by: str | None = None) -> None:
        self._provider = provider
        self._correlated_by = correlated_by
        self._tracer = (provider or get_tracer_provider()).get_tracer(__name__)
        self._thread = threading.local()

    # -- storing --------------------------------------------------------------------------------------

    def before_enqueue(self, broker: Broker, message: Message[Any], delay: int | None) -> None:  # noqa: ARG002
        if isinstance(message, DurableMessage):  # the message in hand: a retry, and no new message
            return
        attributes = self._attributes(message, "send")
        if delay:
            attributes["messaging.dramatiq.delay_ms"] = delay
        given = _context_of(message.options)
        span = self._tracer.start_span(
            f"send {message.queue_name}",
            kind=SpanKind.PRODUCER,
            attributes=attributes,
            links=[Link(given)] if given is not None else [],
        )
        if given is None:  # a context that came with the message is its sender's, and stays
            _propagator.inject(message.options, set_span_in_context(span))
        _sending.set(span)

    def after_enqueue(self, broker: Broker, message: Message[Any], delay: int | None) -> None:  # noqa: ARG002
        _end_sending(None)

    def after_enqueue_failure(self, broker: Broker, message: Message[Any], error: Exception) -> None:  # noqa: ARG002
        """A hook of `DurableBroker`'s own: the message could not be stored."""
        _end_sending(error)

    # -- processing -----------------------------------------------------------------------------------

    def before_process_message(self, broker: Broker, message: DurableMessage) -> None:  # type: ignore[override]  # noqa: ARG002
        self._leave()  # should the one before have ended without a word
        created, first = _context_of(message.options), _context_of(message.options, FIRST_DELIVERY)
        parent = Context() if created is None else _as_parent(message.options)
        attributes = self._attributes(message, "process")
        attributes["messaging.dramatiq.deliveries"] = message.delivery.deliveries
        span = self._tracer.start_span(
            f"process {message.queue_name}",
            context=parent,
            kind=SpanKind.CONSUMER,
            attributes=attributes,
            links=[Link(context) for context in (created, first) if context is not None],
        )
        if first is None:
            carrier: dict[str, str] = {}
            _propagator.inject(carrier, set_span_in_context(span))
            if carrier:
                message.options[FIRST_DELIVERY] = carrier["traceparent"]
        self._thread.processing = _Processing(span, attach(set_span_in_context(span)))

    def after_process_message(  # type: ignore[override]
        self,
        broker: Broker,  # noqa: ARG002
        message: DurableMessage,
        *,
        result: Any = None,  # noqa: ARG002
        exception: BaseException | None = None,
    ) -> None:
        self._leave(decide(message).kind, exception or message.failed_enqueue)

    def after_skip_message(self, broker: Broker, message: DurableMessage) -> None:  # type: ignore[override]  # noqa: ARG002
        self._leave("skipped", message._exception)

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:  # noqa: ARG002
        """Send what is left: Dramatiq's own command line ends its processes without asking anyone."""
        flush = getattr(self._provider or get_tracer_provider(), "force_flush", None)
        if flush is not None:
            flush()

    def _leave(self, outcome: str | None = None, error: BaseException | None = None) -> None:
        processing: _Processing | None = getattr(self._thread, "processing", None)
        if processing is None:
            return
        self._thread.processing = None
        detach(processing.token)
        if outcome is not None:
            processing.span.set_attribute("messaging.dramatiq.outcome", outcome)
        _record(error, processing.span)
        processing.span.end()

    def _attributes(self, message: Message[Any] | DurableMessage, operation: str) -> dict[str, str | int]:
        attributes: dict[str, str | int] = {
            "messaging.system": "dramatiq",
            "messaging.operation.name": operation,
            "messaging.operation.type": operation,
            "messaging.destination.name": message.queue_name,
            "messaging.message.id": message.message_id,
            "messaging.dramatiq.actor": message.actor_name,
        }
        shared = message.options.get(self._correlated_by) if self._correlated_by is not None else None
        if shared is not None:
            attributes["messaging.message.conversation_id"] = str(shared)
        return attributes


def _end_sending(error: Exception | None) -> None:
    span = _sending.get()
    if span is not None:
        _sending.set(None)
        _record(error, span)
        span.end()


def _record(error: BaseException | None, span: Span) -> None:
    if error is not None:
        # A bare Retry says that the actor wants another try; what it came from says why.
        reason = error.__cause__ if type(error) is Retry and error.__cause__ is not None else error
        span.set_attribute("error.type", type(reason).__qualname__)
        span.set_status(StatusCode.ERROR)


def _as_parent(options: dict[str, Any], name: str = "traceparent") -> Context:
    carrier = {"traceparent": options.get(name, ""), "tracestate": options.get("tracestate", "")}
    return _propagator.extract(carrier, Context())


def _context_of(options: dict[str, Any], name: str = "traceparent") -> SpanContext | None:
    """The span that an option names; None for none, or for what is no name of one."""
    context = get_current_span(_as_parent(options, name)).get_span_context()
    return context if context.is_valid else None
