"""How soon the messages of a killed worker run again, and whether any is lost or run by two at once."""

from __future__ import annotations

import logging
import os
import random
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, closing
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from dramatiq import Worker

from brokers.sqlite import SQLiteBackend
from brokers.sqlite.liveness.process_registry import peers

from .contenders import THREADS, declare, fill, message_for, open_broker, stored
from .figures import Bar, Figure, figure
from .harness import Bench, Child

TITLE = "Recovery: kill -9 of one of two workers with messages in hand"

#: Messages of one round: more than two processes of 8 threads run at once.
MESSAGES = 24

#: How long each of them runs, in seconds.
RUNS_S = 0.06

#: How long a round may take before its unfinished messages count as lost, in seconds.
LOST_AFTER_S = 30.0


class Run(NamedTuple):
    """One process running one message: from when to when, in seconds of the monotonic clock."""

    pid: int
    message: int
    began: float
    ended: float


class Round(NamedTuple):
    """What came of one kill."""

    recovered_ms: list[float]  # for each message that was in hand: from the kill until it ran again
    lost: int
    doubled: int  # run by two processes at once


def measure(bench: Bench) -> list[Figure]:
    with bench.directory() as directory, closing(_Stage(directory)) as stage:
        rounds = list(stage.rounds(bench.size(200, 5), bench))
    slowest = [max(one.recovered_ms) for one in rounds]
    held = [len(one.recovered_ms) for one in rounds]
    none = Bar("at most", 0, of="figure")
    return [
        figure(
            f"until all run again: slowest of {len(rounds)} rounds",
            "ms",
            slowest,
            bar=Bar("less than", 1000, of="figure"),
            of=max,
        ),
        figure(f"until all run again: median of {len(rounds)} rounds", "ms", slowest),
        figure("messages in hand at the kill, on average", "", held, of=statistics.fmean),
        figure("messages lost", "", [one.lost for one in rounds], bar=none, of=sum),
        figure("messages run by two at once", "", [one.doubled for one in rounds], bar=none, of=sum),
    ]


class _Stage:
    """Two workers on one database, of which one is killed again and again."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._where = str(directory / "queue.db")
        self._backend = SQLiteBackend(self._where)
        self._processes = ExitStack()
        self._workers: list[Child] = []
        self._numbers = iter(range(1_000_000))

    def rounds(self, count: int, bench: Bench) -> Iterator[Round]:
        """Rounds in which the killed worker had something in hand; bounded, whatever happens."""
        done = 0
        for number in range(2 * count):
            if number % 10 == 0:
                bench.say(f"round {done + 1} of {count}")
            one = self._round()
            if one.recovered_ms or one.lost:
                yield one
                done += 1
            if done == count:
                return

    def _round(self) -> Round:
        while len(self._workers) < 2:
            worker = self._processes.enter_context(Child(_work, self._where, self._directory))
            worker.result()
            self._workers.append(worker)
        numbers = [next(self._numbers) for _ in range(MESSAGES)]
        messages = {number: stored(message_for("job", number)) for number in numbers}
        fill(self._backend, messages.values())
        victim = self._workers.pop(random.randrange(2))  # noqa: S311  no secret
        time.sleep(random.uniform(0.01, 2 * RUNS_S))  # noqa: S311
        victim.stop()  # so that what it holds does not change while we look
        held = self._held_by(victim.pid)
        killed_at = time.monotonic()
        victim.kill()
        lost = self._wait_for(set(numbers))
        runs = self._runs(killed_at)
        again = {run.message: run.began for run in sorted(runs, reverse=True) if run.began > killed_at}
        in_hand = [number for number, message in messages.items() if message.message_id in held]
        recovered = [1000 * (again[number] - killed_at) for number in in_hand if number in again]
        self._forget()
        return Round(recovered, len(lost), _doubled(runs))

    def _held_by(self, pid: int) -> set[str]:
        """The ids of the messages a process has claimed."""
        owners = []
        for peer in peers(self._backend.database.run_directory, None):
            if peer.pid == pid:
                owners.append(peer.owner)
            peer.close()
        query = "SELECT message_id FROM message_queue WHERE state = 'running' AND owner = ?"
        return self._backend.database.read(
            lambda c: {str(row[0]) for owner in owners for row in c.execute(query, (owner,))}
        )

    def _wait_for(self, numbers: set[int]) -> set[int]:
        """Wait until all have run to their end and are acknowledged; return those that did not."""
        deadline = time.monotonic() + LOST_AFTER_S
        while time.monotonic() < deadline:
            missing = numbers - {number for _, mark, number, _ in self._records() if mark == "E"}
            if not missing and not any(s.ready or s.running for s in self._backend.stats()):
                return set()
            time.sleep(0.02)
        return missing

    def _records(self) -> Iterator[tuple[int, str, int, float]]:
        for log in self._directory.glob("*.log"):
            for line in log.read_text().splitlines():
                mark, number, at = line.split()
                yield int(log.stem), mark, int(number), float(at)

    def _runs(self, killed_at: float) -> list[Run]:
        """Every run on record; one that has no end ended with its process."""
        began: dict[tuple[int, int], float] = {}
        runs = []
        for pid, mark, number, at in self._records():
            if mark == "S":
                began[pid, number] = at
            else:
                runs.append(Run(pid, number, began.pop((pid, number)), at))
        return runs + [Run(pid, number, at, killed_at) for (pid, number), at in began.items()]

    def _forget(self) -> None:
        """Between rounds nothing runs: begin with empty logs."""
        for log in self._directory.glob("*.log"):
            os.truncate(log, 0)

    def close(self) -> None:
        self._processes.close()
        self._backend.close()


def _doubled(runs: list[Run]) -> int:
    """How many messages two processes ran at overlapping times."""
    by_message: defaultdict[int, list[Run]] = defaultdict(list)
    for run in runs:
        by_message[run.message].append(run)
    return sum(
        any(
            one.ended > other.began and other.ended > one.began
            for one in same
            for other in same
            if one is not other
        )
        for same in by_message.values()
    )


def _work(channel: Connection, where: str, directory: Path) -> None:
    logging.getLogger("brokers").setLevel(logging.ERROR)  # each takeover is a warning, and meant here
    broker = open_broker("recado", where)
    # Whole lines, in order, whatever becomes of the process.
    log = os.open(directory / f"{os.getpid()}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def job(number: int) -> None:
        os.write(log, f"S {number} {time.monotonic():.6f}\n".encode())
        time.sleep(RUNS_S)
        os.write(log, f"E {number} {time.monotonic():.6f}\n".encode())

    declare(broker, job)
    Worker(broker, worker_threads=THREADS).start()
    channel.send("ready")
    channel.recv()
