"""What this process asks of the server: who waits together is asked for together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ..backend import QueueMessage
from ..errors import EngineError
from ..writer import Operation
from . import scripts
from .durability import Fsync
from .scripts import Argument, Call, Script, new_call
from .server import Server, explained

T = TypeVar("T")


class Command(Operation[T]):
    """A call of a script.

    Parameters:
      script: the script.
      arguments: what it is called with.
      read: makes a result of its answer.
      lazy: nobody waits; it may be kept a few milliseconds for company.

    Raises:
      UnicodeEncodeError: an argument holds lone surrogates: here, where nobody else fails with it.
    """

    def __init__(
        self,
        script: Script,
        arguments: Sequence[Argument] = (),
        *,
        read: Callable[[Any], T],
        lazy: bool = False,
    ) -> None:
        super().__init__(lazy=lazy)
        self.script = script
        self._arguments = [encoded(argument) for argument in arguments]
        self.read = read

    def arguments(self) -> Sequence[Argument]:
        """What it is called with, looked at when its turn has come."""
        return self._arguments

    def settle(self, answer: Any) -> None:
        """Take in the answer, or what went wrong."""
        if isinstance(answer, Exception):
            self.error = explained(answer)
        else:
            self.result = self.read(answer)


class Store(Command[bool]):
    """An enqueue. Those of one commit become one call.

    Parameters:
      message: the message.
      now: the time to store it at, where that is not the server's.
    """

    def __init__(self, message: QueueMessage, now: Argument) -> None:
        m = message
        arguments = (
            *(m.message_id, m.queue, m.actor, m.payload, m.priority, m.delay_ms),
            *(m.unique_key or "", m.unique_for_ms, m.waited_ms),
        )
        super().__init__(scripts.ENQUEUE, arguments, read=bool)
        self.now = now


class Committer:
    """Turns operations into one round trip, and tells each how it went.

    Parameters:
      server: the server.
      fsync: what to wait for after each commit; None for nothing.
    """

    def __init__(self, server: Server, fsync: Fsync | None = None) -> None:
        self._server = server
        self._fsync = fsync

    def commit(self, batch: Sequence[Command[Any]]) -> None:
        """Never raises: each operation learns of its own failure."""
        batch = [command for command in batch if not command.abandoned]
        stores = [command for command in batch if isinstance(command, Store)]
        others = [command for command in batch if not isinstance(command, Store)]
        calls = [Call(command.script, command.arguments()) for command in others]
        if stores:
            calls.append(_enqueue(stores))
        try:
            answers = self._run(calls)
        except EngineError as error:
            for command in batch:
                command.error = error
            return
        if stores:
            _settle_all(stores, answers[len(others)])
        for command, answer in zip(others, answers, strict=False):
            command.settle(answer)

    def _run(self, calls: Sequence[Call]) -> Sequence[Any]:
        if self._fsync is None:
            return self._server.run(calls)
        self._fsync.look_once()
        answers = self._server.run(calls, *self._fsync.command())
        self._fsync.judge(answers[len(calls) :])
        return answers

    def try_commit(self, command: Command[Any]) -> bool:
        """Commit one operation: the server makes nobody wait for others."""
        self.commit([command])
        return True


def encoded(argument: Argument) -> Argument:
    return argument.encode() if isinstance(argument, str) else argument


def _enqueue(stores: Sequence[Store]) -> Call:
    arguments: list[Argument] = [stores[0].now, new_call()]
    for store in stores:
        arguments += store.arguments()
    return Call(scripts.ENQUEUE, arguments)


def _settle_all(stores: Sequence[Store], answer: Any) -> None:
    if isinstance(answer, Exception):
        for store in stores:
            store.settle(answer)
    else:
        for store, stored in zip(stores, answer, strict=True):  # a byte for each
            store.settle(stored == ord("1"))
