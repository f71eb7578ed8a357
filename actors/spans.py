"""The spans of what actors ask of others. While tracing is off there are none, and nothing is imported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

#: Values of attributes. None: there is none.
Attributes = Mapping[str, str | int | None]

_tracer: Tracer | None = None


def switch_on() -> None:
    """Make spans from now on."""
    global _tracer  # noqa: PLW0603  one per process, as OpenTelemetry's own provider
    from opentelemetry.trace import get_tracer  # noqa: PLC0415

    _tracer = get_tracer(__name__)


def calling(name: str, attributes: Attributes) -> AbstractContextManager[None]:
    """A client's span around a call to somebody else.

    Of an exception it has the class, that of its cause if it has one, and not the text: others quote numbers
    and contents in theirs.

    Parameters:
      name: of few possible ones.
      attributes: what is known before the call.
    """
    return nullcontext() if _tracer is None else _span(_tracer, name, attributes)


def note(attributes: Attributes) -> None:
    """Add attributes to the span in which this is called."""
    if _tracer is not None:
        from opentelemetry.trace import get_current_span  # noqa: PLC0415

        span = get_current_span()
        for name, value in attributes.items():
            if value is not None:
                span.set_attribute(name, value)


@contextmanager
def _span(tracer: Tracer, name: str, attributes: Attributes) -> Iterator[None]:
    from opentelemetry.trace import SpanKind, StatusCode  # noqa: PLC0415

    known = {key: value for key, value in attributes.items() if value is not None}
    with tracer.start_as_current_span(
        name, kind=SpanKind.CLIENT, attributes=known, record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            yield
        except BaseException as error:
            reason = error.__cause__ or error.__context__ or error
            span.set_attribute("error.type", type(reason).__qualname__)
            span.set_status(StatusCode.ERROR)
            raise
