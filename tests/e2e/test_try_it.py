"""The page that plays a customer, over HTTP: it is there in development only, and for operators only."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.fakes.twilio import FakeTwilio
from tests.supervisor.stage import SETTINGS, Stage
from tests.support.ports import free_port
from tests.support.system import System
from tests.support.waiting import eventually

from .test_dashboard import PASSWORDS, browser

TRYING = {"AI_PROVIDER": "echo", "DASHBOARD_TRY_IT": "true", "REPLY_SENDER": "console"}

PICTURE = f"/2010-04-01/Accounts/AC{'0' * 32}/Messages/SM{'0' * 32}/Media/ME{'0' * 32}"

FORMS: tuple[tuple[str, dict[str, str]], ...] = (
    ("write", {"phone": "1", "text": "Oi", "action": "write"}),
    ("kill", {"worker": "worker-1 1"}),
)


@pytest.fixture
def system(tmp_path: Path, twilio: FakeTwilio) -> Iterator[System]:
    """An API that is about to be started, for development."""
    with System(tmp_path, twilio, API_PORT=str(free_port()), **TRYING) as system:
        yield system


def taken(system: System) -> Sequence[str]:
    """The messages that wait."""
    return [message.message_id for message in system.queue.list("messages", "ready")]


def test_where_nobody_develops_there_is_no_such_page(system: System) -> None:
    system.settings["DASHBOARD_TRY_IT"] = "false"
    system.api()
    with browser(system) as operator:
        assert operator.get("/dashboard/try-it").status_code == 404
        assert operator.get("/dashboard/events?of=try-it&phone=1").status_code == 404
        assert operator.get(PICTURE).status_code == 404
        assert "/dashboard/try-it" not in operator.get().text
        nothing = operator.post("/dashboard/nothing").status_code
        for form, fields in FORMS:
            assert operator.post(f"/dashboard/try-it/{form}", None, **fields).status_code == nothing == 405, (
                form
            )
    assert taken(system) == []


def test_a_recado_that_sends_through_twilio_does_not_start_with_it(system: System) -> None:
    system.settings["REPLY_SENDER"] = "twilio"

    refused = system.run("api")
    assert refused.returncode == 2
    assert "DASHBOARD_TRY_IT is true, and replies leave through Twilio" in refused.stderr


def test_a_viewer_plays_nobody(system: System) -> None:
    system.settings |= PASSWORDS
    system.api()
    with browser(system) as viewer:
        viewer.sign_in(PASSWORDS["DASHBOARD_READONLY_PASSWORD"])
        assert viewer.get("/dashboard/try-it").status_code == 403
        assert "/dashboard/try-it" not in viewer.get().text
        for form, fields in FORMS:
            assert viewer.post(f"/dashboard/try-it/{form}", None, **fields).status_code == 403, form
        told = viewer.get("/dashboard/events?of=try-it&phone=1").text
        assert "event:" not in told, "the stream ends without a word"
    assert taken(system) == []


def test_no_other_page_writes_as_a_customer(system: System) -> None:
    system.api()
    with browser(system) as operator:
        operator.get("/dashboard/try-it")
        for form, fields in FORMS:
            from_elsewhere = {"Sec-Fetch-Site": "cross-site"}
            answer = operator.post(f"/dashboard/try-it/{form}", from_elsewhere, **fields)
            assert answer.status_code == 403, form
            assert (
                operator.post(f"/dashboard/try-it/{form}", None, token="wrong", **fields).status_code == 403
            )
    assert taken(system) == []


def test_what_is_written_is_a_webhook_like_any_other(system: System) -> None:
    system.api()
    with browser(system) as operator:
        operator.get("/dashboard/try-it")
        assert operator.post("/dashboard/try-it/write", text="", action="write").status_code == 422
        answer = operator.post("/dashboard/try-it/write", phone="2", text="Oi", action="write")
        assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard/try-it?phone=2")
        assert len(taken(system)) == 1
        assert system.metric("recado_webhooks_total", webhook="messages", outcome="accepted") == 1

        page = operator.get("/dashboard/try-it?phone=2").text
        assert "Webhook taken" in page
        assert "+551190000" not in page, "numbers are masked, as everywhere"
        assert operator.post("/dashboard/try-it/write", phone="2", action="repeat").status_code == 303
        assert len(taken(system)) == 1, "the queue knows it already"
        assert system.metric("recado_webhooks_total", webhook="messages", outcome="accepted") == 2

        assert "try a message" in operator.get("/dashboard/audit").text
        picture = operator.get(PICTURE)
        assert (picture.status_code, picture.headers["content-type"]) == (200, "image/jpeg")
        assert operator.get(PICTURE[:-1] + "1").status_code == 404


def test_a_webhook_that_is_refused_is_told_so(system: System) -> None:
    """It is signed and checked as Twilio's are: with another token nothing gets in."""
    system.settings["TWILIO_AUTH_TOKEN"] = ""
    system.settings["TWILIO_SHARED_KEYS"] = "key=a secret shared with Twilio"
    system.settings["TWILIO_ACCOUNT_SID"] = ""
    system.api()
    with browser(system) as operator:
        operator.get("/dashboard/try-it")
        operator.post("/dashboard/try-it/write", text="Oi", action="write")
        page = operator.get("/dashboard/try-it").text
        assert re.search(r"403 in \d+ ms", page)
        assert "refused" in page
    assert taken(system) == []


def test_only_workers_of_this_installation_are_killed(tmp_path: Path, twilio: FakeTwilio) -> None:
    settings = {**SETTINGS, **TRYING, "API_PORT": str(free_port())}
    with Stage(tmp_path, twilio, **settings) as stage:
        up = stage.up()
        before = up.pids()
        with browser(stage) as operator:
            operator.get("/dashboard/try-it")
            others = [
                f"api-1 {before['api-1']}",
                f"worker-1 {before['api-1']}",
                f"worker-1 {os.getpid()}",
                f"worker-1 {before['worker-2']}",
                f"worker-1 {up.pid}",
                "worker-1 0",
                "worker-1 -1",
                "worker-1",
                "",
            ]
            for worker in others:
                assert operator.post("/dashboard/try-it/kill", worker=worker).status_code == 409, worker
            assert up.pids() == before

            operator.get("/dashboard/try-it")
            worker = f"worker-1 {before['worker-1']}"
            assert operator.post("/dashboard/try-it/kill", worker=worker).status_code == 303
            eventually(lambda: up.pids()["worker-1"] != before["worker-1"] and up.is_ready())
            assert operator.post("/dashboard/try-it/kill", worker=worker).status_code == 409
        after = up.pids()
    assert {name for name in before if before[name] != after[name]} == {"worker-1"}
    assert [said["end"] for said in up.said("child died: it is started again", child="worker-1")] == [
        "SIGKILL"
    ]
