"""Knows which threads may be interrupted at any moment.

Dramatiq ends an actor that runs for too long by raising an exception in its thread, wherever that happens
to be: also between taking a lock and the `try` that would release it. So a thread that works on a message
may wait for others who hold locks, and take none that outlive its own work.
"""

from __future__ import annotations

from contextvars import ContextVar

_exposed: ContextVar[bool] = ContextVar("recado_exposed_to_interrupts", default=False)


def expose(exposed: bool) -> None:
    """Say whether this thread may be interrupted from now on."""
    _exposed.set(exposed)


def is_exposed() -> bool:
    """Whether this thread may be interrupted now."""
    return _exposed.get()
