"""Outages: something that Recado stands on goes away for a while. Is it told, and is nothing lost?"""

from __future__ import annotations

import asyncio
import errno
import os
import random
import resource
import sqlite3
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from .proxy import Proxy
from .trial import Trial, trial
from .valkey import Sentinel, Valkey
from .verdict import Verdict

#: How long `/readyz` may take to tell of an outage, and to be well again when it is over, in seconds.
TOLD_WITHIN_S, WELL_WITHIN_S = 10.0, 45.0

#: How long there is load before an outage, after that it was told, and after it, in seconds.
BEFORE_S, DURING_S, AFTER_S = 2.0, 3.0, 2.0

#: How long everything may take to come to rest afterwards, in seconds.
SETTLE_S = 90.0

#: The part of the usual load, so that several outages go side by side.
PART = 0.15

#: The size of the disks that are filled up, in megabytes.
DISK_MB = 24


class NotPossible(Exception):
    """This machine does not allow it."""


@dataclass
class Scene:
    """What an outage can lay its hands on."""

    directory: Path
    trial: Trial
    valkey: Valkey | None
    proxy: Proxy | None

    @property
    def server(self) -> Valkey:
        assert self.valkey is not None
        return self.valkey

    @property
    def way(self) -> Proxy:
        assert self.proxy is not None
        return self.proxy


#: Brings an outage about, and ends it.
Brings = Callable[[Scene], AbstractAsyncContextManager[None]]


@dataclass(frozen=True)
class Outage:
    """One outage.

    Attributes:
      name: for people.
      form: of what Recado runs on: sqlite, redis, or sentinel for a Redis with a replica and a Sentinel.
      brings: brings it about, and ends it.
      is_told: `/readyz` has to say that something is wrong.
      keeps: what had been stored before is still there afterwards. Where it is gone with its file, only what
        came in after the outage has to be answered.
      needs_disk: it needs a small disk of its own.
      may_lose: what Redis had not yet replicated is lost, and what it had done is done again. It is counted,
        and is no fault of Recado's.
    """

    name: str
    form: str
    brings: Brings
    is_told: bool = True
    keeps: bool = True
    needs_disk: bool = False
    may_lose: bool = False


@dataclass(frozen=True)
class Finding:
    """What came of an outage.

    Attributes:
      told_after_s: when `/readyz` told of it; None when it did not.
      why: what it said.
      well_after_s: when it was well again.
      gone: messages that went with their file.
    """

    verdict: Verdict
    told_after_s: float | None
    why: str
    well_after_s: float
    gone: int


async def suffer(
    outage: Outage, seed: int, directory: Path, extra: Mapping[str, str] | None = None
) -> Finding:
    """Run Recado through an outage.

    Parameters:
      outage: which.
      seed: of all dice.
      directory: for files.
      extra: environment variables, such as those that build a fault in.

    Raises:
      NotPossible: this machine does not allow it.
      Unsettled: something waits for ever.
      TimeoutError: it was not well again in time.
    """
    directory.mkdir(parents=True)
    async with _scene(outage, seed, directory, extra or {}) as scene:
        it, is_over = scene.trial, asyncio.Event()
        it.client.deadline = float("inf")
        writing = asyncio.create_task(it.load.run(is_over.is_set))
        try:
            await asyncio.sleep(BEFORE_S)
            async with outage.brings(scene):
                told_after_s, why = await _told(it, within_s=TOLD_WITHIN_S if outage.is_told else DURING_S)
                await asyncio.sleep(DURING_S)
            began = time.monotonic()
            await asyncio.wait_for(_well(it), WELL_WITHIN_S)
            well_at = time.monotonic()
            await asyncio.sleep(AFTER_S)
            it.client.deadline = time.monotonic() + 20
            is_over.set()
            await writing
        finally:
            writing.cancel()
            await asyncio.wait([writing])
        await it.settle(within_s=SETTLE_S)
        gone = 0 if outage.keeps else it.ledger.forget_before(well_at)
        return Finding(await it.verdict(), told_after_s, why, well_at - began, gone)


async def _told(it: Trial, *, within_s: float) -> tuple[float | None, str]:
    """Wait until `/readyz` says that something is wrong; return after how long, and what."""
    began = time.monotonic()
    while time.monotonic() - began < within_s:
        told = await it.recado.readiness()
        if told.get("status") not in {None, "ok"}:
            return time.monotonic() - began, f"{told['status']}: {told.get('why', '')}"
        await asyncio.sleep(0.1)
    return None, ""


