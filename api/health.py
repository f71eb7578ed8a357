"""Is it alive, can it take messages, and how is it doing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dramatiq.errors import BrokerError
from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from brokers.backend import QueueBackend
from brokers.checks import Checks
from brokers.errors import EngineError
from brokers.spool import SpooledBackend
from ops.foundation.metrics import Machine

from .opening import Opening

#: How long the queue may take to prove that it can be written, in seconds.
READY_WITHIN_S = 2.0


def health_routes(
    backend: QueueBackend,
    machine: Machine,
    checks: Checks,
    opening: Opening,
    spool: SpooledBackend | None = None,
) -> APIRouter:
    """The routes that load balancers and Prometheus call.

    Parameters:
      backend: the queue.
      machine: what is known on this one.
      checks: tell whether the stores beside the queue work.
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
        with ThreadPoolExecutor(1) as beside:  # all together take no longer than one of them
            checking = beside.submit(checks.troubles)
            try:
                backend.check(timeout_s=READY_WITHIN_S)
            except BrokerError as error:
                return JSONResponse({"status": "unavailable", "why": str(error)}, status_code=503)
            troubles = checking.result()
        degraded = _spooling(spool)
        if troubles:
            told = "; ".join(f"{store}: {trouble}" for store, trouble in troubles.items())
            degraded = {"why": told, "stores": troubles, **degraded}
        # Webhooks are welcome all the same, since they are kept: a load balancer should go on sending them.
        return JSONResponse({"status": "degraded", **degraded} if degraded else {"status": "ok"})

    @router.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest(machine), media_type=CONTENT_TYPE_LATEST)

    return router


def _spooling(spool: SpooledBackend | None) -> dict[str, Any]:
    """Return why messages go to the spool, and how many wait there; empty while none do."""
    if spool is None or (trouble := spool.trouble) is None:
        return {}
    try:
        return {"why": trouble, "spooled_messages": spool.depth().messages}
    except EngineError as error:
        return {"why": f"{trouble}; spool: {error}"}
