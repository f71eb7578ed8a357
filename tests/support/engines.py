"""What the conformance suite needs to know of each engine, beside the protocol.

A new engine joins the suite with one more subclass of `Engine`, listed in `ENGINES`.
"""

from __future__ import annotations

import resource
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from dramatiq import Middleware

import brokers.sqlite.database
from brokers import SQLiteBroker
from brokers.backend import QueueBackend
from brokers.durable import DurableBroker
from brokers.sqlite import SQLiteBackend
from brokers.sqlite.gate import Gate
from brokers.sqlite.presence import peers

from .waiting import eventually


@dataclass(frozen=True)
class Engine(ABC):
    """One store of an engine. Pickles, so that another process can open the same store.

    Attributes:
      directory: for the store, or for what the engine keeps of it.
    """

    directory: Path

    #: Ways to keep the engine away from this process, by name. Inside the context every write fails.
    OUTAGES: ClassVar[Mapping[str, Callable[[Any], Any]]] = {}

    @abstractmethod
    def open(self, **options: Any) -> QueueBackend:
        """A new backend on the store, independent of all others.

        Parameters:
          options: max_deliveries, max_message_bytes, clock.
        """

    @abstractmethod
    def broker(self, *, middleware: list[Middleware], **options: Any) -> DurableBroker:
        """A new broker on the store, made as a user of the library would."""

    @abstractmethod
    def waiting(self) -> int:
        """How many processes have a consumer waiting, and would be woken by an enqueue."""

    @abstractmethod
    def crash(self, backend: QueueBackend) -> None:
        """Leave `backend` as the death of its process would."""

    @abstractmethod
    def recover(self, backend: QueueBackend) -> None:
        """Have `backend` look for the messages of the dead now, and return when it is done."""

    @abstractmethod
    def hurry(self, setattr_: Callable[[str, object], None]) -> None:
        """Make housekeeping quick, where a test opens and closes backends by the dozen."""


class SQLiteEngine(Engine):
    """A database file."""

    @property
    def path(self) -> Path:
        return self.directory / "queue.db"

    @property
    def run_directory(self) -> Path:
        return self.directory / "queue.db-run"

    def open(self, **options: Any) -> SQLiteBackend:
        return SQLiteBackend(self.path, **options)

    def broker(self, *, middleware: list[Middleware], **options: Any) -> SQLiteBroker:
        return SQLiteBroker(self.path, middleware=middleware, **options)

    def waiting(self) -> int:
        count = 0
        for peer in peers(self.run_directory, None):
            with closing(peer):
                count += peer.is_waiting()
        return count

    def crash(self, backend: QueueBackend) -> None:
        assert isinstance(backend, SQLiteBackend)
        desk, backend._desk = backend._desk, None
        if desk is not None:
            desk.caretaker.stop()
        backend.close()
        if desk is not None:
            # Its files stay, and nobody holds its lock any more: just what the kernel leaves of a process.
            desk.doorbell.disown()
            desk.presence.disown()
            desk.presence._memory.close()

    def recover(self, backend: QueueBackend) -> None:
        assert isinstance(backend, SQLiteBackend)
        desk = backend._at_desk()
        desk.caretaker.recover(thorough=True)
        # The caretaker's own thread may have been quicker, and not yet be done.
        eventually(lambda: not any(self._dead(desk.presence.owner)))

    def _dead(self, own: int) -> Iterator[bool]:
        for peer in peers(self.run_directory, own):
            with closing(peer):
                yield peer.is_dead()

    def hurry(self, setattr_: Callable[[str, object], None]) -> None:
        setattr_("brokers.sqlite.caretaker.ROUND_S", 0.02)

    @contextmanager
    def _disk_full(self) -> Iterator[None]:
        """No file of this process may grow or be written: the limit counts from the file's start."""
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    @contextmanager
    def _stuck(self) -> Iterator[None]:
        """Another process took its turn and does not go on: stopped, or its disk hangs."""
        patience_s = brokers.sqlite.database.WRITE_TIMEOUT_S
        brokers.sqlite.database.WRITE_TIMEOUT_S = 0.3
        try:
            with closing(Gate(self.run_directory)) as gate, gate:
                yield
        finally:
            brokers.sqlite.database.WRITE_TIMEOUT_S = patience_s

    OUTAGES: ClassVar[Mapping[str, Callable[[Any], Any]]] = {"disk full": _disk_full, "stuck": _stuck}


ENGINES: Mapping[str, type[Engine]] = {"sqlite": SQLiteEngine}
