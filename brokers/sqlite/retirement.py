"""Closing what a process has open of a database whose files were lost, before it opens them anew."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from typing import Any, Protocol

import apsw

from ..errors import EngineError
from .commits import Rescue
from .connection import Connection, connections_to
from .files import SAID, Identities, Loss
from .write import Write

logger = logging.getLogger(__name__)

#: How long an opening waits for what is being closed, in seconds.
PATIENCE_S = 5.0

#: Between two looks whether the last read has ended, in seconds.
LOOK_S = 0.01


class Closable(Protocol):
    """What one process has open of a database, no longer in use but for reads that are just ending."""

    @property
    def connection(self) -> Connection:
        """The one that writes."""
        ...

    def stop_writing(self) -> list[Write[Any]]:
        """Wait for the commits that go on. Returns the operations that have no caller, and are not done."""
        ...

    def rescue_log(self) -> Rescue:
        """Copy into the database what only this process can still read."""
        ...

    def take_readers(self) -> list[Connection] | None:
        """The connections that read, once none of them is in use; None before."""
        ...

    def close(self) -> None:
        """Close the connection that writes, and all that belongs to it."""
        ...


class Retirement:
    """Closes lost handles, in a thread of its own: what finds the loss is one of their own users.

    New handles have to wait for that. SQLite keeps one index of the log in a process for all connections to a
    file, so beside an old connection a new one would go by an index that belongs to no file any more.

    Parameters:
      name: the database file, for people.

    Attributes:
      lost: the files that were open when the last loss was found; None where there was none.
      owed: acknowledgements and the like that were submitted to the lost handles, for the next ones.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._is_over = threading.Event()
        self._is_over.set()
        self.lost: Identities | None = None
        self.owed: list[Write[Any]] = []

    @property
    def is_going_on(self) -> bool:
        """Whether something is being closed."""
        return not self._is_over.is_set()

    def begin(self, handles: Closable, loss: Loss, files: Identities) -> None:
        """Close these handles.

        Parameters:
          loss: what was lost.
          files: what was open.
        """
        if loss == "database":
            self.lost = files
        thread = threading.Thread(
            target=self._run, args=(handles, loss), name=f"recado-closing({self._name})", daemon=True
        )
        self._is_over.clear()
        try:
            thread.start()
        except RuntimeError as error:  # there can be no more threads
            self._is_over.set()
            raise EngineError(f"{self._name} cannot be closed: {error}") from error

    def wait(self) -> None:
        """Return when nothing is being closed.

        Raises:
          EngineError: a read or a commit did not end in time.
        """
        if not self._is_over.wait(PATIENCE_S):
            raise EngineError(f"{self._name} has to be opened anew, and is still in use by this process")

    def _run(self, handles: Closable, loss: Loss) -> None:
        try:
            self._close(handles, loss)
        finally:
            self._is_over.set()

    def _close(self, handles: Closable, loss: Loss) -> None:
        self.owed += handles.stop_writing()
        while (readers := handles.take_readers()) is None:
            time.sleep(LOOK_S)
        connection = handles.connection
        logger.error("%s %s. %s", self._name, SAID[loss], _fate(handles, loss))
        for each in (*readers, connection):
            with suppress(apsw.Error), each.in_use:
                # What this process knows of the log must not be written into the file that lies there.
                each.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        for reader in readers:
            reader.close()
        handles.close()
        # While any other one is open, for housekeeping or a check, SQLite keeps its index of the lost log in
        # this process. A new connection would go by it, and write what no other process can read.
        while loss == "log" and connections_to(self._name):
            time.sleep(LOOK_S)


def _fate(handles: Closable, loss: Loss) -> str:
    """What became of the messages, or whatever else the database holds."""
    match loss:
        case "database":
            held = _contents(handles.connection)
            return f"What it held is not in the file that is opened from now on: {held}"
        case "log":
            return handles.rescue_log().told
        case "damaged":
            return "It is opened anew"


def _contents(connection: Connection) -> str:
    """How many rows each table has, as far as the lost file can be read."""
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
