"""An API that cannot store says so, and says when it can again."""

from __future__ import annotations

from contextlib import closing

import apsw
import pytest

from tests.support.system import System
from tests.support.waiting import eventually


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
