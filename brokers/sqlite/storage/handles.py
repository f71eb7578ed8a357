"""The handles that one process has open of a database file."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ...errors import FileLost
from ...writer import Writer
from .connection import Connection, connect
from .disk_space import DiskSpace
from .file_modes import make_database, make_run_directory
from .files import Files, Identities, Loss, record_wal, wal_of
from .operations import Write
from .process_lock import ProcessLock
from .schema import Schema
from .stale_wal import set_stale_wal_aside
from .transactions import Rescue, Transactions
from .wal_checkpoint import WalCheckpointer
from .wal_fsync import WalFsync


@dataclass(frozen=True, slots=True)
class Handles:
    """The connection that writes, with its writer thread, and the connections that read.

    Attributes:
      transactions, writer: by which this process writes.
      readers: the connections to read with that are not in use.
      reading: one element for each connection to read with that is in use, or is just being opened.
      retired: not empty once the handles are being closed.
    """

    transactions: Transactions
    writer: Writer[Write[Any]]
    readers: list[Connection] = field(default_factory=list)
    reading: list[None] = field(default_factory=list)
    retired: list[None] = field(default_factory=list)

    @property
    def is_given_up(self) -> bool:
        """Whether a file was lost, so that other handles take the place of these."""
        return self.transactions.is_given_up

    def borrow_reader(self, path: Path) -> Connection:
        """Return a connection to read with, for one thread, until that thread puts it back.

        A reader first adds itself to `reading`, then looks at `retired`. `take_readers` first sets
        `retired`, then looks at `reading`. So at least one of them sees the other.

        Raises:
          FileLost: the handles are being closed.
        """
        self.reading.append(None)
        if self.retired:
            self.reading.pop()
            raise FileLost(f"{path} is just being opened anew")
        try:
            return self.readers.pop()  # list.pop is atomic; a look before it would not be
        except IndexError:
            pass
        try:
            return connect(path, read_only=True)
        except BaseException:
            self.reading.pop()
            raise

    def put_back(self, connection: Connection, *, is_fit: bool) -> None:
        """End the use of a connection; one that is not fit is closed."""
        if is_fit:
            self.readers.append(connection)
        else:
            connection.close()
        self.reading.pop()

    # -- for their retirement ----------------------------------------------------------------------

    @property
    def connection(self) -> Connection:
        return self.transactions.connection

    def stop_writing(self) -> list[Write[Any]]:
        self.writer.close()
        return self.transactions.unwritten

    def rescue_wal(self) -> Rescue:
        return self.transactions.rescue_wal()

    def take_readers(self) -> list[Connection] | None:
        self.retired.append(None)  # before the look at `reading`: see `borrow_reader`
        if self.reading:
            return None
        taken = list(self.readers)
        self.readers.clear()
        return taken

    def close(self) -> None:
        self.transactions.close()


def open_handles(
    path: Path,
    run_directory: Path,
    schema: Schema,
    disk_space: DiskSpace,
    *,
    lost: Identities | None,
    timeout_s: float,
    after_commit: Callable[[], None],
    on_lost: Callable[[Transactions, Loss], None],
) -> Handles:
    """Make a database where there is none, bring its tables up to date, and open it.

    Parameters:
      path: the database file.
      run_directory: holds the process lock; made when missing.
      schema: the tables.
      disk_space: of the disk that the database lies on.
      lost: the files that this process had open when it found the database deleted or replaced.
      timeout_s: how long to wait for the process lock, in seconds.
      after_commit, on_lost: as of `Transactions`.

    Raises:
      apsw.Error, OSError: SQLite could not, or the file system.
      EngineError: another process kept the lock.
      UnsupportedDatabase: a newer Recado made the tables.
    """
    make_run_directory(run_directory, path)
    with ExitStack() as on_failure:
        process_lock = on_failure.enter_context(closing(ProcessLock(run_directory)))
        # Two processes that create the file together would find it locked.
        process_lock.acquire_within(timeout_s)
        try:
            set_stale_wal_aside(path, lost)
            make_database(path)
            connection = on_failure.enter_context(closing(connect(path, create=True)))
            with connection.in_use:
                connection.pragma("auto_vacuum", "INCREMENTAL")  # must come before the first table
                connection.pragma("journal_mode", "WAL")
                with connection:
                    schema.bring_up_to_date(connection, path=str(path))
                # The pages that a statement has changed so far, for the case that it fails halfway: beyond
                # 15 pages they would be a file. Not before: a migration sorts all rows.
                connection.pragma("temp_store", "MEMORY")
            files = Files(path)
            record_wal(run_directory, files.opened.wal)
        finally:
            process_lock.release()
        transactions = Transactions(
            path,
            connection,
            process_lock,
            on_failure.enter_context(closing(WalFsync(wal_of(path), connection))),
            WalCheckpointer(path, partial(connect, path), run_directory, disk_space),
            files=files,
            run_directory=run_directory,
            after_commit=after_commit,
            on_lost=on_lost,
        )
        on_failure.pop_all()
    writer = Writer(
        transactions.commit, try_commit=transactions.try_commit, name=f"recado-writer({path.name})"
    )
    return Handles(transactions, writer)
