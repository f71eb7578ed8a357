"""Middleware hooks that do something.

Dramatiq calls every hook of every middleware at every signal, some thirty calls for each message of which
most are the base class's empty ones. In a no-op job they are a third of the work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dramatiq import Middleware


class Hooks:
    """Which middleware has something to do at which signal.

    Parameters:
      middleware: a broker's list of middleware, in order; it may grow later.
    """

    def __init__(self, middleware: Sequence[Middleware]) -> None:
        self._middleware = middleware
        self._found: dict[str, list[Callable[..., Any]]] = {}
        self._count = 0

    def at(self, signal: str) -> list[Callable[..., Any]]:
        """The hooks of that name that are not empty, in the middleware's order."""
        if self._count != len(self._middleware):
            self._found, self._count = {}, len(self._middleware)
        hooks = self._found.get(signal)
        if hooks is None:
            empty = getattr(Middleware, signal, None)  # None: a signal of ours, which few know
            every = [getattr(middleware, signal, None) for middleware in self._middleware]
            hooks = [
                hook for hook in every if hook is not None and getattr(hook, "__func__", hook) is not empty
            ]
            self._found[signal] = hooks
        return hooks
