"""The plan of what runs, made from the settings."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ops.foundation.settings import Settings

from ..policy.autoscaler import Autoscaler
from ..policy.child_spec import ChildSpec
from ..policy.recycling import UsageLimits

#: How long the API may take to stop, in seconds. Its requests are short, and the workers have the rest of the
#: time.
API_DRAIN_S = 20.0

_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Plan:
    """Says what runs.

    Attributes:
      api, worker: the two kinds of children.
      heartbeat_timeout_s: how long a child may be silent before it is killed, in seconds.
      drain_timeout_s: how long the shutdown may take, in seconds.
      autoscaler: computes how many workers should run; None when the number is fixed.
    """

    api: ChildSpec
    worker: ChildSpec
    heartbeat_timeout_s: float = 10.0
    drain_timeout_s: float = 150.0
    autoscaler: Autoscaler | None = None

    @property
    def stop_order(self) -> Sequence[str]:
        """Return the kinds in the order in which they stop.

        The API stops first, so that the workers can still run what the API has accepted.
        """
        return (self.api.kind, self.worker.kind)


def plan_of(settings: Settings, modules: Sequence[str]) -> Plan:
    """Make the plan that the settings ask for.

    Parameters:
      settings: the settings.
      modules: Python modules that the workers import too, for the actors they declare.
    """
    # -P keeps the current directory out of the path: it may have an `api` or `actors` of its own.
    command = (sys.executable, "-P", "-m", "ops.supervisor.entry")
    return Plan(
        api=ChildSpec(
            "api",
            (*command, "api"),
            shutdown_timeout_s=min(API_DRAIN_S, settings.drain_timeout_s),
            listens=True,
        ),
        worker=ChildSpec(
            "worker",
            (*command, "worker", *modules),
            count=settings.workers,
            shutdown_timeout_s=settings.drain_timeout_s,
            work_counts_deaths=True,
        ),
        heartbeat_timeout_s=settings.heartbeat_timeout_s,
        drain_timeout_s=settings.drain_timeout_s,
        autoscaler=_autoscaler_of(settings),
    )


def _autoscaler_of(settings: Settings) -> Autoscaler | None:
    if settings.most_workers == settings.workers:
        return None
    return Autoscaler(
        least=settings.workers,
        most=settings.most_workers,
        threads=settings.worker_threads,
        target_wait_s=settings.workers_target_wait_s,
    )


def limits_of(settings: Settings) -> Mapping[str, UsageLimits]:
    """Return what a child may use up, by kind."""
    soft_mb, hard_mb = settings.worker_recycle_memory_mb, settings.worker_memory_limit_mb
    return {
        "worker": UsageLimits(
            memory_bytes=None if soft_mb is None else soft_mb * _MB,
            hard_memory_bytes=None if hard_mb is None else hard_mb * _MB,
            age_s=settings.worker_recycle_age_s,
            jobs=settings.worker_recycle_jobs,
        )
    }
