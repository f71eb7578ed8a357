"""The way to a Redis server: which one it is, what it is asked, and what can go wrong."""

from __future__ import annotations

# The first connection of a process would import the two that are not used here. When the process forks while
# a thread of it imports them, the child inherits the lock of that import, and no thread that could release
# it: at its own first connection the child would wait for that lock for ever.
import email.parser  # noqa: F401
import encodings.idna  # noqa: F401
import logging
import threading
from collections.abc import Sequence
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.connection import ConnectionPool, parse_url
from redis.exceptions import MovedError, NoScriptError, ReadOnlyError
from redis.retry import Retry
from redis.sentinel import Sentinel

from ..errors import EngineError
from ..forks import abandon_in_children
from .options import Address, RedisOptions
from .scripts import Argument, Call

logger = logging.getLogger(__name__)

Command = Sequence[Argument]

#: A stale connection, a server that does not know the scripts yet, a cluster whose slot is elsewhere: each
#: costs a try, and each can happen once.
TRIES = 4


class RedisClient:
    """A Redis server and this process's connections to it.

    Of a cluster, any node will do: all keys of a namespace are on one node, and to that one the others
    point. With Sentinel, each new connection goes to the master of that moment.

    Parameters:
      options: the server.
      base: what every key begins with.

    Raises:
      ValueError: the URL is none.
    """

    def __init__(
        self,
        options: RedisOptions,
        *,
        base: str,
    ) -> None:
        self._base = base
        self._sentinels = list(options.sentinels)
        self._sentinel_master = options.sentinel_master
        timeouts = {"socket_timeout": options.timeout_s, "socket_connect_timeout": options.timeout_s}
        ours = {**timeouts, "protocol": 2}
        # What was lost is asked again here, where it is known to be harmless, and not by the library.
        always = {"decode_responses": False, "retry": Retry(NoBackoff(), 0)}
        self._options = [{**ours, **parse_url(each.strip()), **always} for each in options.url.split(",")]
        self._seed = 0
        self._moved_to: Address | None = None
        self._pool: ConnectionPool | None = None
        self._changing = threading.Lock()
        abandon_in_children(self)

    def run(self, calls: Sequence[Call], *then: Command) -> list[Any]:
        """Call scripts, then give commands, in one round trip; return all answers, errors among them.

        When a connection breaks, all of it is asked again on another one, and the scripts are told so.

        Raises:
          EngineError: no answer.
          redis.DataError: an argument is neither str, bytes nor int. Nothing was sent.
        """
        for attempt in range(TRIES):
            again = int(attempt > 0)
            commands: list[Command] = [
                ("EVALSHA", call.script.sha, 1, self._base, again, *call.arguments) for call in calls
            ]
            try:
                answers = self.ask([*commands, *then])
            except redis.ConnectionError as error:
                self._try_another_seed()
                # Its subclasses are refusals: a password, a server that is still loading its data.
                if type(error) is redis.ConnectionError and attempt < TRIES - 1:
                    continue
                raise explained(error) from error
            except redis.DataError:  # an argument that cannot be sent, whatever the server is like
                raise
            except (redis.RedisError, OSError) as error:
                self._try_another_seed()
                raise explained(error) from error
            if attempt == TRIES - 1 or not self._could_be_mended(calls, answers):
                return answers
        raise AssertionError("unreachable: the last try returns or raises")

    def ask(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands together; return the answers, refusals among them."""
        pool = self._current_pool()
        connection = pool.get_connection()
        try:
            connection.send_packed_command(connection.pack_commands(commands))
            return [_answer(connection) for _ in commands]
        except BaseException:
            connection.disconnect()  # or the answers still to come would be taken for others
            raise
        finally:
            pool.release(connection)

    def connect(self) -> Any:
        """A connection of one's own.

        Raises:
          redis.RedisError: the server is away.
        """
        connection: Any = self._current_pool().make_connection()
        connection.connect()
        return connection

    def _current_pool(self) -> ConnectionPool:
        """Connections to the server that is in charge."""
        with self._changing:
            if self._pool is None:
                self._pool = self._connect()
            return self._pool

    def _connect(self) -> ConnectionPool:
        options = dict(self._options[self._seed])
        if self._sentinels:
            for option in ("host", "port", "connection_class"):
                options.pop(option, None)
            master = Sentinel(self._sentinels, **options).master_for(self._sentinel_master)
            pool: ConnectionPool = master.connection_pool
            return pool
        if self._moved_to is not None:
            options |= dict(zip(("host", "port"), self._moved_to, strict=True))
        return ConnectionPool(**options)

    def _could_be_mended(self, calls: Sequence[Call], answers: Sequence[Any]) -> bool:
        """Whether it is worth asking again, after what was done here about the refusals."""
        for answer in answers:
            if isinstance(answer, NoScriptError):
                scripts = {call.script for call in calls}
                self.ask([("SCRIPT", "LOAD", script.text) for script in scripts])
                return True
            if isinstance(answer, MovedError):
                self._leave_for((answer.host, answer.port))
                return True
            if isinstance(answer, ReadOnlyError):  # it was the master once
                self._leave_for(None)
        return False

    def _try_another_seed(self) -> None:
        """Turn to another node than the one that did not answer, as long as there is one."""
        self._seed = (self._seed + 1) % len(self._options)
        if self._moved_to is not None or len(self._options) > 1:
            self._leave_for(None)

    def _leave_for(self, address: Address | None) -> None:
        with self._changing:
            self._moved_to = address
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.disconnect(inuse_connections=False)

    def close(self) -> None:
        self._leave_for(None)

    def abandon(self) -> None:
        """In a forked child: the parent's connections are not ours to use."""
        self._changing = threading.Lock()
        self._pool = None


def _answer(connection: Any) -> Any:
    try:
        return connection.read_response()
    except redis.ResponseError as refusal:
        return refusal


def explained(error: Exception) -> EngineError:
    """What went wrong, in Dramatiq's own family of errors."""
    return EngineError(f"Redis could not: {type(error).__name__}: {error}")
