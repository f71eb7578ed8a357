"""What every theme is measured with: processes, directories, and the order of the runs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from tests.support.processes import ROOT, Process

T = TypeVar("T")
P = ParamSpec("P")

#: How long a child may take for its part. A deadline for what would otherwise hang, not a measure.
PART_WITHIN_S = 1_800.0

#: Databases lie in the checkout: the system's temporary directory may be memory, and has no disk to sync.
WORK = ROOT / ".bench"


class BenchError(Exception):
    """Something could not be measured; the text says why."""


class Child(Process):
    """A child process of a benchmark: `function(channel, *args)`, killed when the `with` block ends."""

    def result(self, within_s: float = PART_WITHIN_S) -> Any:
        """What the child sends next.

        Raises:
          BenchError: nothing came in time, or the child died.
        """
        try:
            if self._channel.poll(within_s):
                return self._channel.recv()
        except EOFError:
            raise BenchError("A child process died; what it said is above") from None
        raise BenchError(f"Nothing from a child process within {within_s:g} s")

    def __enter__(self) -> Child:
        return self


def in_child(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a module's function in a fresh process; return what it returned."""
    with Child(_call, function, args, kwargs) as child:
        result: T = child.result()
        return result


def apart(
    function: Callable[Concatenate[Path, P], T], /, *args: P.args, **kwargs: P.kwargs
) -> Callable[[Path], T]:
    """A contender: calls a module's function in a fresh process with the directory it is given."""
    return lambda directory: in_child(function, directory, *args, **kwargs)


def _call(channel: Connection, function: Callable[..., Any], args: Any, kwargs: Any) -> None:
    channel.send(function(*args, **kwargs))


@dataclass(frozen=True, slots=True)
class Bench:
    """How to measure.

    Attributes:
      runs: how many. A contender has one turn in each, or several short ones.
      quick: sizes that only show that everything works.
      say: tells the person at the terminal what is being done.
    """

    runs: int
    quick: bool
    say: Callable[[str], None]

    def size(self, full: T, quick: T) -> T:
        """The size of something, in earnest and when quick."""
        return quick if self.quick else full

    @contextmanager
    def directory(self) -> Iterator[Path]:
        """An empty directory on the disk that is measured, gone afterwards."""
        WORK.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=WORK, ignore_cleanup_errors=True) as path:
            yield Path(path)

    def interleaved(
        self, contenders: Mapping[str, Callable[[Path], T]], *, turns: int = 1
    ) -> dict[str, list[T]]:
        """Measure all contenders in turn, and again: whatever the machine does meanwhile hits them alike.

        Parameters:
          contenders: by name; each is given an empty directory.
          turns: how many each has in one run. Many short ones, where the machine's own speed changes.
        """
        results: dict[str, list[T]] = {name: [] for name in contenders}
        count = self.runs * turns
        for turn in range(count):
            for name, measure in contenders.items():
                self.say(f"{name}, turn {turn + 1} of {count}")
                with self.directory() as directory:
                    results[name].append(measure(directory))
        return results
