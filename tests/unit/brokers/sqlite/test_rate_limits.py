"""Dramatiq's rate limiters and barriers on SQLite."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from dramatiq.errors import RateLimitExceeded
from dramatiq.rate_limits import Barrier, BucketRateLimiter, ConcurrentRateLimiter, WindowRateLimiter

from brokers import SQLiteRateLimiterBackend
from tests.support.messages import PATIENCE_S

TTL_MS = 60_000


@pytest.fixture
def backends(tmp_path: Path) -> Iterator[list[SQLiteRateLimiterBackend]]:
    """Two ways to one file, as of two processes."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(closing(SQLiteRateLimiterBackend(tmp_path / "limits.db"))) for _ in range(2)
        ]


def test_only_so_many_at_a_time(backends: list[SQLiteRateLimiterBackend]) -> None:
    here, there = (ConcurrentRateLimiter(backend, "mutex", limit=2) for backend in backends)

    with here.acquire(), there.acquire():
        with here.acquire(raise_on_failure=False) as acquired:
            assert not acquired
        with pytest.raises(RateLimitExceeded), there.acquire():
            pass
    with there.acquire() as acquired:
        assert acquired


def test_only_so_many_in_a_bucket(backends: list[SQLiteRateLimiterBackend]) -> None:
    here, there = (BucketRateLimiter(backend, "bucket", limit=3, bucket=TTL_MS) for backend in backends)

    def tries(limiter: BucketRateLimiter) -> bool:
        with limiter.acquire(raise_on_failure=False) as acquired:
            return bool(acquired)

    # A bucket may end between two tries, so four tries get three at least, and never all eight.
    got = [tries(limiter) for limiter in (here, there) * 4]
    assert got[:3] == [True] * 3
    assert not all(got)


def test_only_so_many_in_a_window(backends: list[SQLiteRateLimiterBackend]) -> None:
    limiters = [WindowRateLimiter(backend, "window", limit=2, window=60) for backend in backends]

    got = []
    for limiter in limiters * 2:
        with limiter.acquire(raise_on_failure=False) as acquired:
            got.append(bool(acquired))
    assert got == [True, True, False, False]


def test_a_key_is_added_once_and_again_when_it_expired(backends: list[SQLiteRateLimiterBackend]) -> None:
    here, there = backends

    assert here.add("key", 1, TTL_MS)
    assert not there.add("key", 2, TTL_MS)
    assert here.add("short", 1, 0)
    assert there.add("short", 2, TTL_MS)


def test_no_count_is_lost_between_threads(backends: list[SQLiteRateLimiterBackend]) -> None:
    with ThreadPoolExecutor(8) as pool:
        allowed = list(pool.map(lambda n: backends[n % 2].incr("count", 1, 100, TTL_MS), range(150)))

    assert sum(allowed) == 100
    assert backends[0].decr("count", 100, 0, TTL_MS)
    assert not backends[1].decr("count", 1, 0, TTL_MS)


def test_whoever_waits_at_a_barrier_is_let_go_by_the_last(backends: list[SQLiteRateLimiterBackend]) -> None:
    here, there = (Barrier(backend, "barrier", ttl=TTL_MS) for backend in backends)
    assert here.create(parties=2)
    assert not there.create(parties=2)
    let_go: list[bool] = []
    waiter = threading.Thread(target=lambda: let_go.append(here.wait(timeout=PATIENCE_S * 1000)))
    waiter.start()

    # The last party is known by its answer: the waiter may or may not have been counted before.
    while not there.wait(block=False):
        pass
    waiter.join(PATIENCE_S)
    assert let_go == [True]


def test_waiting_for_nobody_ends(backends: list[SQLiteRateLimiterBackend]) -> None:
    assert backends[0].wait("nobody", timeout=10) is False
