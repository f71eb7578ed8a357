"""While one node of a cluster is away the others go on; what belongs to that node is told later."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from actors.conversations import ConversationStore
from actors.conversations.redis import redis_conversation_store
from brokers.errors import EngineError, MessageTooLarge
from brokers.redis import RedisBackend, RedisOptions, ShardedBackend, redis_backend
from brokers.redis.shard import Shard
from brokers.redis.shards import shard_of
from tests.support.conversations import append, inbound
from tests.support.messages import QUEUE, a_message, claimable, stats_of
from tests.support.redis_cluster import redis_cluster
from tests.support.redis_server import RedisServer, ask
from tests.support.waiting import eventually


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[list[RedisServer]]:
    with redis_cluster(tmp_path) as nodes:
        yield nodes


def open_backend(nodes: list[RedisServer]) -> ShardedBackend:
    options = RedisOptions(",".join(node.url for node in nodes), timeout_s=3.0)
    backend = redis_backend(options, shards=3, heartbeat_timeout_s=60)
    assert isinstance(backend, ShardedBackend)
    return backend


def one_in_each(backend: ShardedBackend) -> list[str]:
    """Store a message in each shard; return their ids, by shard."""
    ids: dict[int, str] = {}
    while len(ids) < 3:
        message = a_message()
        shard = shard_of(message.message_id, 3)
        if shard not in ids:
            assert backend.enqueue(message)
            ids[shard] = message.message_id
    return [ids[shard] for shard in range(3)]


@pytest.mark.parametrize("gone", [0, 2])
def test_a_process_that_starts_meanwhile_takes_what_the_others_have(
    nodes: list[RedisServer], gone: int
) -> None:
    with closing(open_backend(nodes)) as backend:
        ids = one_in_each(backend)
    nodes[gone].kill()

    with closing(open_backend(nodes)) as backend:
        others = {each for shard, each in enumerate(ids) if shard != gone}
        taken: set[str] = set()

        def all_are_taken() -> bool:
            taken.update(each.message_id for each in backend.dequeue(QUEUE, limit=10, timeout_s=0))
            return taken == others

        eventually(all_are_taken, within_s=60)


def test_what_is_to_become_of_its_messages_is_told_when_it_is_back(nodes: list[RedisServer]) -> None:
    with closing(open_backend(nodes)) as backend:
        ids = one_in_each(backend)
        held = {each.message_id: each for each in backend.dequeue(QUEUE, limit=3, timeout_s=0)}
        nodes[2].kill()
        backend.release([held[each] for each in ids])
        assert stats_or_none(backend) is None
        assert sorted(claimable(backend)) == sorted(ids[:2])

        nodes[2].start()
        eventually(lambda: claimable(backend) == [ids[2]], within_s=60)
        assert stats_of(backend).running == 3


def test_it_is_told_in_order_by_whoever_comes_first(server: RedisServer) -> None:
    shard = Shard(0, RedisBackend(server.url))
    told: list[str] = []
    second_was_told = threading.Event()

    def first() -> None:
        second_was_told.wait(0.5)  # it is not, although another consumer comes by meanwhile
        told.append("first")

    def second() -> None:
        told.append("second")
        second_was_told.set()

    shard.tell_later(first)
    shard.tell_later(second)
    with ThreadPoolExecutor() as pool:
        for each in [pool.submit(shard.tell) for _ in range(4)]:
            each.result()
    assert told == ["first", "second"]


def test_what_is_too_large_is_refused_at_once(server: RedisServer) -> None:
    with closing(redis_backend(server.url, namespace="large", shards=3, max_message_bytes=100)) as backend:
        assert isinstance(backend, ShardedBackend)
        backend.enqueue(a_message())
        [delivery] = backend.dequeue(QUEUE, limit=1, timeout_s=5)
        for shard in backend.shards:
            shard.leave(EngineError("it is away"))
        with pytest.raises(MessageTooLarge):
            backend.retry(delivery, queue=QUEUE, payload=b"x" * 101, delay_ms=0, error=None)


def stats_or_none(backend: ShardedBackend) -> object:
    """Counts are of all shards, or none."""
    try:
        return backend.stats()
    except EngineError:
        return None


def test_an_emptied_server_does_not_forget_how_many_there_are(server: RedisServer) -> None:
    with closing(redis_backend(server.url, namespace="emptied", shards=3)) as backend:
        assert backend.enqueue(a_message())
        ask(server.port, "FLUSHALL")
        assert backend.enqueue(a_message())
        backend.check(timeout_s=5)
    with closing(redis_backend(server.url, namespace="emptied", shards=3)) as backend:
        backend.check(timeout_s=5)
        assert len(claimable(backend)) == 1


def test_one_contact_at_two_addresses_at_once_has_one_conversation(server: RedisServer) -> None:
    with closing(redis_conversation_store(server.url, namespace="contacts", shards=3)) as store:
        for number in range(12):
            keys = {begun(store, number, place) for place in range(3)}
            assert len(keys) == 1
            [key] = keys
            store.keeper.erase(key)
            assert list(store.keeper.keys(f"BR.{number}0")) == []
        assert ask(server.port, "KEYS", "{contacts*}:whose:*") == [], "nor is it noted whose it was"


def begun(store: ConversationStore, number: int, place: int) -> str:
    """A message of a contact from one of its addresses; return the conversation that it comes to."""
    message = inbound(contact=f"whatsapp:+55119000{number:02d}{place:02d}", ExternalUserId=f"BR.{number}0")
    message = replace(message, known_as=store.known_as(message))
    append(store, message)
    return message.conversation
