"""Makes the messages of dead processes ready again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from .. import statements
from ..damaged_rows import set_unreachable_aside, unreachable
from ..liveness.process_registry import Peer, ProcessEntry, peers
from ..settlement import move_to_dead_letters
from ..storage.connection import Connection
from ..storage.database import Database

logger = logging.getLogger(__name__)

#: The error text of a dead letter whose workers died under it.
DIED = "The worker process died while it ran this message."


class Recovery:
    """Finds dead processes, and takes over their messages.

    Parameters:
      database: the queue's database.
      entry: this process's own entry in the process registry.
      max_deliveries: how many workers may die under a message before it is not run again. Its next consumer
        makes it a dead letter, once all callers that wait for it are told. Should that kill its process
        too, `recover` makes it one.
      clock: milliseconds since the epoch.
      on_recovered: called, within the transaction, when messages became ready again.
    """

    def __init__(
        self,
        database: Database,
        entry: ProcessEntry,
        *,
        max_deliveries: int,
        clock: Callable[[], int],
        on_recovered: Callable[[], None],
    ) -> None:
        self._database = database
        self._entry = entry
        self._max_deliveries = max_deliveries
        self._clock = clock
        self._on_recovered = on_recovered

    def recover(self, *, thorough: bool = False) -> None:
        """Make the messages of dead processes ready again.

        Parameters:
          thorough: also the messages of processes that left no file behind, and rows that no claim would
            find.

        Raises:
          EngineError, OSError: SQLite could not, or the file system. The next round tries again.
        """
        alive = {self._entry.owner}
        for peer in peers(self._database.run_directory, self._entry.owner):
            try:
                if peer.is_dead():
                    self._take_over(peer.owner, peer.running())
                    _remove(peer)
                else:
                    alive.add(peer.owner)
            finally:
                peer.close()
        if thorough:
            owners = self._database.read(lambda c: {row[0] for row in c.execute(statements.OWNERS)})
            # A process makes its file, then claims. This one reads the owners, then looks for files. So an
            # owner without a file is dead.
            for owner in owners - alive - self._other_owners():
                self._take_over(owner, [])
            if self._database.read(unreachable):
                count = self._database.write(lambda c: set_unreachable_aside(c, self._clock()))
                logger.error("%d message(s) with damaged rows are dead letters", count)

    def is_first(self) -> bool:
        """Return whether this process has the lowest owner of all: it does the work that one process does."""
        return all(self._entry.owner < owner for owner in self._other_owners())

    def _other_owners(self) -> set[int]:
        owners = set()
        for peer in peers(self._database.run_directory, self._entry.owner):
            owners.add(peer.owner)
            peer.close()
        return owners

    def _take_over(self, owner: int, running: list[int]) -> None:
        started = set(running)

        def apply(connection: Connection) -> int:
            claimed: Any = connection.execute(statements.CLAIMED_BY, (owner,)).fetchall()
            for key, token, crashes in claimed:
                if key not in started:
                    connection.execute(statements.RELEASE, ("ready", 0, key, token))
                    continue
                connection.execute(statements.REQUEUE_CRASHED, (DIED, key, token))
                if crashes >= self._max_deliveries:  # the process died while callers were told of it
                    move_to_dead_letters(
                        connection, key, None, reason="max_deliveries", error=DIED, now_ms=self._clock()
                    )
            if claimed:
                self._on_recovered()
            return len(claimed)

        count = self._database.write(apply, durable=False)
        if count:
            logger.warning(
                "Process %s died holding %d message(s): they are back in the queue", _name(owner), count
            )


def _remove(peer: Peer) -> None:
    peer.path.with_suffix(".fifo").unlink(missing_ok=True)
    peer.path.unlink(missing_ok=True)


def _name(owner: int | str | bytes) -> str:
    """Return an owner as its files are named, whatever a damaged row says."""
    return f"{owner:016x}" if isinstance(owner, int) else repr(owner)
