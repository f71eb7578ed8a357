"""The thread that looks after things: wake-ups from other processes, dead processes, tidying up."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from ..errors import EngineError
from . import statements
from .connection import Connection
from .damage import set_aside_stray, stray
from .database import Database
from .doorbell import Doorbell
from .presence import Peer, Presence, peers
from .tidying import Tidying

logger = logging.getLogger(__name__)

#: How often to look for dead processes, in seconds: their messages run again within a second.
ROUND_S = 0.3

#: A round in so many also looks for leases whose process left no file, and has things tidied up.
THOROUGH_EVERY = 10

#: What a dead letter says when its workers died under it.
DIED = "The worker process died while it ran this message."


class Caretaker:
    """One process's share of the housekeeping.

    Parameters:
      database: the queue's database.
      presence: this process's file.
      doorbell: this process's bell.
      max_deliveries: how many workers may die under a message before it is not run again. Its next
        consumer sets it aside, once all who wait for it are told; should that kill its process too, it is set
        aside here.
      clock: milliseconds since the epoch.
      on_recovered: called, within the transaction, when messages became ready again.
    """

    def __init__(
        self,
        database: Database,
        presence: Presence,
        doorbell: Doorbell,
        *,
        max_deliveries: int,
        clock: Callable[[], int],
        on_recovered: Callable[[], None],
    ) -> None:
        self._database = database
        self._presence = presence
        self._doorbell = doorbell
        self._max_deliveries = max_deliveries
        self._clock = clock
        self._on_recovered = on_recovered
        self._stopping = False
        self._tidying = Tidying(database, self._is_first)
        self._thread = threading.Thread(target=self._run, name="recado-caretaker", daemon=True)

    def start(self) -> None:
        """Take over what dead processes left, then keep an eye on the living ones."""
        self.recover(thorough=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping = True
        self._doorbell.interrupt()
        self._thread.join()
        self._tidying.close()

    def recover(self, *, thorough: bool = False) -> None:
        """Make the messages of dead processes ready again.

        Parameters:
          thorough: also those whose process left no file behind.

        Raises:
          EngineError: the engine could not; the next round tries again.
        """
        alive = {self._presence.owner}
        for peer in peers(self._database.run_directory, self._presence.owner):
            try:
                if peer.is_dead():
                    self._take_over(peer.owner, peer.running())
                    self._remove(peer)
                else:
                    alive.add(peer.owner)
            finally:
                peer.close()
        if thorough:
            holders = self._database.read(lambda c: {row[0] for row in c.execute(statements.OWNERS)})
            # Looked at after the files: whoever holds messages had its file before.
            for owner in holders - alive - {peer.owner for peer in self._others()}:
                self._take_over(owner, [])
            if self._database.read(stray):
                count = self._database.write(lambda c: set_aside_stray(c, self._clock()))
                logger.error("%d message(s) with rows that are not whole are dead letters", count)

    def _others(self) -> list[Peer]:
        found = list(peers(self._database.run_directory, self._presence.owner))
        for peer in found:
            peer.close()
        return found

    def _is_first(self) -> bool:
        """Whether of all processes here this one has the lowest number."""
        return all(self._presence.owner < peer.owner for peer in self._others())

    def _run(self) -> None:
        round_at, rounds = time.monotonic() + ROUND_S, 0
        while not self._stopping:
            self._doorbell.listen(max(0.0, round_at - time.monotonic()))
            if time.monotonic() < round_at:
                continue
            round_at, rounds = time.monotonic() + ROUND_S, rounds + 1
            thorough = rounds % THOROUGH_EVERY == 0
            try:
                self.recover(thorough=thorough)
                if thorough:
                    self._tidying.begin()
            except (EngineError, OSError, RuntimeError) as error:  # RuntimeError: no more threads
                logger.warning("Housekeeping has to wait: %s", error)

    def _take_over(self, owner: int, running: list[int]) -> None:
        suspects = set(running)

        def apply(connection: Connection) -> int:
            held: Any = connection.execute(statements.HELD_BY, (owner,)).fetchall()
            for key, token, crashes in held:
                if key not in suspects:
                    connection.execute(statements.RELEASE, ("ready", 0, key, token))
                else:
                    connection.execute(statements.RECOVER_STARTED, (DIED, key, token))
                    if crashes >= self._max_deliveries:  # it died while it was only told of
                        bury(connection, key, None, reason="max_deliveries", error=DIED, now_ms=self._clock())
            if held:
                self._on_recovered()
            return len(held)

        count = self._database.write(apply, durable=False)
        if count:
            logger.warning(
                "Process %s died holding %d message(s): they are back in the queue", _name(owner), count
            )

    def _remove(self, peer: Peer) -> None:
        peer.path.with_suffix(".fifo").unlink(missing_ok=True)
        peer.path.unlink(missing_ok=True)


def _name(owner: int | str | bytes) -> str:
    """As its files are called; whatever a damaged row says."""
    return f"{owner:016x}" if isinstance(owner, int) else repr(owner)


def bury(
    connection: Connection, key: int, token: int | None, *, reason: str, error: str | None, now_ms: int
) -> None:
    """Move a message, held under `token`, to the dead letters."""
    connection.execute(statements.COUNT_DIED, (reason, key, token))
    connection.execute(statements.BURY, (now_ms, reason, error, key, token))
    connection.execute(statements.ACK, (key, token))
