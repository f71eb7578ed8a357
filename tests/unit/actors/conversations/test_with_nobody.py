"""The set of the conversations that nobody answers, where an earlier version of Recado writes or wrote."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from actors.conversations.redis import RedisConversationStore
from actors.conversations.redis_keeper import STEP
from tests.support.conversations import OnServer, append, inbound
from tests.support.redis_server import ask

#: More than a set that a server keeps as one block, and than what is looked at in one step.
MANY = 3 * STEP


@pytest.fixture
def store(place: OnServer) -> Iterator[RedisConversationStore]:
    with closing(place()) as store:
        yield store


def name(place: OnServer, kind: str) -> str:
    return f"{{{place.namespace}}}:{kind}"


def opted_out(store: RedisConversationStore, count: int, *, of: int) -> list[str]:
    """Have so many contacts write of whom the first opt out; return the keys of these, latest first."""
    keys = []
    for number in range(of):
        message = inbound("Oi", contact=f"whatsapp:+551190000{number:04}")
        append(store, message)
        if number < count:
            assert store.set_mode(message.conversation, "nobody", "opted out")
            keys.append(message.conversation)
    return keys[::-1]


def forget_the_set(place: OnServer) -> None:
    """Leave what an earlier version would have: it knew of no such set."""
    ask(place.port, "DEL", name(place, "with-nobody"), name(place, "with-nobody-is-whole"))


def listed(store: RedisConversationStore) -> list[str]:
    return [each.conversation for each in store.reader.conversations(mode="nobody", limit=MANY)]


def keep_house(store: RedisConversationStore) -> None:
    for _ in store.keeper.delete_old():
        pass


def test_what_an_earlier_version_stored_is_listed_and_then_found_quickly(
    store: RedisConversationStore, place: OnServer
) -> None:
    keys = opted_out(store, 5, of=MANY)
    forget_the_set(place)
    assert listed(store) == keys, "all conversations are looked at"
    assert store.set_mode(keys[0], "nobody", "again") is False
    new = inbound("Oi", contact="whatsapp:+5511900009999")
    append(store, new)
    assert store.set_mode(new.conversation, "nobody", "opted out")
    assert listed(store) == [new.conversation, *keys], "one that this version noted hides none"

    keep_house(store)

    assert ask(place.port, "EXISTS", name(place, "with-nobody-is-whole")) == 1
    assert ask(place.port, "ZCARD", name(place, "with-nobody")) == 6
    assert listed(store) == [new.conversation, *keys]
    ask(place.port, "ZREM", name(place, "with-nobody"), new.conversation)
    assert listed(store) == keys, "only the set is looked at"


def test_what_an_earlier_version_changes_beside_this_one_is_put_right(
    store: RedisConversationStore, place: OnServer
) -> None:
    first, second, third = opted_out(store, 3, of=4)
    keep_house(store)
    # As an earlier version does it while an upgrade is under way: it opts one in, one out, and erases one.
    ask(place.port, "HSET", name(place, f"conversation:{first}"), "mode", "assistant")
    ask(place.port, "ZREM", name(place, "with-nobody"), second)
    ask(place.port, "DEL", name(place, f"conversation:{third}"))
    ask(place.port, "ZREM", name(place, "conversations"), third)
    assert first not in listed(store)

    keep_house(store)

    assert listed(store) == [second]
    assert ask(place.port, "ZRANGE", name(place, "with-nobody"), "0", "-1") == [second.encode()]
