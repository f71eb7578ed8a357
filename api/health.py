"""Is it alive, can it take messages, and how is it doing."""

from __future__ import annotations

from dramatiq.errors import BrokerError
from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from brokers.backend import QueueBackend
from brokers.spool import SpooledBackend
from ops.metrics import Machine

from .opening import Opening

#: How long the queue may take to prove that it can be written, in seconds.
READY_WITHIN_S = 2.0


def health_routes(
    backend: QueueBackend, machine: Machine, opening: Opening, spool: SpooledBackend | None = None
) -> APIRouter:
    """The routes that load balancers and Prometheus call.

    Parameters:
      backend: the queue.
      machine: what is known on this one.
      opening: knows whether the queue is open.
      spool: where messages wait while the queue is away, when there is such a place.
    """
    router = APIRouter()

    @router.get("/healthz")
    async def alive() -> JSONResponse:
        return JSONResponse({"status": "ok"})

    @router.get("/readyz")
    def ready() -> JSONResponse:
        if opening.trouble is not None:
            return JSONResponse({"status": "unavailable", "why": opening.trouble}, status_code=503)
        try:
            backend.check(timeout_s=READY_WITHIN_S)
        except BrokerError as error:
            return JSONResponse({"status": "unavailable", "why": str(error)}, status_code=503)
        if spool is not None and (trouble := spool.trouble) is not None:
            # Webhooks are welcome all the same: a load balancer should go on sending them.
            return JSONResponse(
                {"status": "degraded", "why": trouble, "spooled_messages": spool.depth().messages}
            )
        return JSONResponse({"status": "ok"})

    @router.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest(machine), media_type=CONTENT_TYPE_LATEST)

    return router
