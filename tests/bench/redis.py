"""Recado on Redis beside Dramatiq's own RedisBroker, each with the same server to itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import redis

from .contenders import Kind
from .enqueue import THREADS as SENDERS
from .enqueue import send
from .figures import Bar, Figure, figure, percentile
from .harness import Bench, Child, in_child
from .pickup import STARTS_WITHIN_S, Sending, idle_worker, waits_of
from .process import drain
from .valkey import Aof, valkey

K = TypeVar("K")
T = TypeVar("T")

TITLE = "Redis: Recado beside Dramatiq's RedisBroker, on the same server"

SUBJECT = "Recado on Redis"

OURS, THEIRS = "Recado on Redis", "Dramatiq RedisBroker"
KINDS: dict[str, Kind] = {THEIRS: "redis", OURS: "recado-redis"}


def measure(bench: Bench) -> list[Figure]:
    often = Sending(bench.size(500, 40) // bench.runs, 0.02, 0.08)
    count, seconds = bench.size(20_000, 1_000), bench.size(5.0, 0.5)
    waits = bench.interleaved(
        {f"{name}, pick-up": _on(kind, "everysec", waits_of, often) for name, kind in KINDS.items()}
    )
    rates = bench.interleaved({f"{name}, processing": _drained(kind, count) for name, kind in KINDS.items()})
    sent = bench.interleaved(
        {
            f"{THEIRS}, everysec": _sent("redis", "everysec", seconds),
            f"{OURS}, always": _sent("recado-redis", "always", seconds),
            f"{THEIRS}, always": _sent("redis", "always", seconds),
            f"{OURS}, everysec": _sent("recado-redis", "everysec", seconds),
        }
    )
    once = Bench(runs=1, quick=bench.quick, say=bench.say)
    idle = once.interleaved(
        {
            f"{name}, idle": _on(kind, "everysec", commands_when_idle, bench.size(60.0, 10.0))
            for name, kind in KINDS.items()
        }
    )

    def pick_up(what: str, percent: float, bar: Bar) -> Figure:
        def of(name: str) -> list[float]:
            return [percentile([wait for run in waits[f"{name}, pick-up"] for wait in run], percent)]

        return figure(what, "ms", of(OURS), peer=THEIRS, theirs=of(THEIRS), bar=bar)

    return [
        pick_up("idle pick-up: median", 50, Bar("less than", 2, of="figure")),
        pick_up("idle pick-up: p99", 99, Bar("less than", 10, of="figure")),
        figure(
            "no-op messages/s, one process of 8 threads",
            "/s",
            rates[f"{OURS}, processing"],
            peer=THEIRS,
            theirs=rates[f"{THEIRS}, processing"],
            bar=Bar("at least", 3),
        ),
        figure(
            f"enqueued from {SENDERS} threads, each after the fsync",
            "/s",
            sent[f"{OURS}, always"],
            peer=f"{THEIRS}, everysec",
            theirs=sent[f"{THEIRS}, everysec"],
            bar=Bar("at least", 2),
        ),
        figure(
            f"enqueued from {SENDERS} threads, each after the fsync",
            "/s",
            sent[f"{OURS}, always"],
            peer=f"{THEIRS}, always",
            theirs=sent[f"{THEIRS}, always"],
        ),
        figure(
            f"enqueued from {SENDERS} threads, the server syncing once a second",
            "/s",
            sent[f"{OURS}, everysec"],
            peer=f"{THEIRS}, everysec",
            theirs=sent[f"{THEIRS}, everysec"],
        ),
        figure(
            "commands/s of an idle process with one queue",
            "/s",
            idle[f"{OURS}, idle"],
            peer=THEIRS,
            theirs=idle[f"{THEIRS}, idle"],
            bar=Bar("less than", 1, of="figure"),
        ),
    ]


def _on(kind: Kind, aof: Aof, watch: Callable[[Kind, str, K], T], how: K) -> Callable[[Path], T]:
    """A contender: watches a worker on a fresh server."""

    def contend(directory: Path) -> T:
        with valkey(directory, aof=aof) as url:
            return watch(kind, url, how)

    return contend


def _drained(kind: Kind, count: int) -> Callable[[Path], float]:
    def contend(directory: Path) -> float:
        with valkey(directory, aof="everysec") as url:
            return in_child(drain, kind, url, count)

    return contend


def _sent(kind: Kind, aof: Aof, seconds: float) -> Callable[[Path], float]:
    def contend(directory: Path) -> float:
        with valkey(directory, aof=aof) as url:
            return in_child(send, kind, url, seconds, SENDERS)

    return contend


def commands_when_idle(kind: Kind, where: str, idle_s: float) -> float:
    """Commands/s that the server gets from a worker process without work."""
    with Child(idle_worker, kind, where) as worker, redis.Redis.from_url(where) as client:
        worker.result()
        time.sleep(STARTS_WITHIN_S)
        before = _commands(client)
        time.sleep(idle_s)
        return (_commands(client) - before - 1) / idle_s  # our own question is one of them


def _commands(client: redis.Redis) -> int:
    """What clients have sent so far. Commands within scripts are counted too, so those are left out."""
    stats: dict[str, dict[str, float]] = client.info("commandstats")
    sent = {"evalsha", "eval", "ping", "waitaof", "publish", "subscribe", "hset"}
    return int(sum(of["calls"] for name, of in stats.items() if name.removeprefix("cmdstat_") in sent))
