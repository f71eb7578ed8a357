"""Whether anything grows: what processes hold, and what lies in files, while load goes on and on."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .recado import Recado, Role
from .storm import FORMS
from .trial import trial
from .valkey import Valkey
from .verdict import Verdict

#: What is looked at: without a restart of anything, and with reloads and workers that are replaced.
LIVES: Mapping[str, Mapping[str, str]] = {
    "steady": {},
    "restarts": {"WORKER_RECYCLE_JOBS": "400"},
}

#: How often a sample is taken, and how often all is reloaded where it is, in seconds.
SAMPLE_EVERY_S, RELOAD_EVERY_S = 5.0, 60.0

#: The part of the time in which caches and pools fill up: it is not counted.
WARM_UP = 0.2

#: The part of the usual load: several lives go side by side.
PART = 0.15

#: How long everything may take to come to rest afterwards, in seconds.
SETTLE_S = 120.0

ROLES: tuple[Role, ...] = ("supervisor", "api", "worker")
MB = 1_000_000

#: By how much something may grow over the whole time before it counts as a leak: a part of what there was,
#: and something beside it. What is not named here grows with what is kept of conversations: it is only shown.
ALLOWED: Mapping[str, tuple[float, float]] = {
    "memory, MB": (0.25, 10.0),
    "descriptors": (0.25, 8.0),
    "threads": (0.25, 8.0),
    "sockets": (0.25, 8.0),
    "metric files": (0.25, 8.0),
    "files in run directories": (0.25, 8.0),
    "longest log of a database, MB": (0.0, 24.0),  # it is kept at 20 MB once it was that long
}


@dataclass(frozen=True)
class Growth:
    """How one thing went.

    Attributes:
      name: what.
      first, last: the means of the first and of the last tenth, after the warm-up.
      per_hour: the slope of the line that fits all samples best.
    """

    name: str
    first: float
    last: float
    per_hour: float

    @property
    def is_leak(self) -> bool:
        """Whether it grew by more than is allowed."""
        part, more = ALLOWED.get(self.name.rpartition(": ")[2], (float("inf"), 0.0))
        return self.last > self.first * (1 + part) + more


@dataclass(frozen=True)
class Found:
    """What came of one life."""

    growths: Sequence[Growth]
    verdict: Verdict
    reloads: int


async def live(form: str, life: str, seed: int, directory: Path, *, for_s: float) -> Found:
    """Keep one form under load, and take samples.

    Parameters:
      form: of the storm's.
      life: one of `LIVES`.
      seed: of all dice.
      directory: for files.
      for_s: how long, in seconds.

    Raises:
      Unsettled: something waits for ever.
    """
    directory.mkdir(parents=True)
    settings = {**FORMS[form], **LIVES[life]}
    valkey = None
    try:
        if settings["QUEUE_BACKEND"] == "redis":
            valkey = Valkey(directory)
            await valkey.start()
            settings["REDIS_URL"] = f"redis://127.0.0.1:{valkey.port}/0"
        async with trial(directory, seed, settings, fault_rate=0.02, part=PART) as it:
            it.client.deadline = float("inf")
            samples: list[tuple[float, dict[str, float]]] = []
            watching = asyncio.create_task(_watch(it.recado, directory, samples, for_s=for_s))
            reloading = asyncio.create_task(_reload(it.recado, watching.done)) if life == "restarts" else None
            await it.load.run(watching.done)
            await watching
            reloads = 0 if reloading is None else await reloading
            it.client.deadline = time.monotonic() + 10
            it.twilio.fault_rate = it.model.fault_rate = 0.0
            await it.recado.ready()
            await it.twilio.reported()
            await it.settle(within_s=SETTLE_S)
            return Found(growths_of(samples), await it.verdict(), reloads)
    finally:
        if valkey is not None:
            await valkey.kill()


async def _watch(
    recado: Recado, directory: Path, samples: list[tuple[float, dict[str, float]]], *, for_s: float
) -> None:
    began = time.monotonic()
    while (at_s := time.monotonic() - began) < for_s:
        samples.append((at_s, {**dict(_of_processes(recado)), **_of_files(directory)}))
        await asyncio.sleep(SAMPLE_EVERY_S)


async def _reload(recado: Recado, is_over: Callable[[], bool]) -> int:
    reloads, next_s = 0, time.monotonic() + RELOAD_EVERY_S
    while not is_over():
        await asyncio.sleep(0.5)
        if time.monotonic() >= next_s:
            next_s += RELOAD_EVERY_S
            for pid in recado.pids("supervisor"):
                os.kill(pid, signal.SIGHUP)
                reloads += 1
    return reloads


def _of_processes(recado: Recado) -> Iterator[tuple[str, float]]:
    """What a process of each role holds, on average."""
    for role in ROLES:
        held: list[dict[str, float]] = []
        for pid in recado.pids(role):
            with suppress(OSError):  # it ended just now
                held.append(_held_by(Path(f"/proc/{pid}")))
        for name in held[0] if held else ():
            yield f"{role}: {name}", sum(each[name] for each in held) / len(held)


def _held_by(process: Path) -> dict[str, float]:
    pages = int((process / "statm").read_text().split()[1])
    descriptors = []
    for each in (process / "fd").iterdir():
        with suppress(OSError):  # closed just now
            descriptors.append(str(each.readlink()))
    return {
        "memory, MB": pages * os.sysconf("SC_PAGE_SIZE") / MB,
        "descriptors": len(descriptors),
        "threads": len(list((process / "task").iterdir())),
        "sockets": sum(each.startswith("socket:") for each in descriptors),
    }


def _of_files(directory: Path) -> dict[str, float]:
    files = [(path, _size(path)) for path in directory.rglob("*") if path.is_file()]
    return {
        "databases, MB": sum(size for path, size in files if path.suffix == ".db") / MB,
        "longest log of a database, MB": max(
            (size / MB for path, size in files if path.name.endswith("-wal")), default=0.0
        ),
        "metric files": sum("metrics" in path.parts for path, _ in files),
        "metric files, MB": sum(size for path, size in files if "metrics" in path.parts) / MB,
        "files in run directories": sum(path.parent.name.endswith("-run") for path, _ in files),
    }


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def growths_of(samples: Sequence[tuple[float, Mapping[str, float]]]) -> list[Growth]:
    """Fit a line to each series, once it is warm."""
    until_s = samples[-1][0]
    warm = [(at_s, values) for at_s, values in samples if at_s >= until_s * WARM_UP]
    names = dict.fromkeys(name for _, values in warm for name in values)
    return [
        _growth(name, [(at_s, values[name]) for at_s, values in warm if name in values]) for name in names
    ]


def _growth(name: str, points: Sequence[tuple[float, float]]) -> Growth:
    tenth = max(1, len(points) // 10)
    mean_s, mean = (sum(each) / len(points) for each in zip(*points, strict=True))
    spread = sum((at_s - mean_s) ** 2 for at_s, _ in points)
    slope = sum((at_s - mean_s) * (value - mean) for at_s, value in points) / spread if spread else 0.0
    first, last = (sum(value for _, value in part) / tenth for part in (points[:tenth], points[-tenth:]))
    return Growth(name, first, last, 3_600 * slope)


def lives(forms: Sequence[str]) -> list[tuple[str, str]]:
    """Which lives are lived side by side: each form with restarts, and the first without any."""
    return [(forms[0], "steady"), *((form, "restarts") for form in forms)]


async def live_all(
    forms: Sequence[str], seed: int, directory: Path, *, for_s: float
) -> list[tuple[str, str, Found]]:
    """Live them all at the same time.

    Parameters:
      forms: of the storm's.
      seed: of all dice.
      directory: for files.
      for_s: how long, in seconds.
    """
    chosen = lives(forms)
    async with asyncio.TaskGroup() as together:
        tasks = [
            together.create_task(live(form, life, seed + number, directory / f"{form}-{life}", for_s=for_s))
            for number, (form, life) in enumerate(chosen)
        ]
    return [(*each, task.result()) for each, task in zip(chosen, tasks, strict=True)]
