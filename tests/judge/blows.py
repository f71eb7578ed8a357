"""What is done to processes: killed, stopped for a while, told to end."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from typing import Any, Literal

from .recado import Recado, Role
from .valkey import Valkey

Target = Role | Literal["valkey"]

#: Whom a blow hits, by weight. Valkey only where there is one.
TARGETS: dict[Target, int] = {"worker": 12, "api": 3, "supervisor": 2, "valkey": 3}
ROLES: tuple[Role, ...] = ("worker", "api", "supervisor")

#: What a blow is, by weight.
KINDS = {"KILL": 5, "STOP": 3, "TERM": 2}

#: How long a stopped process stays so, in seconds, and how long Valkey stays away: at least, and at most.
STOPPED_S = (0.2, 4.0)
AWAY_S = (0.1, 2.5)


class Blows:
    """Deals blows at random.

    Parameters:
      recado, valkey: what is hit.
      dice: decides whom, how and when.
      every_s: the mean time between two blows, in seconds.

    Attributes:
      dealt: how many, by target and kind.
    """

    def __init__(self, recado: Recado, valkey: Valkey | None, dice: random.Random, *, every_s: float) -> None:
        self._recado = recado
        self._valkey = valkey
        self._dice = dice
        self._every_s = every_s
        self._going_on: set[asyncio.Task[None]] = set()
        self.dealt: Counter[str] = Counter()

    async def deal(self, count: int) -> None:
        """Deal so many, and return when everything that was stopped goes on again."""
        try:
            for pause_s, target, kind in list(
                self.planned(count)
            ):  # before dice are thrown for anything else
                await asyncio.sleep(pause_s)
                hit = await (self._hit_valkey(kind) if target == "valkey" else self._hit(target, kind))
                self.dealt[f"{hit} {kind}"] += 1
            if self._going_on:
                await asyncio.wait(self._going_on)
        finally:
            for task in self._going_on:
                task.cancel()  # where the judge is told to stop: no Valkey is started any more

    def planned(self, count: int) -> Iterator[tuple[float, Target, str]]:
        """Plan so many: after which pause, who is hit, and how."""
        targets = {name: weight for name, weight in TARGETS.items() if name != "valkey" or self._valkey}
        for _ in range(count):
            target = self._dice.choices(list(targets), list(targets.values()))[0]
            kind = self._dice.choices(list(KINDS), list(KINDS.values()))[0]
            yield self._dice.expovariate(1 / self._every_s), target, kind

    async def _hit(self, target: Role, kind: str) -> Role:
        """Hit a process of this role, or of another one where none is there just now; return which it was."""
        roles = (target, *(role for role in ROLES if role != target))
        while not (found := [(role, pids) for role in roles if (pids := self._recado.pids(role))]):
            await asyncio.sleep(0.05)  # `recado up` is being started
        role, pids = found[0]
        pid = self._dice.choice(pids)
        _signal(pid, kind)
        if kind == "STOP":
            self._later(self._continue(pid))
        return role

    async def _hit_valkey(self, kind: str) -> Target:
        assert self._valkey is not None
        if not self._valkey.is_alive():  # it comes back before long
            return await self._hit("worker", kind)
        pid = self._valkey.pid
        _signal(pid, kind)
        if kind == "STOP":
            self._later(self._continue(pid))
        else:
            _signal(pid, "CONT")  # where it had been stopped, so that SIGTERM reaches it
            self._later(self._start_valkey())
        return "valkey"

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._going_on.add(task)
        task.add_done_callback(self._going_on.discard)

    async def _continue(self, pid: int) -> None:
        await asyncio.sleep(self._dice.uniform(*STOPPED_S))
        _signal(pid, "CONT")

    async def _start_valkey(self) -> None:
        assert self._valkey is not None
        await self._valkey.kill()
        await asyncio.sleep(self._dice.uniform(*AWAY_S))
        await self._valkey.start()


def _signal(pid: int, kind: str) -> None:
    with suppress(ProcessLookupError):  # it was hit a moment before
        os.kill(pid, getattr(signal, f"SIG{kind}"))
