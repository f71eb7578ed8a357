"""Middleware hooks that do nothing, and need not be called.

Dramatiq calls every hook of every middleware at every signal, some thirty calls for each message, and most of
them are the base class's empty ones. To look a hook up and pass over an empty one takes half the time of
calling it. Which ones are empty is not remembered: a program may replace its middleware, or patch a hook, at
any moment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dramatiq import Middleware

#: The base class's own hooks, by name. One that is patched into the base class later is none of them.
EMPTY: Mapping[str, Any] = {name: value for name, value in vars(Middleware).items() if callable(value)}


def hooks_at(signal: str, middleware: Sequence[Middleware]) -> list[Callable[..., Any]]:
    """The hooks of a name that are not empty, in the middleware's order.

    Parameters:
      signal: the hook's name, such as `before_enqueue`.
      middleware: a broker's, as it is now.
    """
    empty = EMPTY.get(signal)  # None: a signal of ours, which few know
    hooks = []
    for each in middleware:
        hook = getattr(each, signal, None)
        if hook is not None and getattr(hook, "__func__", hook) is not empty:
            hooks.append(hook)
    return hooks
