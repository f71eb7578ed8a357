"""On Redis, and so on BullMQ, nobody sees a process die but its parent: the supervisor tells the queue."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually

from .conftest import MakeStage
from .misbehaving_actors import QUEUE
from .stage import kill

MODULE = ("--module", "tests.supervisor.misbehaving_actors")

#: So long that only the report can have told the queue of a death in time.
HEARTBEAT_TIMEOUT_S = 300
WITHIN_S = 60.0


@pytest.mark.parametrize(
    "engine",
    [
        {"QUEUE_BACKEND": "redis", "REDIS_HEARTBEAT_TIMEOUT_S": str(HEARTBEAT_TIMEOUT_S)},
        {"QUEUE_BACKEND": "bullmq", "BULLMQ_LOCK_S": str(HEARTBEAT_TIMEOUT_S)},
    ],
    ids=["redis", "bullmq"],
)
def test_the_messages_of_a_killed_worker_run_again_long_before_its_heartbeat_is_missed(
    make_stage: MakeStage, tmp_path: Path, engine: Mapping[str, str]
) -> None:
    (tmp_path / "redis").mkdir()
    with RedisServer(tmp_path / "redis") as server:
        stage = make_stage(REDIS_URL=server.url, **engine)
        up = stage.up(*MODULE)
        for number in range(4):
            stage.enqueue(QUEUE, "take_until", str(number), "they may end")

        def busy() -> list[int]:
            children = up.children("worker").values()
            running = sum(child["running"] for child in children)
            return [child["pid"] for child in children if child["running"]] if running == 4 else []

        kill(eventually(busy)[0])

        eventually(lambda: len(stage.lines("began")) > 4, within_s=WITHIN_S)
        (tmp_path / "they may end").touch()
        eventually(lambda: sorted(stage.lines("ended")) == ["0", "1", "2", "3"], within_s=WITHIN_S)
        up.wait_until_ready()
        assert not up.said(
            "a worker's death could not be reported to the queue, which finds out by itself, later"
        )
        stage.write("Oi", sender=stage.contact())
        eventually(lambda: len(stage.replies()) == 1, within_s=WITHIN_S)
        assert up.terminate() == 0
