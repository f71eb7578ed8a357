"""An API that cannot store says so, and says when it can again."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import apsw
import pytest
from llmock.pytest_plugin import LLMock

from tests.support.system import System
from tests.support.waiting import eventually

from .conftest import MakeSystem, Settings


def test_an_api_that_cannot_write_is_alive_and_not_ready(front: System) -> None:
    if front.settings.get("QUEUE_BACKEND") == "redis":
        pytest.skip("what Redis cannot take goes to the spool: tests/chaos")
    parameters = front.parameters("Oi", sender=front.contact())
    assert front.http.get(front.url + "/readyz").status_code == 200
    with closing(apsw.Connection(front.settings["QUEUE_SQLITE_DB_PATH"])) as other:
        other.execute("BEGIN EXCLUSIVE")  # a backup, or an operator's shell

        ready = front.http.get(front.url + "/readyz")
        assert (ready.status_code, ready.json()["status"]) == (503, "unavailable")
        assert "did not answer" in ready.json()["why"]
        assert front.http.get(front.url + "/healthz").status_code == 200
        assert front.http.get(front.url + "/metrics").status_code == 200
        assert front.webhook(parameters).status_code == 503, "nothing is pretended"

        other.execute("ROLLBACK")
    eventually(lambda: front.http.get(front.url + "/readyz").status_code == 200)
    assert front.waiting() == 0
    assert front.webhook(parameters).status_code == 200


def test_broken_conversations_are_told_everywhere_and_all_goes_on_when_they_are_whole(
    make_system: MakeSystem, model_settings: Settings, llmock: LLMock
) -> None:
    system = make_system(**model_settings, CONVERSATIONS_BACKEND="sqlite")
    api, worker = system.api(), system.worker()
    contact = system.contact()
    llmock.reply("Olá!")
    system.write("Oi", sender=contact)
    system.settle()
    file = Path(system.settings["CONVERSATIONS_SQLITE_DB_PATH"])
    with closing(apsw.Connection(str(file))) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = file.read_bytes()
    overwrite(file, os.urandom(50_000))

    def ready() -> dict[str, object]:
        answer = system.http.get(system.url + "/readyz")
        assert answer.status_code == 200, "webhooks are welcome"
        return dict(answer.json())

    eventually(lambda: "conversations" in str(ready().get("stores", "")), within_s=30)
    assert ready()["status"] == "degraded"
    assert "file is not a database" in str(ready()["why"])
    assert system.metric("recado_conversations_up") == 0
    assert system.metric("recado_audit_up") == 1
    assert "file is not a database" in system.run("doctor").stdout
    overview = system.url + "/dashboard/"
    eventually(lambda: "The conversations cannot be used" in system.http.get(overview).text)

    system.write("Alô?", sender=contact)
    worker.event("Message ")
    eventually(lambda: system.metric("recado_queue_longest_wait_seconds", queue="messages") > 1)
    overwrite(file, whole)
    eventually(lambda: len(system.twilio.sent_to(contact)) == 2, within_s=60)
    eventually(lambda: ready() == {"status": "ok"})
    assert system.metric("recado_conversations_up") == 1
    assert "Traceback" not in api.log
    assert "Traceback" not in worker.log


def overwrite(path: Path, content: bytes) -> None:
    """In place: the file stays the one that is open."""
    with path.open("r+b", buffering=0) as file:
        file.truncate(0)
        file.write(content)
