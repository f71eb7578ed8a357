"""A collector of OpenTelemetry spans: OTLP over real HTTP, with a memory.

with FakeCollector() as collector:
    ...                                # programs that export to collector.url
    print(collector.picture())
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from fastapi import FastAPI, Request, Response
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from .server import Server


@dataclass(frozen=True)
class Span:
    """A span as it came in.

    Attributes:
      parent: the id of the span it is a child of; empty for none.
      links: the ids of the spans it is linked to.
      resource: what it says of the process it is from.
    """

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent: str
    links: Sequence[str]
    started_at: int
    is_error: bool
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]


class FakeCollector:
    """The server."""

    def __init__(self) -> None:
        self._spans: list[Span] = []
        self.bodies: list[bytes] = []
        app = FastAPI(openapi_url=None)
        app.add_api_route("/v1/traces", self._take, methods=["POST"])
        self._server = Server(app)

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def spans(self) -> list[Span]:
        """In the order in which they began."""
        return sorted(self._spans, key=lambda span: span.started_at)

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]

    def picture(self, trace_id: str) -> str:
        """A trace as an indented tree, each span with what kind it is and how it ended."""
        return "\n".join(self._branch("", 0, trace_id)) + "\n"

    def _branch(self, parent: str, depth: int, trace_id: str) -> Iterator[str]:
        for span in self.spans:
            if (span.trace_id, span.parent) == (trace_id, parent):
                outcome = span.attributes.get("messaging.dramatiq.outcome")
                details = [
                    span.kind,
                    *([outcome] if outcome else []),
                    *([f"error {span.attributes['error.type']}"] if span.is_error else []),
                ]
                yield "  " * depth + f"{span.name} ({', '.join(details)})"
                yield from self._branch(span.span_id, depth + 1, trace_id)

    async def _take(self, request: Request) -> Response:
        body = await request.body()
        if request.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.bodies.append(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            about = _values(resource.resource.attributes)
            for scope in resource.scope_spans:
                self._spans.extend(_read(span, about) for span in scope.spans)
        return Response(ExportTraceServiceResponse().SerializeToString(), media_type="application/x-protobuf")

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.__exit__(kind, error, trace)


def _read(span: Any, resource: Mapping[str, Any]) -> Span:
    return Span(
        name=span.name,
        kind=WireSpan.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        links=[link.span_id.hex() for link in span.links],
        started_at=span.start_time_unix_nano,
        is_error=span.status.code == Status.STATUS_CODE_ERROR,
        attributes=_values(span.attributes),
        resource=resource,
    )


def _values(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}
