"""Where the processes of one machine keep what they count, so that one page shows all of it.

prometheus_client can keep its values in files that every process may read, a set of files for each process.
It names them after process ids, so that they pile up with every restart, and it has to be told so before it
is first imported. Here a process takes a numbered slot, and gives it back by ending: whoever takes it next
goes on counting where it stopped. Files are as many as processes ever ran at once.

    slot-<n>.lock            held by the process that has the slot: the kernel lets go of it
    counter_<n>.db, ...      what it counts; counters and histograms stay
    gauge_live..._<n>.db     what is true while it lives; whoever finds the slot free removes it
"""

from __future__ import annotations

import fcntl
import itertools
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import values
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from .settings import SettingsError

#: Where prometheus_client looks for the directory.
_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

_LOCK = "slot-{}.lock"


#: This process's place, once it has one.
_slot: MetricsSlot | None = None


def keep_metrics_in(directory: Path) -> None:
    """Have all metrics that this process makes from now on keep their values in a directory.

    To be called before they are made, once. What others made before stays in this process.

    Parameters:
      directory: made when missing; of one machine, and of one Recado.

    Raises:
      SettingsError: it cannot be made or written.
    """
    global _slot  # noqa: PLW0603  as prometheus_client's own choice is the process's
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _slot = MetricsSlot(directory.absolute())
        _slot.take()
    except OSError as error:
        raise SettingsError(
            f"METRICS_DIRECTORY: {directory} must be a directory that can be written, and is not: "
            f"{error.strerror or error}."
        ) from error
    os.environ[_VARIABLE] = str(directory.absolute())
    values.ValueClass = values.MultiProcessValue(_slot.number_of_this_process)  # type: ignore[no-untyped-call]


def slot_number() -> str:
    """The number of this process's slot; empty where metrics are not kept in files."""
    return "" if _slot is None else _slot.number_of_this_process()


class MetricsSlot:
    """A process's place among those of its machine: the lowest number nobody else has.

    Parameters:
      directory: where they all are.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = -1
        self.number = ""
        os.register_at_fork(after_in_child=self._let_go)

    def number_of_this_process(self) -> str:
        """The number; a forked child, which is another process, gets one of its own.

        It is asked at each count of anything.
        """
        if self._lock < 0:
            self.take()
        return self.number

    def take(self) -> None:
        """Take the lowest number that is free."""
        for number in itertools.count(1):
            lock = _try_lock(self._directory, number)
            if lock is not None:
                _forget_the_dead(self._directory, number)
                self._lock, self.number = lock, str(number)
                return

    def _let_go(self) -> None:
        """In a forked child. The lock is shared with the parent, which keeps it when this end is closed."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


class Machine(Collector):
    """Everything that is known on this machine, as a registry for prometheus_client to show.

    Parameters:
      directory: where its processes keep what they count.
      collectors: what is asked only now: the queue, the supervisor.
    """

    def __init__(self, directory: Path, collectors: Iterable[Collector] = ()) -> None:
        self._directory = directory.absolute()
        self._collectors = list(collectors)

    def collect(self) -> Iterator[Metric]:
        """Every metric, each once."""
        for collector in self._collectors:
            yield from collector.collect()
        self._sweep()
        kept = MultiProcessCollector(None, str(self._directory))  # type: ignore[no-untyped-call]
        yield from kept.collect()  # type: ignore[no-untyped-call]

    def _sweep(self) -> None:
        """Forget what was true of processes that live no more."""
        for path in self._directory.glob("gauge_live*.db"):
            number = int(path.stem.rpartition("_")[2])
            with _held(self._directory, number) as is_free:
                if is_free:
                    _forget_the_dead(self._directory, number)


@contextmanager
def _held(directory: Path, number: int) -> Iterator[bool]:
    """Inside, nobody takes this slot. False: somebody has it."""
    lock = _try_lock(directory, number)
    try:
        yield lock is not None
    finally:
        if lock is not None:
            os.close(lock)


def _try_lock(directory: Path, number: int) -> int | None:
    lock = os.open(directory / _LOCK.format(number), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _forget_the_dead(directory: Path, number: int) -> None:
    mark_process_dead(str(number), str(directory))  # type: ignore[no-untyped-call]
