"""A backend in another process."""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing.connection import Connection
from operator import methodcaller
from typing import Any, TypeVar, cast

from brokers.backend import QueueBackend

from .engines import Engine
from .processes import Process

T = TypeVar("T")


class Remote(Process):
    """A process with a backend of its own on the engine's store.

    Parameters:
      engine: whose store.
      options: for `Engine.open`.

    Attributes:
      backend: the child's backend; each call is made there and answered from there.
    """

    def __init__(self, engine: Engine, **options: Any) -> None:
        super().__init__(_serve, engine, options)
        self.backend = cast(QueueBackend, _Proxy(self))

    def run(self, function: Callable[[QueueBackend], T]) -> T:
        """Run `function(backend)` in the child; return, or raise, what it did."""
        self.begin(function)
        return cast(T, self.result())

    def begin(self, function: Callable[[QueueBackend], Any]) -> None:
        """`run`, without waiting for the result."""
        self.send(function)

    def result(self) -> Any:
        """Of what was begun."""
        value, error = self.receive()
        if error is not None:
            raise error
        return value

    def __enter__(self) -> Remote:
        return self


class _Proxy:
    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        return lambda *args, **kwargs: self._remote.run(methodcaller(verb, *args, **kwargs))


def _serve(channel: Connection, engine: Engine, options: dict[str, Any]) -> None:
    backend = engine.open(**options)
    while True:
        function = channel.recv()
        answer: tuple[Any, Exception | None]
        try:
            answer = function(backend), None
        except Exception as error:  # noqa: BLE001  it is the parent's to see
            answer = None, error
        channel.send(answer)
