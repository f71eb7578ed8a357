"""What the settings ask for."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ops.foundation.settings import Settings

from .autoscaler import Autoscaler
from .health import Patience
from .recycling import Limits
from .spec import ChildSpec
from .supervisor import Plan

#: The API's requests are short: the workers get what is left of the time, in seconds.
API_DRAIN_S = 20.0

_MB = 1_000_000


def plan_of(settings: Settings, modules: Sequence[str]) -> Plan:
    """The children these settings ask for.

    Parameters:
      modules: imported by the workers too, for the actors they declare.
    """
    # Without the current directory in the path (-P): somebody's own `api` or `actors` may be there.
    entry = (sys.executable, "-P", "-m", "ops.supervisor.entry")
    most = settings.most_workers
    return Plan(
        api=ChildSpec(
            "api",
            (*entry, "api"),
            shutdown_timeout_s=min(API_DRAIN_S, settings.drain_timeout_s),
            listens=True,
        ),
        worker=ChildSpec(
            "worker",
            (*entry, "worker", *modules),
            count=settings.workers,
            shutdown_timeout_s=settings.drain_timeout_s,
            work_counts_deaths=True,
        ),
        patience=Patience(settings.heartbeat_timeout_s),
        drain_timeout_s=settings.drain_timeout_s,
        autoscaler=Autoscaler(
            least=settings.workers,
            most=most,
            threads=settings.worker_threads,
            target_wait_s=settings.workers_target_wait_s,
        )
        if most > settings.workers
        else None,
    )


def limits_of(settings: Settings) -> dict[str, Limits]:
    """What children may use up, by kind."""
    soft, hard = settings.worker_recycle_memory_mb, settings.worker_memory_limit_mb
    return {
        "worker": Limits(
            memory_bytes=None if soft is None else soft * _MB,
            hard_memory_bytes=None if hard is None else hard * _MB,
            age_s=settings.worker_recycle_age_s,
            jobs=settings.worker_recycle_jobs,
        )
    }
