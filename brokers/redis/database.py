"""One namespace on a Redis server, and this process's way into it.

What is asked for at the same time travels together: changes that have to survive a power cut by one way,
which waits for the server's file, and all else by another, which waits for nothing.
"""

from __future__ import annotations

from typing import Any, TypeVar

from ..commit_slots import PacedSlots
from ..forks import abandon_in_children
from ..writer import Writer
from .client import RedisClient
from .commands import Command, Committer
from .durability import Fsync
from .options import RedisOptions

T = TypeVar("T")

#: How long a caller waits for an answer, in seconds, before it is told that the server is stuck.
ANSWER_WITHIN_S = 10.0

#: With `appendfsync everysec` each commit takes up to a second: a new one every so often, up to so many.
PACE_S, COMMITS_AT_ONCE = 0.1, 12


def base_of(namespace: str) -> str:
    """Return what every key of a namespace begins with: in braces, so that a cluster keeps them together."""
    return f"{{{namespace}}}"


class Database:
    """A namespace.

    Parameters:
      server: the server.
      base: what every key begins with.

    Attributes:
      base: what every key begins with.
      server: the way to the server, for parts that need a connection of their own.

    Raises:
      ValueError: the URL is none.
    """

    def __init__(
        self,
        server: RedisOptions | str,
        *,
        base: str,
    ) -> None:
        options = RedisOptions.of(server)
        self.base = base
        self.server = RedisClient(options, base=self.base)
        self._fsync = Fsync(self.server, options.durability)
        self._start_anew()
        abandon_in_children(self)

    def _start_anew(self) -> None:
        asking, storing = Committer(self.server), Committer(self.server, self._fsync)
        self._asks: Writer[Command[Any]] = Writer(
            asking.commit, try_commit=asking.try_commit, name="recado-writer"
        )
        self._stores: Writer[Command[Any]] = Writer(
            storing.commit,
            try_commit=storing.try_commit,
            slots=PacedSlots(pace_s=PACE_S, at_once=COMMITS_AT_ONCE),
            name="recado-durable-writer",
        )

    def ask(self, command: Command[T]) -> T:
        """Run a command; what it changes may be lost with the server's memory.

        Raises:
          EngineError: it was not, or perhaps it was and no answer came.
        """
        result: T = self._asks.perform(command, ANSWER_WITHIN_S)
        return result

    def store(self, command: Command[T]) -> T:
        """Run a command, and return when what it changed is in the server's file.

        Raises:
          EngineError: it is not, or perhaps it is and no answer came.
        """
        result: T = self._stores.perform(command, ANSWER_WITHIN_S)
        return result

    async def store_async(self, command: Command[T]) -> T:
        """`store` for an event loop."""
        return await command.wait_async(self._stores.submit, ANSWER_WITHIN_S)

    def ask_in_order(self, command: Command[T]) -> T:
        """`ask`, behind everything that was submitted."""
        return command.wait(self._asks.submit, ANSWER_WITHIN_S)

    def submit(self, command: Command[Any]) -> None:
        """Hand a command over without waiting for it."""
        self._asks.submit(command)

    def check(self, command: Command[T], *, timeout_s: float) -> T:
        """`store`, with a time limit in seconds, and nothing else attempted."""
        return command.wait(self._stores.submit, timeout_s)

    def look_at_server(self) -> None:
        """Say now what is wrong with the server, rather than at the first change that is to be kept.

        Raises:
          EngineError: it is away, or cannot do what is required.
        """
        self._fsync.look_once()

    def close(self) -> None:
        """Commit what was submitted, and close. The next use opens it again."""
        self._stores.close()
        self._asks.close()
        self.server.close()
        self._start_anew()

    def abandon(self) -> None:
        """In a forked child: the parent's threads are not here."""
        self._start_anew()
