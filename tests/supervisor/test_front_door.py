"""The door is never left with nobody behind it: without an API, or without a queue, webhooks get 503."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import httpx

from ops.webhook import MESSAGES_PATH
from tests.support import plain_http
from tests.support.waiting import eventually

from .conftest import MakeStage
from .misbehaving_actors import QUEUE
from .stage import Stage

MODULE = ("--module", "tests.supervisor.misbehaving_actors")

#: How long an answer may take, in seconds. It is a bound for what would otherwise hang for half a minute.
ANSWERED_WITHIN_S = 20.0


def answer(stage: Stage) -> httpx.Response:
    """The answer to a webhook."""
    began = time.monotonic()
    response = stage.webhook(stage.parameters("Oi", sender=stage.contact()))
    assert time.monotonic() - began < ANSWERED_WITHIN_S
    return response


def test_an_api_that_cannot_open_its_queue_refuses_webhooks_until_it_can(stage: Stage) -> None:
    in_the_way = Path(stage.settings["QUEUE_SQLITE_DB_PATH"])
    in_the_way.mkdir()
    up = stage.begin()
    up.event("the queue cannot be opened")
    eventually(lambda: up.children("api")["api-1"].get("queue_error"))

    for _ in range(3):
        response = answer(stage)
        assert (response.status_code, "CantOpen" in response.text) == (503, True)
    ready = plain_http.get(stage.url + "/readyz")
    assert (ready.status_code, "CantOpen" in ready.json()["why"]) == (503, True)
    assert plain_http.get(stage.url + "/healthz").status_code == 200
    metrics = plain_http.get(stage.url + "/metrics").text
    assert 'recado_webhooks_total{outcome="unavailable",webhook="messages"} 3.0' in metrics
    assert "recado_queue_up 0.0" in metrics

    in_the_way.rmdir()
    up.wait_until_ready()
    assert answer(stage).status_code == 200
    eventually(lambda: len(stage.replies()) == 1)
    assert up.children("api")["api-1"]["restarts"] == 0


def test_once_the_api_has_stopped_the_supervisor_answers(stage: Stage) -> None:
    """Its workers may take minutes to finish what they run."""
    up = stage.up(*MODULE)
    url = stage.url
    stage.enqueue(QUEUE, "take_until", "long", "it may end")
    eventually(lambda: stage.lines("began"))

    up.signal(signal.SIGTERM)
    eventually(lambda: up.said("child stopped", child="api-1"), within_s=60)
    for _ in range(3):
        response = plain_http.post(url + MESSAGES_PATH, data={"Body": "Oi"}, timeout=ANSWERED_WITHIN_S)
        assert (response.status_code, "does not run" in response.text) == (503, True)

    (stage.directory / "it may end").touch()
    assert up.wait() == 0
    assert stage.lines("ended") == ["long"]


def test_webhooks_are_stored_while_a_new_api_cannot_open_its_queue(make_stage: MakeStage) -> None:
    """Both APIs have the same listening socket: the new one must leave webhooks to the old one."""
    stage = make_stage()
    path = stage.settings.pop("QUEUE_SQLITE_DB_PATH")
    env = stage.directory / ".env"
    env.write_text(f"QUEUE_SQLITE_DB_PATH={path}\n")
    up = stage.up()
    in_the_way = stage.directory / "in-the-way"
    in_the_way.mkdir()
    env.write_text(f"QUEUE_SQLITE_DB_PATH={in_the_way}\n")

    up.signal(signal.SIGHUP)
    eventually(lambda: up.said("the queue cannot be opened: the API that it was to replace goes on"))
    answers = [answer(stage).status_code for _ in range(20)]

    assert answers == [200] * 20
    assert up.terminate() == 0
