"""Middleware hooks that do something.

Dramatiq calls every hook of every middleware at every signal, some thirty calls for each message, and most of
them are the base class's empty ones: in a no-op job they are a third of the work. Which ones are not empty is
remembered, for as long as nothing has changed. A program may replace its middleware, or patch a hook of an
object or a class, at any moment, and all of that counts: for messages that are claimed after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Any, NamedTuple

from dramatiq import Middleware

#: The base class's own hooks, by name. One that is patched into the base class later is none of them.
EMPTY: Mapping[str, Any] = {name: value for name, value in vars(Middleware).items() if callable(value)}


class MiddlewareList(list[Middleware]):
    """A broker's middleware, in order. It notices each change of itself.

    Attributes:
      kinds: the class of each.
      attributes: what each object has of its own, where it can have anything.
      changes: how often the list was changed.
    """

    def __init__(self, middleware: Iterable[Middleware] = ()) -> None:
        super().__init__(middleware)
        self.changes = 0
        self._note()

    def _note(self) -> None:
        self.changes += 1
        self.kinds = [type(each) for each in self]
        self.attributes = [each.__dict__ for each in self if hasattr(each, "__dict__")]


def _noting(name: str) -> Callable[..., Any]:
    change = getattr(list, name)

    def changed(self: MiddlewareList, *args: Any, **kwargs: Any) -> Any:
        try:
            return change(self, *args, **kwargs)
        finally:
            self._note()

    changed.__name__ = name
    return changed


for _name in ("__setitem__", "__delitem__", "__iadd__", "__imul__", "append", "extend", "insert"):
    setattr(MiddlewareList, _name, _noting(_name))
for _name in ("pop", "remove", "clear", "sort", "reverse"):
    setattr(MiddlewareList, _name, _noting(_name))


#: The signals of every message that is done. Whether a hook of theirs was patched is looked at when messages
#: are claimed, because for each message it would cost a tenth of a no-op job.
_OF_EACH_MESSAGE = ("before_process_message", "after_process_message", "before_ack", "after_ack")

#: Each gets what a class has for a signal. That of `before_enqueue` looks after `after_enqueue` too.
_getters: dict[str, Callable[[Any], Any]] = {signal: attrgetter(signal) for signal in EMPTY}
_getters["before_enqueue"] = attrgetter("before_enqueue", "after_enqueue")
_getter_of_each_message = attrgetter(*_OF_EACH_MESSAGE)

#: Signals whose hooks are not looked at each time, because that is done at another moment.
_LOOKED_AFTER = frozenset({*_OF_EACH_MESSAGE, "after_enqueue"})


class _Seen(NamedTuple):
    """A signal's hooks, and what they were found from."""

    changes: int
    functions: list[Any]
    size: int
    hooks: list[Callable[..., Any]]


class Hooks:
    """The hooks of a broker's middleware that are not empty, by signal."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}
        self._seen_of_each_message: tuple[list[Any], int] | None = None

    def at(self, signal: str, middleware: MiddlewareList) -> list[Callable[..., Any]]:
        """The hooks of a name that do something, in the middleware's order.

        Parameters:
          signal: the hook's name, such as `before_enqueue`.
          middleware: the broker's, as it is now.
        """
        seen = self._seen.get(signal)
        if (
            seen is not None
            and seen.changes == middleware.changes
            and (signal in _LOOKED_AFTER or _is_unpatched(signal, seen, middleware))
        ):
            return seen.hooks
        if signal == "before_enqueue":
            self._seen.pop("after_enqueue", None)
        return self._look(signal, middleware)

    def forget_patched(self, middleware: MiddlewareList) -> None:
        """Notice that a hook of each message was patched; to be called when messages are claimed."""
        try:
            found = [*map(_getter_of_each_message, middleware.kinds)]
        except AttributeError:  # a class that lacks one of the hooks
            found = []
        now = found, sum(map(len, middleware.attributes))
        if now != self._seen_of_each_message or not found:
            self._seen_of_each_message = now
            for signal in _OF_EACH_MESSAGE:
                self._seen.pop(signal, None)

    def _look(self, signal: str, middleware: MiddlewareList) -> list[Callable[..., Any]]:
        empty = EMPTY.get(signal)  # None: a signal of ours, which few know
        every = [getattr(each, signal, None) for each in middleware]
        hooks = [hook for hook in every if hook is not None and getattr(hook, "__func__", hook) is not empty]
        try:
            functions = [*map(_getters[signal], middleware.kinds)]
        except (KeyError, AttributeError):  # that signal of ours, or a class that lacks the hook
            return hooks
        if not any(name in attributes for attributes in middleware.attributes for name in EMPTY):
            size = sum(map(len, middleware.attributes))
            self._seen[signal] = _Seen(middleware.changes, functions, size, hooks)
        return hooks


def _is_unpatched(signal: str, seen: _Seen, middleware: MiddlewareList) -> bool:
    """Whether the hooks of a signal are those that were seen, of classes and of objects."""
    return [*map(_getters[signal], middleware.kinds)] == seen.functions and sum(
        map(len, middleware.attributes)
    ) == seen.size
