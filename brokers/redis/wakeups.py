"""Wake-ups: one connection per process on which the server says which queue is worth a look.

A hint, not a promise: when this connection breaks, a hint may be lost, and the consumers' slow poll finds
the message. The server forgets who waits when it has rung once; who finds nothing is put down again.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections import Counter
from contextlib import suppress
from typing import Any

import redis

from .client import RedisClient, explained
from .scripts import name_of

logger = logging.getLogger(__name__)

#: How long the line may be silent before it is tried, in seconds.
SILENCE_S = 15.0

#: How long to wait before a lost connection is made again, in seconds.
RECONNECT_S = 0.5


class Wakeups:
    """This process's bell.

    Parameters:
      client: the way to the server that rings it.
      channel: what the server calls it.
      changed: told of each ring. One that waits for several bells gives them the same.
    """

    def __init__(self, client: RedisClient, channel: str, changed: threading.Condition) -> None:
        self._client = client
        self._channel = channel
        self._counts: Counter[str] = Counter()
        self._changed = changed
        self._stopping = threading.Event()
        self._line: Any = None
        self._thread = threading.Thread(target=self._run, name="recado-bell", daemon=True)

    def start(self) -> None:
        """Listen from now on: whoever looks for messages after this misses no ring.

        Raises:
          redis.RedisError: the server is away.
        """
        self._line = self._connect()
        self._thread.start()

    def heard(self, queue: str) -> int:
        """How often it rang so far for a queue: take this before looking, hand it to `wait` after."""
        return self._counts[queue] + self._counts[""]

    def wait(self, queue: str, heard: int, timeout_s: float) -> None:
        """Block until it rings once more than `heard`."""
        with self._changed:
            self._changed.wait_for(lambda: self.heard(queue) != heard, timeout_s)

    def notify(self, queue: str = "") -> None:
        """Wake the consumers of a queue, or of all."""
        with self._changed:
            self._counts[queue] += 1
            self._changed.notify_all()

    def stop(self) -> None:
        self._stopping.set()
        line = self._line
        if line is not None and line._sock is not None:
            with suppress(OSError):  # it is gone already
                line._sock.shutdown(socket.SHUT_RDWR)  # ends the wait for the next ring
        self._thread.join()
        self._hang_up()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                if self._line is None:
                    self._line = self._connect()
                    self.notify()  # what was said meanwhile, nobody heard
                self._listen(self._line)
            except (redis.RedisError, OSError) as error:
                self._hang_up()
                if not self._stopping.is_set():
                    logger.warning("Cannot be woken for a moment: %s", explained(error))
                    self._stopping.wait(RECONNECT_S)

    def _connect(self) -> Any:
        line = self._client.connect()
        line.send_command("SUBSCRIBE", self._channel, check_health=False)
        line.read_response()  # the confirmation
        return line

    def _listen(self, line: Any) -> None:
        pinged = False
        while not self._stopping.is_set():
            if line.can_read(timeout=SILENCE_S):
                pinged = False
                kind, *_, said = line.read_response()
                if kind == b"message":
                    self.notify(name_of(said))
            elif pinged:
                raise redis.ConnectionError("the line is dead: a ping was not answered")
            else:
                line.send_command("PING", check_health=False)
                pinged = True

    def _hang_up(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.disconnect()
