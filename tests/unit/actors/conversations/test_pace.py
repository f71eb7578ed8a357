"""The turns of a sender when the clock of the machine is set."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from actors.conversations import ConversationStore, SQLiteConversationStore
from actors.conversations.redis import RedisConversationStore
from tests.support.redis_server import RedisServer

DAY_MS = 86_400_000

SENDER = "AC|+15005550006"


class Clock:
    def __init__(self) -> None:
        self.now = 1_796_040_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[ConversationStore]:
    store: ConversationStore
    if request.param == "sqlite":
        store = SQLiteConversationStore(tmp_path / "conversations.db", clock=clock)
    else:
        server: RedisServer = request.getfixturevalue("server")
        store = RedisConversationStore(server.url, namespace=secrets.token_hex(4), clock=clock)
    with closing(store):
        yield store


def test_turns_go_on_from_now_when_the_clock_is_set_back(store: ConversationStore, clock: Clock) -> None:
    for _ in range(3):
        store.pace(SENDER, interval_ms=1_000)
    clock.now -= DAY_MS

    assert [store.pace(SENDER, interval_ms=1_000) for _ in range(2)] == [3_000, 4_000]


def test_a_clock_that_is_set_forward_begins_anew(store: ConversationStore, clock: Clock) -> None:
    for _ in range(3):
        store.pace(SENDER, interval_ms=1_000)
    clock.now += DAY_MS

    assert [store.pace(SENDER, interval_ms=1_000) for _ in range(2)] == [0, 1_000]


def test_a_clock_that_trembles_lets_nobody_send_early(store: ConversationStore, clock: Clock) -> None:
    store.pace(SENDER, interval_ms=1_000)
    clock.now -= 500

    assert store.pace(SENDER, interval_ms=1_000) == 1_500
