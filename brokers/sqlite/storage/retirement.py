"""Closes the handles of a database whose files were lost, before the process opens new ones."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from typing import Any, Protocol

import apsw

from ...errors import EngineError
from .connection import Connection, connections_to
from .files import LOSS_TEXTS, Identities, Loss
from .operations import Write
from .transactions import Rescue

logger = logging.getLogger(__name__)

#: How long opening a database anew waits for the old handles to close, in seconds.
TIMEOUT_S = 5.0

#: The pause between two checks whether the last read has ended, in seconds.
POLL_S = 0.01


class Closable(Protocol):
    """The handles that one process has of a database, out of use but for reads that are about to end."""

    @property
    def connection(self) -> Connection:
        """The connection that writes."""
        ...

    def stop_writing(self) -> list[Write[Any]]:
        """Wait for the commits that go on; return the operations that have no caller, and are not done."""
        ...

    def rescue_wal(self) -> Rescue:
        """Copy a log that only this process can still read into the database."""
        ...

    def take_readers(self) -> list[Connection] | None:
        """Return the connections that read, once none of them is in use; None before."""
        ...

    def close(self) -> None:
        """Close the connection that writes, and all that belongs to it."""
        ...


class Retirement:
    """Closes lost handles on a thread of its own, because the loss is found by a thread that uses them.

    New handles have to wait for that. SQLite keeps one index of the log in a process, for all connections
    to a file. A new connection beside an old one would use an index that belongs to no file any more.

    Parameters:
      name: the database file, for messages.

    Attributes:
      lost: the files that were open when the last loss was found; None where there was no loss.
      unwritten: acknowledgements and the like that were submitted to the lost handles, for the next ones.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._is_over = threading.Event()
        self._is_over.set()
        self.lost: Identities | None = None
        self.unwritten: list[Write[Any]] = []

    @property
    def is_going_on(self) -> bool:
        """Whether handles are being closed."""
        return not self._is_over.is_set()

    def start(self, handles: Closable, loss: Loss, files: Identities) -> None:
        """Start to close these handles.

        Parameters:
          handles: the handles.
          loss: which file was lost.
          files: the files that were open.

        Raises:
          EngineError: the process can have no more threads.
        """
        if loss == "database":
            self.lost = files
        thread = threading.Thread(
            target=self._run, args=(handles, loss), name=f"recado-closing({self._name})", daemon=True
        )
        self._is_over.clear()
        try:
            thread.start()
        except RuntimeError as error:
            self._is_over.set()
            raise EngineError(f"{self._name} cannot be closed: {error}") from error

    def wait(self) -> None:
        """Return when no handles are being closed.

        Raises:
          EngineError: a read or a commit did not end in time.
        """
        if not self._is_over.wait(TIMEOUT_S):
            raise EngineError(f"{self._name} has to be opened anew, and is still in use by this process")

    def _run(self, handles: Closable, loss: Loss) -> None:
        try:
            self._close(handles, loss)
        finally:
            self._is_over.set()

    def _close(self, handles: Closable, loss: Loss) -> None:
        self.unwritten += handles.stop_writing()
        while (readers := handles.take_readers()) is None:
            time.sleep(POLL_S)
        connection = handles.connection
        logger.error("%s %s. %s", self._name, LOSS_TEXTS[loss], _consequence(handles, loss))
        for each in (*readers, connection):
            with suppress(apsw.Error), each.in_use:
                # The pages that this process has in memory of the log must not be written into the file
                # that lies there.
                each.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        for reader in readers:
            reader.close()
        handles.close()
        # While another connection is open, for maintenance or a check, SQLite keeps its index of the lost
        # log in this process. A new connection would use that index, and write what no other process can
        # read.
        while loss == "wal" and connections_to(self._name):
            time.sleep(POLL_S)


def _consequence(handles: Closable, loss: Loss) -> str:
    """Say what became of the messages, or of whatever else the database holds."""
    match loss:
        case "database":
            held = _row_counts(handles.connection)
            return f"What it held is not in the file that is opened from now on: {held}"
        case "wal":
            return handles.rescue_wal().text
        case "damaged":
            return "It is opened anew"


def _row_counts(connection: Connection) -> str:
    """Say how many rows each table has, as far as the lost file can be read."""
    try:
        with connection.in_use:
            tables: Any = connection.execute(
                "SELECT name FROM sqlite_schema"
                " WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
            ).fetchall()
            counts = {
                name: next(iter(connection.execute(f'SELECT count(*) FROM "{name}"')))[0]  # noqa: S608  a table
                for (name,) in tables
            }
    except apsw.Error as error:
        return f"nothing that can be read any more ({error})"
    return ", ".join(f"{count} in {name}" for name, count in counts.items() if count) or "nothing"