async def _well(it: Trial) -> None:
    while (await it.recado.readiness()).get("status") != "ok":
        await asyncio.sleep(0.2)


@asynccontextmanager
async def _scene(
    outage: Outage, seed: int, directory: Path, extra: Mapping[str, str]
) -> AsyncIterator[Scene]:
    settings = {"WORKERS": "1", **extra}
    valkey = proxy = None
    async with AsyncExitStack() as stack:
        if outage.needs_disk:
            mount(directory)
            stack.callback(unmount, directory)
        if outage.form != "sqlite":
            settings["QUEUE_BACKEND"] = "redis"
            valkey = await _started(Valkey(directory), stack)
        if valkey is not None and outage.form == "redis":
            proxy = await stack.enter_async_context(Proxy(valkey.port, random.Random(seed)))
            settings["REDIS_URL"] = f"redis://127.0.0.1:{proxy.port}/0"
        if valkey is not None and outage.form == "sentinel":
            await _started(Valkey(directory / "replica", replica_of=valkey.port), stack)
            sentinel = await _started(Sentinel(directory / "sentinel", master=valkey.port), stack)
            settings["REDIS_URL"] = "redis://found-by-the-sentinel/0"
            settings["REDIS_SENTINELS"] = f"127.0.0.1:{sentinel.port}"
            settings["REDIS_SENTINEL_MASTER"] = Sentinel.NAME
        it = await stack.enter_async_context(
            trial(directory, seed, settings, fault_rate=0.0, part=PART, scripts=False)
        )
        yield Scene(directory, it, valkey, proxy)


async def _started(server: Valkey, stack: AsyncExitStack) -> Valkey:
    stack.push_async_callback(server.kill)
    await server.start()
    return server


def mount(directory: Path) -> None:
    """Mount a small disk in memory.

    Raises:
      NotPossible: that is not allowed here.
    """
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(directory)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        raise NotPossible("no disk can be mounted here")


def unmount(directory: Path) -> None:
    subprocess.run(["umount", "--lazy", str(directory)], check=True)


# -- the server -------------------------------------------------------------------------------------


@asynccontextmanager
async def killed(scene: Scene) -> AsyncIterator[None]:
    await scene.server.kill()
    yield
    await scene.server.start()


@asynccontextmanager
async def failed_over(scene: Scene) -> AsyncIterator[None]:
    """The master dies for good, and its replica is made the master."""
    async with asyncio.timeout(WELL_WITHIN_S):
        while not await scene.server.replicates():
            await asyncio.sleep(0.1)
    await scene.server.kill()
    yield


@asynccontextmanager
async def paused(scene: Scene) -> AsyncIterator[None]:
    scene.server.stop()
    yield
    scene.server.go_on()


@asynccontextmanager
async def cut_off(scene: Scene) -> AsyncIterator[None]:
    scene.way.mode = "silent"
    yield
    scene.way.heal()


@asynccontextmanager
async def losing_answers(scene: Scene) -> AsyncIterator[None]:
    scene.way.mode = "lossy"
    yield
    scene.way.heal()


def configured(name: str, value: str, usual: str) -> Brings:
    """The server is told to refuse writes."""

    @asynccontextmanager
    async def brings(scene: Scene) -> AsyncIterator[None]:
        await scene.server.ask("CONFIG", "SET", name, value)
        yield
        await scene.server.ask("CONFIG", "SET", name, usual)

    return brings


@asynccontextmanager
async def flushed(scene: Scene) -> AsyncIterator[None]:
    await scene.server.ask("FLUSHALL")
    yield


# -- the disk ---------------------------------------------------------------------------------------


@asynccontextmanager
async def disk_full(scene: Scene) -> AsyncIterator[None]:
    filler = scene.directory / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:  # until there is no room: how much there is changes while Recado writes
                file.write(bytes(2**20))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
    yield
    filler.unlink()


@asynccontextmanager
async def nothing_grows(scene: Scene) -> AsyncIterator[None]:
    """No file of the running processes may be written beyond its first byte: as a quota would have it."""
    limits = {
        pid: resource.prlimit(pid, resource.RLIMIT_FSIZE)
        for role in ("api", "worker")
        for pid in scene.trial.recado.pids(role)
    }
    for pid, (_, hard) in limits.items():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, hard))
    yield
    for pid, limit in limits.items():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, limit)


