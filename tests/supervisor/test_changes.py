"""Workers come and go while everything goes on: for their age, for the load, for what they lost."""

from __future__ import annotations

import itertools

from tests.support.waiting import eventually

from .conftest import MakeStage
from .misbehaving_actors import QUEUE

MODULE = ("--module", "tests.supervisor.misbehaving_actors")


def test_workers_that_served_long_enough_are_replaced_without_a_pause(make_stage: MakeStage) -> None:
    stage = make_stage(WORKER_RECYCLE_JOBS="20")
    up = stage.up(*MODULE)
    before = set(up.pids("worker").values())
    api = up.pids("api")

    numbers = itertools.count()

    def all_are_replaced_by_work() -> bool:
        """One worker may be the quicker one, and leave the other fewer messages than it takes."""
        for _ in range(20):
            stage.enqueue(QUEUE, "do_well", str(next(numbers)))
        return not before & set(up.pids("worker").values())

    eventually(all_are_replaced_by_work, within_s=60, every_s=0.5)
    sent = next(numbers)
    eventually(lambda: len(stage.lines("well")) == sent)
    up.wait_until_ready()

    assert up.pids("api") == api
    assert not up.said("child killed")
    assert len(set(stage.lines("well"))) == len(stage.lines("well")) == sent
    starts = [line["reason"] for line in up.said("child is being replaced")]
    assert all(reason.endswith(" messages done") for reason in starts)


def test_more_workers_come_when_messages_wait(make_stage: MakeStage) -> None:
    stage = make_stage(WORKERS="1", WORKERS_MAX="3", WORKER_THREADS="2", WORKERS_TARGET_WAIT_S="1")
    up = stage.up(*MODULE)
    assert len(up.pids("worker")) == 1

    for number in range(60):
        stage.enqueue(QUEUE, "take_time", str(number), 1.0)
    eventually(lambda: len(up.pids("worker")) == 3, within_s=60)
    stage.settle()

    assert len(stage.lines("began")) == len(stage.lines("ended")) == 60
    backlog = {queue["queue"] for queue in up.status()["backlog"]}
    assert QUEUE in backlog


def test_a_worker_that_lost_a_thread_is_replaced(make_stage: MakeStage) -> None:
    stage = make_stage()
    up = stage.up(*MODULE)
    before = up.pids("worker")

    stage.enqueue(QUEUE, "lose_the_thread")
    eventually(lambda: up.said("child is being replaced", reason="lost 1 of its threads"), within_s=30)
    eventually(lambda: up.said("child stopped", end="exit code 0"), within_s=60)

    up.wait_until_ready()
    assert len(set(before.values()) & set(up.pids("worker").values())) == 1, "the other one stays"
    assert all(child["threads"] == 8 for child in up.children("worker").values())
