"""What this process asks of the server: who waits together is asked for together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ..errors import EngineError
from ..records import QueueMessage
from ..writer import Operation
from . import scripts
from .client import RedisClient, explained
from .durability import Fsync
from .scripts import Argument, Call, Script, encoded, new_call

T = TypeVar("T")


class Command(Operation[T]):
    """A call of a script.

    Parameters:
      script: the script.
      arguments: what it is called with.
      read: makes a result of its answer.
      lazy: nobody waits; it may be kept a few milliseconds for company.

    Raises:
      TypeError: an argument is neither str, bytes nor int: here, where no other command fails with it.
      UnicodeEncodeError: an argument holds lone surrogates.
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
        """Take in the answer, or what went wrong. Never raises: others of this commit have answers too."""
        if isinstance(answer, Exception):
            self.error = explained(answer)
            return
        try:
            self.result = self.read(answer)
        except Exception as error:  # noqa: BLE001  whatever it is, it is its caller's to see
            self.error = error


class StoreMessage(Command[bool]):
    """An enqueue. Those of one commit become one call.

    Parameters:
      message: the message.
      now: the time to store it at, where that is not the server's.

    Raises:
      TypeError: a number of the message is none. All enqueues of a commit are one call of a script, which
        would end there for all of them.
    """

    def __init__(self, message: QueueMessage, now: Argument) -> None:
        m = message
        for number in (m.priority, m.delay_ms, m.unique_for_ms):
            if not isinstance(number, int):
                raise TypeError(f"a priority or a time has to be an int, and is {number!r}")
        arguments = (
            *(m.message_id, m.queue, m.actor, m.payload, m.priority, m.delay_ms),
            *(m.unique_key or "", m.unique_for_ms, m.waited_ms),
        )
        super().__init__(scripts.ENQUEUE, arguments, read=bool)
        self.now = now


class Committer:
    """CommitSlots operations into one round trip, and tells each how it went.

    Parameters:
      server: the server.
      fsync: what to wait for after each commit; None for nothing.
    """

    def __init__(self, server: RedisClient, fsync: Fsync | None = None) -> None:
        self._server = server
        self._fsync = fsync

    def commit(self, batch: Sequence[Command[Any]]) -> None:
        """Never raises: each operation learns of its own failure."""
        batch = [command for command in batch if not command.abandoned]
        stores = [command for command in batch if isinstance(command, StoreMessage)]
        others, calls = _calls([command for command in batch if not isinstance(command, StoreMessage)])
        if stores:
            calls.append(_enqueue(stores))
        try:
            answers = self._run(calls)
        except EngineError as error:
            for command in (*stores, *others):
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


def _calls(commands: Sequence[Command[Any]]) -> tuple[list[Command[Any]], list[Call]]:
    """Return the commands that can be asked for, and their calls; the others learn why they cannot be."""
    ready: list[Command[Any]] = []
    calls: list[Call] = []
    for command in commands:
        try:
            call = Call(command.script, command.arguments())
        except (TypeError, ValueError) as error:
            command.error = error
        else:
            ready.append(command)
            calls.append(call)
    return ready, calls


def _enqueue(stores: Sequence[StoreMessage]) -> Call:
    arguments: list[Argument] = [stores[0].now, new_call()]
    for store in stores:
        arguments += store.arguments()
    return Call(scripts.ENQUEUE, arguments)


def _settle_all(stores: Sequence[StoreMessage], answer: Any) -> None:
    if isinstance(answer, Exception):
        for store in stores:
            store.settle(answer)
    else:
        for store, stored in zip(stores, answer, strict=True):  # a byte for each
            store.settle(stored == ord("1"))
