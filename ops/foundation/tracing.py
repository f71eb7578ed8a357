"""Where this process's spans go: to a collector, if the settings say so."""

from __future__ import annotations

from importlib.metadata import version

from .settings import Settings


def configure_tracing(settings: Settings) -> None:
    """Send this process's spans over OTLP/HTTP, in batches; nothing at all unless TRACING is on.

    OpenTelemetry's own environment variables say where to, as what, and which of them. What waits is sent
    when the process ends. A provider that was set up before, by `opentelemetry-instrument` for
    instance, stays.
    """
    if not settings.tracing:
        return
    from opentelemetry import trace  # noqa: PLC0415  only where it is asked for
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return
    resource = Resource({SERVICE_VERSION: version("recado")}).merge(Resource.create())
    if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: "recado"}))
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
