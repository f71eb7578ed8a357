"""Several namespaces that are used as one: their names, what is in which, and who may use them."""

from __future__ import annotations

import binascii
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from actors.conversations import ConversationStore
from actors.conversations.redis import redis_conversation_store
from actors.reply import Reply
from brokers.backend import QueueBackend
from brokers.errors import NotDurable
from brokers.redis import redis_backend
from brokers.redis.shards import SLOTS, namespaces, shard_of
from brokers.spool import SPOOLED
from tests.support.conversations import always, append, inbound
from tests.support.messages import QUEUE, a_message, claimable, stored
from tests.support.redis_server import RedisServer


@pytest.mark.parametrize("count", [1, 2, 3, 6, 16, 64])
@pytest.mark.parametrize("name", ["recado", "recado-conversations", "x"])
def test_each_is_in_another_part_of_the_slots(name: str, count: int) -> None:
    names = namespaces(name, count)
    assert names[0] == name
    parts = {binascii.crc_hqx(each.encode(), 0) % SLOTS * count // SLOTS for each in names}
    assert len(names) == len(parts) == count


def test_what_is_stored_is_found_by_every_version() -> None:
    assert namespaces("recado", 3) == ["recado", "recado/1.0", "recado/2.0"]
    assert [shard_of(name, 3) for name in ("", "send-1", "whatsapp:+5511900000001", "\ud800")] == [0, 2, 1, 1]


@pytest.fixture
def open_shards(server: RedisServer) -> Iterator[Callable[[int], QueueBackend]]:
    """Opens the same namespace with so many shards."""
    namespace = secrets.token_hex(4)
    with ExitStack() as stack:
        yield lambda count: stack.enter_context(
            closing(redis_backend(server.url, namespace=namespace, shards=count))
        )


OpenShards = Callable[[int], QueueBackend]


def test_the_first_process_decides_how_many_there_are(open_shards: OpenShards) -> None:
    kept = stored(open_shards(3))

    for count in (1, 2, 4):
        with pytest.raises(NotDurable, match=rf"spread over 3 .* told of {count} .* Set it to 3"):
            open_shards(count).check(timeout_s=5)
        with pytest.raises(NotDurable):
            open_shards(count).dequeue(QUEUE, limit=1, timeout_s=0)
    assert claimable(open_shards(3)) == [kept]


def test_what_was_kept_before_there_were_shards_is_told_of(open_shards: OpenShards) -> None:
    kept = stored(open_shards(1))

    with pytest.raises(NotDurable, match=r"spread over 1 .* told of 3 .* Set it to 1"):
        open_shards(3).enqueue(a_message())
    assert claimable(open_shards(1)) == [kept]


def test_a_spooled_message_is_where_its_id_says(open_shards: OpenShards) -> None:
    """The spool's unique key and the id lead to the same shard: one id is not stored twice."""
    backend = open_shards(3)
    for _ in range(8):
        message = a_message()
        spooled = message._replace(unique_key=SPOOLED + message.message_id, unique_for_ms=60_000)
        assert backend.enqueue(spooled)
        assert not backend.enqueue(message)
    assert len(claimable(backend)) == 8


def test_replies_say_in_which_shard_they_are(server: RedisServer) -> None:
    with closing(redis_conversation_store(server.url, namespace=secrets.token_hex(4), shards=3)) as store:
        replies = [answered_by(store, f"whatsapp:+551190000{number:04d}") for number in range(8)]
        assert {reply.reply_id.rpartition(".")[2] for reply in replies} == {"0", "1", "2"}
        for reply in replies:
            assert store.reply(reply.reply_id) == reply
            assert store.begin_sending(reply.reply_id) is not None


def answered_by(store: ConversationStore, contact: str) -> Reply:
    message = inbound(contact=contact)
    append(store, message)
    hold = store.hold(message.conversation, "message-1", is_live=always)
    assert hold is not None
    return store.answer(hold, store.turn(hold, history_limit=1), "Olá!", kind="answer").reply
