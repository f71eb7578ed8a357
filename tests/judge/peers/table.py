"""`make chaos PEERS=1`: Recado and its peers, and a table of what came of them."""

from __future__ import annotations

import asyncio
import math
import statistics
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from . import stores
from .contest import Row, contest
from .itself import recado
from .peer import Peer
from .scene import Bout, Opens

#: How everyone is tried.
BOUT = Bout(blows=20, every_s=2.0, part=0.2, afterwards=0.03, thinks_s=(0.2, 1.0), wait_s=240)

#: So many are under load and blows at a time.
AT_ONCE = 2

APPS = "tests.judge.peers.apps"

PEERS = (
    Peer("FastAPI BackgroundTasks", f"{APPS}.background_tasks:app"),
    Peer(
        "Dramatiq, RedisBroker",
        f"{APPS}.dramatiq_redis:app",
        ("-m", "dramatiq", f"{APPS}.dramatiq_redis:broker"),
        needs_redis=True,
        read=stores.dramatiq_redis,
    ),
    Peer(
        "Dramatiq, dramatiq-sqlite",
        f"{APPS}.dramatiq_sqlite:app",
        ("-m", "dramatiq", f"{APPS}.dramatiq_sqlite:broker"),
        read=stores.dramatiq_sqlite,
    ),
    Peer("dbos on SQLite", f"{APPS}.dbos_workflow:app", read=stores.dbos),
)

OURS: Mapping[str, Opens] = {"Recado on SQLite": recado("sqlite"), "Recado on Redis": recado("redis")}

HEAD = (
    "kills",
    "promised",
    "answered",
    "told",
    "stuck",
    "lost",
    "doubled",
    "cut off",
    "ran again",
    "median s",
    "slowest s",
)


async def try_all(seed: int, directory: Path, *, blows: int | None = None) -> bool:
    """Try everyone, and print a row for each; tell whether Recado kept its promise and all could be tried."""
    bout, free = replace(BOUT, blows=blows or BOUT.blows), asyncio.Semaphore(AT_ONCE)
    # Those that wait longest for what is late come first.
    contenders = {**{peer.name: peer.opened for peer in PEERS}, **OURS}
    print(line("peer", *HEAD), flush=True)
    was_good = True
    async with asyncio.TaskGroup() as together:
        trials = {
            name: together.create_task(_one(opens, bout, seed, directory / f"peer-{number}", free))
            for number, (name, opens) in enumerate(contenders.items())
        }
        for name, trial in trials.items():
            was_good &= show(name, await trial)
    return was_good


async def _one(
    opens: Opens, bout: Bout, seed: int, directory: Path, free: asyncio.Semaphore
) -> Row | Exception:
    try:
        return await contest(opens, bout, seed, directory, free)
    except Exception as error:  # noqa: BLE001  it is told, and the others go on
        return error


def show(name: str, row: Row | Exception) -> bool:
    """Print a contender's row; tell whether it was tried, and kept the promise if that is Recado's."""
    if isinstance(row, Exception):
        print(f"{name:<26}  {type(row).__name__}: {row}", flush=True)
        return False
    verdict, again = row.verdict, [pause for pause in row.pauses_s if math.isfinite(pause)]
    times = (f"{statistics.median(again):.1f}", f"{max(again):.1f}") if again else ("", "")
    outcome = (verdict.promised, verdict.answered, verdict.told, len(row.stuck), len(row.lost))
    deaths = (len(verdict.doubled), len(row.pauses_s), len(again), *times)
    print(line(name, row.blows, *outcome, *deaths), flush=True)
    if name not in OURS or verdict.is_good:
        return True
    print(f"  lost: {verdict.lost}; doubled: {verdict.doubled}; stale: {verdict.stale}", flush=True)
    return False


def line(name: str, *cells: object) -> str:
    return f"{name:<26}" + "".join(f"{cell!s:>10}" for cell in cells)
