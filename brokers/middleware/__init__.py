"""The stack every message goes through, in one place.

`before` hooks run from top to bottom, `after` hooks from bottom to top.

prometheus_client is imported with `Metrics` and not before. At its import it reads an environment variable
that says whether this process shares its metrics with others, and Dramatiq's own Prometheus middleware sets
that variable when a process boots.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dramatiq import Middleware
from dramatiq.middleware import Callbacks, CurrentMessage, ShutdownNotifications

from .age_limit import AgeLimit
from .pipelines import Pipelines
from .retries import Retries
from .time_limit import TimeLimit

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from .metrics import Metrics


def default_middleware(
    *,
    max_age_ms: int | None = None,
    time_limit_ms: float = 600_000,
    max_retries: int = 20,
    min_backoff_ms: int = 15_000,
    max_backoff_ms: int = 7 * 86_400_000,
    retry_when: Callable[[int, BaseException], bool] | None = None,
    metrics: CollectorRegistry | None = None,
) -> list[Middleware]:
    """Build the stack. The defaults are Dramatiq's own; every actor may override them.

    Parameters:
      max_age_ms: older messages become dead letters instead of being run; None for no limit.
      time_limit_ms: actors are interrupted after so long.
      max_retries: a message that failed so often becomes a dead letter.
      min_backoff_ms: pause before the first retry; it doubles each time, with jitter.
      max_backoff_ms: the longest pause.
      retry_when: given the retries so far and the error, whether to try again; overrides `max_retries`.
      metrics: the registry for Prometheus metrics; None for none.
    """
    return [
        *_metrics(metrics),
        AgeLimit(max_age=max_age_ms),
        ShutdownNotifications(),
        Callbacks(),
        Pipelines(),
        Retries(
            max_retries=max_retries,
            min_backoff=min_backoff_ms,
            max_backoff=max_backoff_ms,
            retry_when=retry_when,
        ),
        CurrentMessage(),
        TimeLimit(time_limit=time_limit_ms),
    ]


def _metrics(registry: CollectorRegistry | None) -> list[Middleware]:
    if registry is None:
        return []
    from .metrics import Metrics  # noqa: PLC0415

    return [Metrics(registry)]


def __getattr__(name: str) -> Any:
    if name == "Metrics":
        from .metrics import Metrics  # noqa: PLC0415

        return Metrics
    if name == "stack":
        warnings.warn(
            "brokers.middleware.stack is called default_middleware now", DeprecationWarning, stacklevel=2
        )
        return default_middleware
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["AgeLimit", "Metrics", "Retries", "TimeLimit", "default_middleware"]