def locked(name: str) -> Brings:
    """Another program holds the database's lock: a backup, or an operator's shell."""

    @asynccontextmanager
    async def brings(scene: Scene) -> AsyncIterator[None]:
        other = sqlite3.connect(scene.directory / name, timeout=30, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
        other.close()

    return brings


def damaged(name: str, damage: Callable[[Path], object]) -> Brings:
    """A database and its log are damaged. Afterwards an operator moves them away, and starts anew."""

    @asynccontextmanager
    async def brings(scene: Scene) -> AsyncIterator[None]:
        for path in (scene.directory / name, scene.directory / f"{name}-wal"):
            damage(path)
        yield
        await scene.trial.recado.stop()
        for path in scene.directory.glob(f"{name}*"):
            if path.is_file():
                path.unlink()
        await scene.trial.recado.start()

    return brings


def deleted(name: str) -> Brings:
    """A file is deleted under the running processes. Nobody does anything about it."""

    @asynccontextmanager
    async def brings(scene: Scene) -> AsyncIterator[None]:
        (scene.directory / name).unlink()
        yield

    return brings


def overwrite(path: Path) -> None:
    with path.open("r+b", buffering=0) as file:
        file.write(os.urandom(50_000))


def truncate(path: Path) -> None:
    os.truncate(path, 512)


#: Those of the short form.
SHORT_ONES = (
    Outage("Redis killed", "redis", killed),
    Outage("answers of Redis lost", "redis", losing_answers, is_told=False),
    Outage("disk full", "sqlite", disk_full, needs_disk=True),
    Outage("conversations.db overwritten", "sqlite", damaged("conversations.db", overwrite), keeps=False),
)

#: Those that the long form has beside them.
OTHERS = (
    Outage("Redis hangs", "redis", paused),
    Outage("Redis cut off, no answers", "redis", cut_off),
    Outage("Redis full (maxmemory)", "redis", configured("maxmemory", "1mb", "0")),
    Outage("Redis refuses writes", "redis", configured("min-replicas-to-write", "1", "0")),
    Outage("Redis flushed (FLUSHALL)", "redis", flushed, keeps=False),
    Outage("failover to a replica (Sentinel)", "sentinel", failed_over, may_lose=True),
    Outage("no file may grow (quota)", "sqlite", nothing_grows),
    Outage("queue.db locked", "sqlite", locked("queue.db")),
    Outage("conversations.db locked", "sqlite", locked("conversations.db")),
    Outage("queue.db deleted", "sqlite", deleted("queue.db"), keeps=False),
    Outage("conversations.db deleted", "sqlite", deleted("conversations.db"), keeps=False),
    Outage("queue.db overwritten", "sqlite", damaged("queue.db", overwrite), keeps=False),
    Outage("queue.db truncated", "sqlite", damaged("queue.db", truncate), keeps=False),
    Outage("conversations.db truncated", "sqlite", damaged("conversations.db", truncate), keeps=False),
)


def is_good(outage: Outage, finding: Finding) -> bool:
    """Tell whether Recado did what it has to."""
    verdict = replace(finding.verdict, lost=[], doubled=[]) if outage.may_lose else finding.verdict
    return verdict.is_good and (finding.told_after_s is not None or not outage.is_told)


async def suffer_all(
    outages: tuple[Outage, ...], seed: int, directory: Path, *, at_once: int
) -> AsyncIterator[tuple[Outage, Finding | Exception]]:
    """Run Recado through several outages, some at a time; give each with what came of it, in their order."""
    free = asyncio.Semaphore(at_once)

    async def one(number: int, outage: Outage) -> Finding | Exception:
        async with free:
            try:
                return await suffer(outage, seed, directory / f"outage-{number}")
            except Exception as error:  # noqa: BLE001  it is told, and the others go on
                return error

    findings = [asyncio.create_task(one(number, outage)) for number, outage in enumerate(outages)]
    try:
        for outage, finding in zip(outages, findings, strict=True):
            yield outage, await finding
    finally:
        for finding in findings:
            finding.cancel()
        await asyncio.gather(*findings, return_exceptions=True)
