"""One contender under load and blows, and what came of it."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ..ledger import Ledger
from ..recado import CommandFailed
from ..verdict import Verdict
from .interruptions import pauses
from .scene import Bout, Opens, Scene
from .service import Role

#: Whom a blow hits, by weight. Where one program does everything, each hits that.
WEIGHTS: dict[Role, int] = {"worker": 3, "api": 1}

#: How long a contender may take to be there again after a blow, in seconds. A deadline, not a measure.
BACK_WITHIN_S = 60.0

#: How often the judge looks whether something is still open, in seconds.
LOOK_EVERY_S = 3.0


@dataclass(frozen=True)
class Row:
    """What came of it.

    Attributes:
      blows: how many processes were killed.
      stuck: promised messages without an answer that are in its store still, and of which nobody is told.
      lost: promised messages without an answer that are nowhere.
      pauses_s: for each message that a death interrupted, how long it took until it ran again.
    """

    blows: int
    verdict: Verdict
    stuck: list[str]
    lost: list[str]
    pauses_s: list[float]


async def contest(
    opens: Opens, bout: Bout, seed: int, directory: Path, free: asyncio.Semaphore | None = None
) -> Row:
    """Try a contender.

    Parameters:
      opens: starts it.
      bout: how it is tried.
      seed: of all dice: each contender gets the same texts, and the same blows after the same pauses.
      directory: for files.
      free: is held while there are blows, and not while the judge waits for what is late.

    Raises:
      TimeoutError: it did not come back after a blow.
      Unsettled: something of Recado's waits for ever.
    """
    async with AsyncExitStack() as busy:
        if free is not None:
            await busy.enter_async_context(free)
        async with opens(bout, seed, directory) as scene:
            async with _load(scene, grace_s=bout.rest_s):
                deaths = await _strike(scene, bout, random.Random(seed))
                await busy.aclose()
                struck_at, scene.load.part = time.monotonic(), bout.afterwards
                await _come_to_rest(scene, within_s=bout.wait_s, until_at=struck_at)
            await _come_to_rest(scene, within_s=bout.rest_s, since=struck_at)
            verdict, waiting = await scene.verdict(), await scene.waiting()
            at_work = [at for at, role in deaths if role == scene.works_in]
            return Row(
                len(deaths),
                verdict,
                [token for token in verdict.lost if token in waiting],
                [token for token in verdict.lost if token not in waiting],
                pauses(scene.ledger, scene.model.asks, at_work),
            )


@asynccontextmanager
async def _load(scene: Scene, *, grace_s: float) -> AsyncIterator[None]:
    """Send messages while inside, and then what was begun."""
    scene.client.deadline, is_over = float("inf"), asyncio.Event()
    writing = asyncio.create_task(scene.load.run(is_over.is_set))
    try:
        yield
        scene.client.deadline = time.monotonic() + grace_s
        is_over.set()
        await writing
    finally:
        writing.cancel()
        await asyncio.wait([writing])


async def _strike(scene: Scene, bout: Bout, dice: random.Random) -> list[tuple[float, Role]]:
    """Kill processes; return when, and of which role each was.

    A blow falls only once a webhook had its 200, and the model was asked, since the last one. So no blow hits
    a contender that is not back yet, and no contender gains by being away for longer.
    """
    roles, deaths = list(WEIGHTS), []
    plan = [
        (dice.expovariate(1 / bout.every_s), dice.choices(roles, list(WEIGHTS.values()))[0], dice.random())
        for _ in range(bout.blows)
    ]
    taken = asked = 0
    for pause_s, role, place in plan:
        async with asyncio.timeout(BACK_WITHIN_S + pause_s):
            while scene.ledger.answers["200"] <= taken or len(scene.model.asks) <= asked:
                await asyncio.sleep(0.05)
            await asyncio.sleep(pause_s)
            hit = role if scene.works_in == "worker" else scene.works_in
            while not (pids := scene.pids(hit)):
                await asyncio.sleep(0.05)
        taken, asked = scene.ledger.answers["200"], len(scene.model.asks)
        deaths.append((time.monotonic(), hit))
        with suppress(ProcessLookupError):
            os.kill(sorted(pids)[int(place * len(pids))], signal.SIGKILL)
    return deaths


async def _come_to_rest(
    scene: Scene, *, within_s: float, since: float = 0.0, until_at: float = float("inf")
) -> None:
    """Wait until nothing is open that was begun between two moments, or until the time is up."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        await asyncio.sleep(min(LOOK_EVERY_S, within_s))
        begun = {each.token for each in scene.ledger.inbound if since <= each.begun_at <= until_at}
        if not (left := _open(scene.ledger) & begun):
            return
        with suppress(CommandFailed):
            told = await scene.told()
            waiting = {each.token for each in scene.ledger.inbound if each.contact in told.waiting}
            if not left - told.tokens() - waiting:
                return


def _open(ledger: Ledger) -> set[str]:
    return set(ledger.promises()) - ledger.tokens_sent().keys()
