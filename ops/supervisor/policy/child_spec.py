"""One kind of children: their program, and the limits within which they run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """Describes one kind of children. A child that ends by itself is always started again.

    Attributes:
      kind: the first part of a child's name; its number is the second.
      argv: the command line.
      count: how many children of this kind run.
      shutdown_timeout_s: how long a child may take to stop, in seconds. Then the supervisor kills it.
      start_timeout_s: how long a child may take until it is ready, in seconds. Then the supervisor kills it.
      max_restarts, period_s: a child that is restarted more often than this within so many seconds is given
        up.
      listens: whether the child inherits the API's listening socket.
      work_counts_deaths: whether the queue counts the deaths that a message causes. Then the queue is told
        of each death, and a death at work does not count against the child as well.
    """

    kind: str
    argv: tuple[str, ...]
    count: int = 1
    shutdown_timeout_s: float = 150.0
    start_timeout_s: float = 60.0
    max_restarts: int = 5
    period_s: float = 60.0
    listens: bool = False
    work_counts_deaths: bool = False
