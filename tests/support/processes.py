"""Real child processes that really die."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from .forked_program import ForkedProgram
from .waiting import eventually

ROOT = Path(__file__).parents[2]

#: How long a child may take to answer. Generous: a deadline for what would otherwise hang, not a measure.
ANSWER_WITHIN_S = 120.0


class Process:
    """A child process that runs `function(channel, *args)`, and is gone when the `with` block ends.

    Parameters:
      function: found by name in the child, so it has to be a module's. Its first argument is the
        child's end of the channel.
      args: whatever pickles.
    """

    def __init__(self, function: Callable[..., None], *args: object) -> None:
        self._channel, theirs = Pipe()
        with theirs:
            self._process = ForkedProgram(
                ["-m", __name__, str(theirs.fileno())],
                env=os.environ,
                cwd=ROOT,
                files={number: number for number in (0, 1, 2, theirs.fileno())},
            )
        self.send((function, args))

    @property
    def pid(self) -> int:
        return self._process.pid

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def send(self, what: object) -> None:
        self._channel.send(what)

    def receive(self) -> Any:
        """What the child sent; fails when it sends nothing, or died."""
        assert self._channel.poll(ANSWER_WITHIN_S), f"nothing from the child within {ANSWER_WITHIN_S:g} s"
        return self._channel.recv()

    def is_silent(self, for_s: float) -> bool:
        """Whether the child sends nothing for so long."""
        return not self._channel.poll(for_s)

    def kill(self) -> None:
        """SIGKILL: no cleaning up. Returns when it is dead."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """SIGSTOP. Returns when it has stopped."""
        os.kill(self.pid, signal.SIGSTOP)
        eventually(lambda: self._state() == "T")

    def _state(self) -> str:
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._channel.close()


def main() -> None:
    """The child's side."""
    with Connection(int(sys.argv[1])) as channel:
        function, args = channel.recv()
        function(channel, *args)


if __name__ == "__main__":
    main()
