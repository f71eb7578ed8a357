"""The parts of a process that consumes; a process that only enqueues has none of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field

from .liveness.process_registry import ProcessEntry
from .liveness.wakeups import WakeupReceiver
from .maintenance.clock_watch import ClockWatch
from .maintenance.recovery import Recovery
from .maintenance.scheduler import Maintenance
from .storage.database import Database


@dataclass(frozen=True, slots=True)
class ConsumerSession:
    """A consuming process's entry in the process registry, its wake-ups and its maintenance.

    Attributes:
      entry: this process's entry.
      receiver: receives wake-ups for this process's consumers.
      maintenance: this process's share of it.
      idle_queues: the queues in which the last claim found nothing, or the last message.
      emptied_queues: those of them whose last message was taken just now.
    """

    entry: ProcessEntry
    receiver: WakeupReceiver
    maintenance: Maintenance
    idle_queues: set[str] = field(default_factory=set)
    emptied_queues: set[str] = field(default_factory=set)

    @contextmanager
    def waiting(self, queue: str) -> Iterator[None]:
        """Have other processes wake this one after each commit, for as long as the context lasts."""
        self.entry.add_waiting(1)
        self.idle_queues.add(queue)
        try:
            yield
        finally:
            self.entry.add_waiting(-1)

    def leave(self) -> None:
        """Remove this process's files. The process has no leases any more: with leases it would look dead."""
        self.receiver.close()
        self.entry.close()


def start_session(
    database: Database, *, max_deliveries: int, clock: Callable[[], int], on_recovered: Callable[[], None]
) -> ConsumerSession:
    """Make this process's entry, take over the messages of dead processes, and start the maintenance.

    Parameters:
      database: the queue's database. Its run directory exists.
      max_deliveries, clock, on_recovered: as of `Recovery`; `on_recovered` of `ClockWatch`, too.

    Raises:
      EngineError, OSError: SQLite could not, or the file system.
    """
    with ExitStack() as on_failure:
        entry = on_failure.enter_context(closing(ProcessEntry(database.run_directory)))
        receiver = on_failure.enter_context(closing(WakeupReceiver(entry)))
        recovery = Recovery(
            database, entry, max_deliveries=max_deliveries, clock=clock, on_recovered=on_recovered
        )
        clock_watch = ClockWatch(database, clock, on_mended=on_recovered)
        maintenance = Maintenance(database, receiver, recovery, clock_watch)
        maintenance.start()
        on_failure.pop_all()
    return ConsumerSession(entry, receiver, maintenance)
