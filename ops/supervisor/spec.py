"""What a child is to be: its program, and how it is treated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: permanent: always started again. transient: only after a failure. temporary: never.
Restart = Literal["permanent", "transient", "temporary"]


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """One kind of children.

    Attributes:
      kind: what they are called, before their number.
      argv: their command line.
      count: how many there are to be.
      restart: what becomes of one that ended by itself.
      shutdown_timeout_s: how long one that is told to stop may take, in seconds. Then it is killed.
      start_timeout_s: how long one may take until it says that it is ready, in seconds. Then it is killed.
      max_restarts, period_s: more restarts than so many within so many seconds, and it is given up.
      listens: whether it is given the listening socket.
      work_counts_deaths: whether what it works on counts the deaths it causes. Then the queue is told of
        them, and they are not counted against the child as well.
    """

    kind: str
    argv: tuple[str, ...]
    count: int = 1
    restart: Restart = "permanent"
    shutdown_timeout_s: float = 150.0
    start_timeout_s: float = 60.0
    max_restarts: int = 5
    period_s: float = 60.0
    listens: bool = False
    work_counts_deaths: bool = False
