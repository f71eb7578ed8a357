"""Tells the server what this process's threads run, before they run it.

Should the process die, the messages it ran are suspects, and those it had only claimed are not. Such a marker
has to be on its way before the actor begins, and needs no answer: the kernel delivers what was sent even if
the sender dies at once.
"""

from __future__ import annotations

import itertools
import logging
import threading
from typing import Any, cast

import redis

from ..records import Lease
from .client import RedisClient

logger = logging.getLogger(__name__)


class StartedMarkers:
    """The markers of this process: numbered places, one for each message that is being run.

    A place that is free again keeps what was noted there last, until the next message takes it: only what is
    still held when the process dies is suspect.

    Parameters:
      client: the way to the server.
      key: the hash they are kept in.
    """

    def __init__(self, client: RedisClient, key: str) -> None:
        self._client = client
        self._key = key
        self._places: dict[Lease, int] = {}
        self._free: list[int] = []
        self._more = itertools.count()
        self._connection: Any = None
        self._sending = threading.Lock()

    def set(self, lease: Lease) -> None:
        """A message begins to run. While the server is away nothing is noted."""
        message_id, token = lease
        mark = b"%d:%b" % (token, cast(bytes, message_id))
        with self._sending:
            place = self._places[lease] = self._free.pop() if self._free else next(self._more)
            try:
                if self._connection is None:
                    self._connection = self._connect()
                packed = self._connection.pack_command("HSET", self._key, place, mark)
                self._connection.send_packed_command(packed, check_health=False)
            except (redis.RedisError, OSError) as error:
                # Not worth failing the message for: should it now kill its worker, that death is not counted.
                logger.warning("Could not note that message %s is run: %s", message_id, error)
                self._disconnect()

    def clear(self, lease: Lease) -> None:
        """It is no longer run; harmless for a message that never was."""
        place = self._places.pop(lease, None)
        if place is not None:
            self._free.append(place)

    def _connect(self) -> Any:
        connection = self._client.connect()
        connection.send_command("CLIENT", "REPLY", "OFF", check_health=False)
        return connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.disconnect()

    def close(self) -> None:
        with self._sending:
            self._disconnect()
