"""Messages that ruin their worker: each ends as a dead letter, and other messages run all the while."""

from __future__ import annotations

import time

import pytest

from tests.support.waiting import eventually

from .conftest import MakeStage
from .misbehaving_actors import QUEUE

MODULE = ("--module", "tests.supervisor.misbehaving_actors")

#: How long a test waits for several deaths of workers, one after the other, in seconds.
WITHIN_S = 150.0

#: The actor, its deliveries until it is a dead letter, and the settings that shorten the test.
MISBEHAVING = [
    pytest.param("segfault", 5, {}, id="segfault"),
    pytest.param("leave", 5, {}, id="os._exit"),
    pytest.param("eat_memory", 2, {"WORKER_MEMORY_LIMIT_MB": "250"}, id="eats memory"),
    pytest.param("block_in_c", 2, {"HANG_GRACE_S": "1"}, id="blocks"),
    pytest.param("block_everything", 2, {"HEARTBEAT_TIMEOUT_S": "4"}, id="blocks, with the GIL"),
]


@pytest.mark.parametrize(("actor", "deliveries", "settings"), MISBEHAVING)
def test_a_message_that_ruins_workers_is_set_aside_and_others_are_served(
    make_stage: MakeStage, actor: str, deliveries: int, settings: dict[str, str]
) -> None:
    stage = make_stage(QUEUE_MAX_DELIVERIES=str(deliveries), **settings)
    up = stage.up(*MODULE)

    ruinous = stage.enqueue(QUEUE, actor)
    served = 0
    deadline = time.monotonic() + WITHIN_S
    while not stage.dead_letters(actor):
        assert time.monotonic() < deadline, "it should have been set aside long ago"
        stage.enqueue(QUEUE, "do_well", str(served))
        served += 1
        eventually(lambda: len(set(stage.lines("well"))) == served, within_s=WITHIN_S, every_s=0.1)  # noqa: B023

    [letter] = stage.dead_letters()
    assert (letter.message_id, letter.reason, letter.crashes) == (ruinous, "max_deliveries", deliveries)
    up.wait_until_ready()
    assert not up.said("child FAILED: it is not started again before a reload")
    assert len(up.pids("worker")) == 2


def test_two_ruinous_messages_on_the_only_worker_do_not_end_it(make_stage: MakeStage) -> None:
    stage = make_stage(WORKERS="1")
    up = stage.up(*MODULE)

    for _ in range(2):
        stage.enqueue(QUEUE, "leave")
    eventually(lambda: len(stage.dead_letters("leave")) == 2, within_s=WITHIN_S)

    up.wait_until_ready()
    stage.enqueue(QUEUE, "do_well", "after all")
    eventually(lambda: stage.lines("well") == ["after all"])
