"""A cluster of three Valkeys, over which messages and conversations are spread: REDIS_SHARDS."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from tests.fakes.twilio import FakeTwilio
from tests.support.redis_cluster import move_slots, move_slots_at_once, redis_cluster
from tests.support.redis_server import RedisServer, ask
from tests.support.system import System
from tests.support.waiting import eventually

SHARDS = 3

#: Moves slots from one node to another, and stops now and then.
Move = Callable[[RedisServer, RedisServer, Iterable[int]], Iterator[bytes]]


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[list[RedisServer]]:
    with redis_cluster(tmp_path / "cluster", SHARDS) as nodes:
        yield nodes


def leading_to(nodes: list[RedisServer]) -> dict[str, str]:
    """The settings by which a shop finds its nodes, and soon notices that one is away."""
    return {
        "QUEUE_BACKEND": "redis",
        "REDIS_TIMEOUT_S": "1",
        "REDIS_URL": ",".join(node.url for node in nodes),
    }


@pytest.fixture
def shop(tmp_path: Path, nodes: list[RedisServer], twilio: FakeTwilio) -> Iterator[System]:
    """A shop whose namespace is kept by the nodes in the order of their slots."""
    settings = {
        **leading_to(nodes),
        "REDIS_NAMESPACE": "recado",
        "REDIS_SHARDS": str(SHARDS),
        "REPLY_UNKNOWN_POLICY": "resend",  # the fake lists all that it took
    }
    with System(tmp_path, twilio, **settings) as shop:
        yield shop


def test_all_nodes_share_the_work_and_each_message_is_answered_once(
    shop: System, nodes: list[RedisServer]
) -> None:
    shop.api()
    first, _ = shop.worker(), shop.worker()
    contacts = [shop.contact() for _ in range(24)]
    for number, contact in enumerate(contacts):
        shop.write("Oi", sender=contact)
        if number == len(contacts) // 2:
            first.kill()
    shop.settle()

    assert shop.dead_letters() == []
    assert [len(shop.twilio.bodies_to(contact)) for contact in contacts] == [1] * len(contacts)
    for node in nodes:
        assert ask(node.port, "KEYS", "{recado*}:done*") is not None
        assert ask(node.port, "KEYS", "{recado-conversations*}:reply:*"), (
            "each has a part of the conversations"
        )
        assert ask(node.port, "HGET", ask(node.port, "KEYS", "{recado*}:queues")[0], "messages") is not None
    listed = shop.conversations.reader.conversations(limit=100)
    assert {summary.contact for summary in listed} == set(contacts)
    assert [summary.last_at for summary in listed] == sorted((each.last_at for each in listed), reverse=True)


def test_what_waits_on_the_other_nodes_is_answered_while_one_is_away(
    shop: System, nodes: list[RedisServer]
) -> None:
    shop.api()
    worker = shop.worker()
    warm = shop.contact()
    shop.write("Oi", sender=warm)
    shop.settle()
    os.kill(worker.pid, signal.SIGSTOP)
    contacts = [shop.contact() for _ in range(24)]
    for contact in contacts:
        shop.write("Oi", sender=contact)
    gone = nodes[2]
    gone.kill()
    os.kill(worker.pid, signal.SIGCONT)

    eventually(lambda: any(shop.twilio.bodies_to(contact) for contact in contacts), within_s=60)
    late = shop.contact()
    shop.write("Oi", sender=late)
    gone.start()
    eventually(lambda: all(shop.twilio.bodies_to(contact) for contact in [*contacts, late]), within_s=60)
    shop.settle()
    assert [len(shop.twilio.bodies_to(contact)) for contact in contacts] == [1] * len(contacts)


def test_a_process_with_another_number_of_shards_is_told(shop: System) -> None:
    shop.api()
    shop.write("Oi", sender=shop.contact())  # the API has begun, and decided
    other = shop.run("worker", REDIS_SHARDS="1")

    assert other.returncode != 0
    assert "spread over 3 shard(s), and this process was told of 1 (REDIS_SHARDS). Set it to 3." in (
        other.stdout + other.stderr
    )


@pytest.fixture
def alone(tmp_path: Path, nodes: list[RedisServer], twilio: FakeTwilio) -> Iterator[System]:
    """A shop all of which is in two slots: the queue's, and the conversations'."""
    with System(tmp_path, twilio, **leading_to(nodes)) as shop:
        yield shop


def slots_of(shop: System, node: RedisServer) -> list[int]:
    """The slots of a shop's namespaces that a node keeps."""
    keys = ask(node.port, "KEYS", "*")
    return sorted({ask(node.port, "CLUSTER", "KEYSLOT", key) for key in keys})


@pytest.mark.parametrize("move", [move_slots, move_slots_at_once], ids=["key by key", "at once"])
def test_slots_that_move_to_another_node_under_load_lose_nothing(
    alone: System, nodes: list[RedisServer], move: Move
) -> None:
    alone.api()
    alone.worker()
    alone.worker()
    contacts = [alone.contact() for _ in range(4)]
    for contact in contacts:
        alone.write("Oi", sender=contact)
    alone.settle()
    moved = 0
    for source, target in zip(nodes, [*nodes[1:], nodes[0]], strict=True):
        for _ in move(source, target, slots_of(alone, source)):
            moved += 1
            if len(contacts) < 24:
                contacts.append(alone.contact())
                alone.write("Oi", sender=contacts[-1])

    assert moved >= 2, "the queue's slot and the conversations'"
    eventually(lambda: all(alone.twilio.bodies_to(contact) for contact in contacts))
    alone.settle()
    assert [len(alone.twilio.bodies_to(contact)) for contact in contacts] == [1] * len(contacts)
    assert alone.dead_letters() == []
