"""A contender that runs, as the contest sees it, and the conditions that are the same for all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ..client import Client
from ..ledger import Ledger
from ..load import Load
from ..model import Model
from ..valkey import Valkey
from ..verdict import Told, Verdict
from .service import Role


@dataclass(frozen=True)
class Bout:
    """How each contender is tried.

    Attributes:
      blows: how many processes are killed.
      every_s: the mean pause before a blow, in seconds.
      part: how much of the usual load there is until the last blow.
      afterwards: how much of it goes on after that.
      thinks_s: how long the model thinks, in seconds: at least, and at most.
      wait_s: how long after the last blow what was promised may stay open, in seconds.
      rest_s: how long what came in after it may, once the load has ended, in seconds.
    """

    blows: int
    every_s: float
    part: float
    afterwards: float
    thinks_s: tuple[float, float]
    wait_s: float
    rest_s: float = 15.0


@dataclass(frozen=True)
class Scene:
    """A contender that runs.

    Attributes:
      works_in: the role of the processes that ask the model.
      pids: the processes of a role that are there now.
      told: what a person can see that waits for them.
      waiting: the tokens of what its store still holds.
      verdict: passes the sentence.
    """

    ledger: Ledger
    model: Model
    client: Client
    load: Load
    works_in: Role
    pids: Callable[[Role], list[int]]
    told: Callable[[], Awaitable[Told]]
    waiting: Callable[[], Awaitable[set[str]]]
    verdict: Callable[[], Awaitable[Verdict]]


#: Opens a scene, and ends it with the block: (how it is tried, the seed of all dice, where its files are).
Opens = Callable[[Bout, int, Path], AbstractAsyncContextManager[Scene]]


@asynccontextmanager
async def redis(directory: Path) -> AsyncIterator[int]:
    """Run a Valkey of the contender's own; gives its port."""
    valkey = Valkey(directory)
    try:
        await valkey.start()
        yield valkey.port
    finally:
        await valkey.kill()
