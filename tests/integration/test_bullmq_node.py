"""BullMQ's queues, shared with BullMQ itself."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import dramatiq
import pytest
from dramatiq import Message, Worker

from brokers import BullMQBroker
from brokers.records import StoredMessage
from tests.support.bullmq_node import EXAMPLE, Node, NoNode
from tests.support.bullmq_sharing import share
from tests.support.messages import stats_of
from tests.support.redis_server import RedisServer
from tests.support.system import BIN, PATIENCE_S
from tests.support.waiting import eventually

from .test_examples import replies, run, running, settings

QUEUE = "shared"

#: How long a worker of these tests may be silent, in seconds.
LOCK_S = 3


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Node:
    try:
        return Node(tmp_path_factory.mktemp("node"))
    except NoNode as why:
        pytest.skip(str(why))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    directory = tmp_path / "redis"
    directory.mkdir()
    with RedisServer(directory) as server:
        yield server


@pytest.fixture
def broker(server: RedisServer) -> Iterator[BullMQBroker]:
    with closing(BullMQBroker(server.url, lock_s=LOCK_S)) as broker:
        yield broker


@contextmanager
def working(broker: BullMQBroker) -> Iterator[None]:
    worker = Worker(broker, worker_timeout=50, worker_threads=2)
    worker.start()
    try:
        yield
    finally:
        worker.stop()


def the_dead_letter(broker: BullMQBroker) -> StoredMessage:
    [letter] = eventually(lambda: broker.backend.list(QUEUE, "dead"))
    return letter


# -- the example ---------------------------------------------------------------------------------------


def test_a_message_that_node_adds_is_answered(node: Node, server: RedisServer, tmp_path: Path) -> None:
    env = settings(tmp_path, QUEUE_BACKEND="bullmq", REDIS_URL=server.url)
    with running(str(BIN / "recado"), "worker", cwd=tmp_path, env=env):
        node.run(server.url, "producer.mjs", "Oi")
        node.run(server.url, "producer.mjs", "Oi")
        eventually(lambda: replies(tmp_path), within_s=PATIENCE_S)

    assert replies(tmp_path) == ["[echo, not an AI] Oi"], "the id that Node gave it is known"


def test_a_node_service_does_what_python_asks_for(node: Node, server: RedisServer) -> None:
    with node.running(server.url, "worker.mjs") as worker:
        run(
            *(sys.executable, str(EXAMPLE / "order.py"), "A-17", "9.50"),
            cwd=node.directory,
            env=settings(EXAMPLE, REDIS_URL=server.url),
        )
        assert worker.stdout is not None
        assert worker.stdout.readline() == "invoice for order A-17: 9.50\n"


# -- what Node adds ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "called_with"),
    [
        ({"args": ["Ana", 2], "kwargs": {"x": True}}, (["Ana", 2], {"x": True})),
        ({"payload": {"Body": "Oi"}}, ([{"Body": "Oi"}], {})),
        ({"Body": "Oi", "args": 3}, ([{"Body": "Oi", "args": 3}], {})),
        ({}, ([], {})),
        ([1, 2], ([[1, 2]], {})),
        ("Oi", (["Oi"], {})),
    ],
)
def test_any_data_is_what_the_actor_is_called_with(
    node: Node, server: RedisServer, broker: BullMQBroker, data: Any, called_with: tuple[list[Any], Any]
) -> None:
    calls: list[tuple[list[Any], Any]] = []

    @dramatiq.actor(broker=broker, queue_name=QUEUE)
    def greet(*args: Any, **kwargs: Any) -> None:
        calls.append((list(args), kwargs))

    node.ask(server.url, "add", QUEUE, "greet", json.dumps(data))
    with working(broker):
        eventually(lambda: calls)
        eventually(lambda: stats_of(broker.backend, QUEUE).done == 1)

    assert calls == [called_with]
    assert node.ask(server.url, "counts", QUEUE)["active"] == 0


def test_a_job_that_no_actor_knows_is_a_dead_letter_that_says_so(
    node: Node, server: RedisServer, broker: BullMQBroker
) -> None:
    broker.declare_queue(QUEUE)
    job_id = node.ask(server.url, "add", QUEUE, "unheard-of", '{"args": []}')
    with working(broker):
        letter = the_dead_letter(broker)

    assert (letter.reason, letter.actor) == ("unknown_actor", "unheard-of")
    assert letter.message_id == f"{QUEUE}:{job_id}"
    [job] = node.ask(server.url, "jobs", QUEUE, "failed")
    assert "unheard-of" in job["failedReason"]
    assert broker.replay(letter.message_id)


def test_delays_and_priorities_are_as_node_gave_them(
    node: Node, server: RedisServer, broker: BullMQBroker
) -> None:
    for name, options in (("late", {"priority": 9}), ("early", {"priority": 1}), ("first", {})):
        node.ask(server.url, "add", QUEUE, name, "{}", json.dumps(options))
    node.ask(server.url, "add", QUEUE, "tomorrow", "{}", json.dumps({"delay": 86_400_000}))

    handed_out = broker.backend.dequeue(QUEUE, limit=9, timeout_s=0)
    assert [json.loads(each.payload)["actor_name"] for each in handed_out] == ["first", "early", "late"]
    assert [each.actor for each in broker.backend.list(QUEUE, "delayed")] == ["tomorrow"]


# -- what Node sees ------------------------------------------------------------------------------------


def test_node_reads_messages_as_jobs(node: Node, server: RedisServer, broker: BullMQBroker) -> None:
    broker.declare_queue(QUEUE)
    message: Message[Any] = Message(
        queue_name=QUEUE, actor_name="greet", args=("Ana",), kwargs={}, options={}, message_id="a:1"
    )
    broker.enqueue(message)
    broker.enqueue(message.copy(message_id="17"), delay=60_000)

    [waiting] = node.ask(server.url, "jobs", QUEUE, "waiting")
    assert (waiting["name"], waiting["id"]) == ("greet", "a%3A1")
    assert waiting["data"] == json.loads(message.encode())
    [delayed] = node.ask(server.url, "jobs", QUEUE, "delayed")
    assert (delayed["delay"], delayed["id"]) == (60_000, "%317")
    broker.backend.dequeue("another", limit=1, timeout_s=0)


def test_a_dead_letter_that_node_retries_begins_afresh(
    node: Node, server: RedisServer, broker: BullMQBroker
) -> None:
    runs = []

    @dramatiq.actor(broker=broker, queue_name=QUEUE, max_retries=1, min_backoff=1, max_backoff=1)
    def fail(name: str) -> None:
        runs.append(name)
        if len(runs) < 4:
            raise ValueError("not yet")

    fail.send("Ana")
    with working(broker):
        letter = the_dead_letter(broker)
        assert runs == ["Ana"] * 2, "with its one retry"
        [job] = node.ask(server.url, "jobs", QUEUE, "failed")
        assert job["failedReason"] == "ValueError: not yet"
        assert "Traceback" in job["stacktrace"][0]

        assert node.ask(server.url, "retry", QUEUE, letter.message_id)
        eventually(lambda: stats_of(broker.backend, QUEUE).done == 1)

    assert runs == ["Ana"] * 4, "it has its retry again"
    assert stats_of(broker.backend, QUEUE).dead == 0


def test_node_sees_who_works_a_queue(node: Node, server: RedisServer, broker: BullMQBroker) -> None:
    broker.declare_queue(QUEUE)
    with working(broker):
        eventually(lambda: node.ask(server.url, "workers", QUEUE) == 1, every_s=0.1)


# -- together ------------------------------------------------------------------------------------------


def test_two_kinds_of_workers_share_a_queue_while_they_are_killed(
    node: Node, server: RedisServer, broker: BullMQBroker
) -> None:
    """Each job is done once. Those that kill their first worker are done by another one."""
    shared = share(
        node, server.url, broker, QUEUE, lock_s=LOCK_S, jobs=160, lethal_every=40, within_s=PATIENCE_S
    )

    assert shared.deaths == shared.killed == 4, "each took its worker with it"
    assert len(shared.done) == 160
    assert set(shared.done.values()) == {1}
    assert 0 < shared.by_node < 160
    stats = stats_of(broker.backend, QUEUE)
    assert (stats.ready, stats.delayed, stats.dead) == (0, 0, 0)


def test_the_example_names_exact_versions() -> None:
    versions = json.loads((EXAMPLE / "package.json").read_text())["dependencies"].values()
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions)
