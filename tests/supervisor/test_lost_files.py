"""Database files of a running system are deleted, or something else lies in their place."""

from __future__ import annotations

import time
from pathlib import Path

from tests.support import plain_http
from tests.support.waiting import eventually

from .conftest import MakeStage
from .stage import Stage

#: How long a webhook may take that cannot be stored, in seconds. It is a bound for what would otherwise hang.
REFUSED_WITHIN_S = 20.0


def database_of(stage: Stage) -> Path:
    return Path(stage.settings["QUEUE_SQLITE_DB_PATH"])


def answer(stage: Stage) -> int:
    """The status of a webhook."""
    began = time.monotonic()
    response = stage.webhook(stage.parameters("Oi", sender=stage.contact()))
    assert time.monotonic() - began < REFUSED_WITHIN_S
    return response.status_code


def test_a_deleted_queue_is_begun_anew_and_no_webhook_refused(stage: Stage) -> None:
    up = stage.up()
    stage.write("Oi", sender=stage.contact())
    stage.settle()

    database_of(stage).unlink()
    for _ in range(20):
        assert answer(stage) == 200

    eventually(lambda: len(stage.replies()) == 21, within_s=60)
    [kept] = list(stage.directory.glob("queue.db-wal.stale-*"))
    assert kept.name in up.log
    assert "was deleted or replaced while it was open" in up.log
    assert up.terminate() == 0


def test_with_no_queue_webhooks_are_refused_until_there_is_one_and_a_stop_is_not_held_up(
    make_stage: MakeStage,
) -> None:
    stage = make_stage(ECHO_DELAY_S="1", MESSAGE_MIN_BACKOFF_MS="50")
    up = stage.up()
    for _ in range(10):
        assert answer(stage) == 200
    in_the_way = database_of(stage)
    for path in stage.directory.glob("queue.db*"):
        if path.is_file():
            path.unlink()
    in_the_way.mkdir()

    eventually(lambda: answer(stage) == 503)
    assert [answer(stage) for _ in range(5)] == [503] * 5
    assert plain_http.get(stage.url + "/readyz").status_code == 503
    assert plain_http.get(stage.url + "/healthz").status_code == 200
    in_the_way.rmdir()
    eventually(lambda: answer(stage) == 200)
    assert plain_http.get(stage.url + "/readyz").status_code == 200

    for _ in range(10):
        assert answer(stage) == 200
    for path in stage.directory.glob("queue.db*"):
        if path.is_file():
            path.unlink()
    in_the_way.mkdir()
    eventually(lambda: "Failed to post_process_message" in up.log, within_s=60)
    assert up.terminate() == 0
