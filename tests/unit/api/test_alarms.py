"""What the API tells people past the queue: nothing works, and webhooks are refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from actors.notices.receiver import receivers_of
from api.alarms import LOOKS, MANY_IN_A_ROW, MANY_LATELY, RECENT_LOOKS, TOLD_EVERY_S, Alarms, Watched
from api.opening import Opening
from api.refusals import Refusals
from brokers.cached_stats import CachedStats
from brokers.checks import Checks
from brokers.errors import EngineError
from brokers.sqlite import SQLiteBackend
from ops.foundation.settings import Settings
from tests.fakes.receiver import FakeReceiver


@pytest.fixture(scope="module")
def server() -> Iterator[FakeReceiver]:
    with FakeReceiver() as server:
        yield server


class Scene:
    """Alarms, and what they look at.

    Attributes:
      troubles: what does not work.
      now: the time, in seconds.
    """

    def __init__(self, http: FakeReceiver) -> None:
        self.http = http
        self.troubles: Sequence[str] = []
        self.refusals = Refusals()
        self.now = 0.0
        receivers = receivers_of(Settings(_env_file=None, notify_urls=http.url))
        self.alarms = Alarms(
            list(receivers.values()), lambda: self.troubles, self.refusals, clock=lambda: self.now
        )

    def look(self, times: int = 1) -> list[str]:
        """Look so many times; return the titles of what people were told."""
        before = len(self.http.taken)
        for _ in range(times):
            self.alarms.look()
            self.now += 15
        return self.http.titles[before:]


@pytest.fixture
def scene(server: FakeReceiver) -> Scene:
    server.taken.clear()
    server.accept()
    return Scene(server)


def test_what_works_is_not_told(scene: Scene) -> None:
    scene.refusals.count("accepted")
    assert scene.look(10) == []


def test_that_nothing_works_is_told_once_and_that_it_works_again(scene: Scene) -> None:
    scene.troubles = ["no worker runs"]
    assert scene.look(LOOKS - 1) == [], "a restart takes as long"
    assert scene.look(50) == ["Recado does not work"]
    assert "no worker runs" in scene.http.text

    scene.troubles = []
    assert scene.look(10) == ["Recado works again"]


def test_a_short_trouble_is_not_told_at_all(scene: Scene) -> None:
    for _ in range(5):
        scene.troubles = ["the queue cannot be used"]
        assert scene.look(LOOKS - 1) == []
        scene.troubles = []
        assert scene.look() == []


def test_trouble_that_stays_is_told_again_after_half_an_hour(scene: Scene) -> None:
    scene.troubles = ["no worker runs"]
    scene.look(LOOKS)
    scene.now += TOLD_EVERY_S

    assert scene.look(3) == ["Recado does not work"]


def test_what_comes_and_goes_is_told_twice_an_hour_at_most(scene: Scene) -> None:
    told = []
    while scene.now < 2 * TOLD_EVERY_S:
        scene.troubles = ["no worker runs"]
        told += scene.look(LOOKS)
        scene.troubles = []
        told += scene.look()

    assert told == ["Recado does not work", "Recado works again"] * 2


def test_webhooks_refused_in_a_row_are_told(scene: Scene) -> None:
    for _ in range(MANY_IN_A_ROW - 1):
        scene.refusals.count("bad_signature")
    assert scene.look() == []
    scene.refusals.count("unavailable")
    assert scene.look(5) == ["Webhooks are refused"]


def test_a_refused_webhook_among_good_ones_is_not(scene: Scene) -> None:
    for _ in range(MANY_LATELY - 1):
        scene.refusals.count("bad_signature")
        scene.refusals.count("accepted")
        assert scene.look() == []


def test_many_refused_among_good_ones_are(scene: Scene) -> None:
    for _ in range(MANY_LATELY):
        scene.refusals.count("bad_signature")
        scene.refusals.count("accepted")
    assert scene.look() == ["Webhooks are refused"]


def test_refusals_of_before_are_no_news(scene: Scene) -> None:
    for _ in range(MANY_IN_A_ROW):
        scene.refusals.count("bad_signature")
    scene.look()
    scene.now += TOLD_EVERY_S

    assert scene.look(RECENT_LOOKS) == ["Webhooks are refused"]
    scene.now += TOLD_EVERY_S
    assert scene.look(RECENT_LOOKS) == []


def test_what_a_sender_got_wrong_is_no_refusal_of_ours(scene: Scene) -> None:
    for _ in range(MANY_LATELY):
        scene.refusals.count("incomplete")
    assert scene.look(3) == []


def test_what_a_receiver_refuses_is_told_once_when_it_takes_it(scene: Scene) -> None:
    scene.http.refuse()
    scene.troubles = ["no worker runs"]
    assert scene.look(LOOKS + 2) == []
    scene.http.accept()

    assert scene.look(3) == ["Recado does not work"]


def test_a_trouble_is_told_without_numbers_and_passwords(scene: Scene) -> None:
    scene.troubles = ["redis://user:pw@host does not answer about +5511900001234"]
    scene.look(LOOKS)

    assert "redis://host does not answer about …1234" in scene.http.text


class Store:
    """A store that works, or does not."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    def check(self, *, timeout_s: float) -> None:  # noqa: ARG002
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize(
    ("states", "troubles"),
    [
        (["ready"], []),
        (["waiting", "draining"], []),
        (["waiting", "starting"], ["no worker runs"]),
        (["failed"], ["no worker runs"]),
        ([], []),
    ],
)
def test_a_supervisors_workers_are_looked_at(tmp_path: Path, states: list[str], troubles: list[str]) -> None:
    status: Mapping[str, Any] = {
        "children": [{"kind": "api", "state": "ready"}, *({"kind": "worker", "state": s} for s in states)]
    }
    watched = watch(SQLiteBackend(tmp_path / "queue.db"), Store(), lambda: status)
    assert watched.troubles() == troubles


def watch(backend: SQLiteBackend, store: Store, supervisor: Any = None) -> Watched:
    opening = Opening(lambda: None)
    opening.trouble = None
    return Watched(backend, CachedStats(backend), Checks({"conversations": store}), opening, supervisor)


def test_queue_and_conversations_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend, store = SQLiteBackend(tmp_path / "queue.db"), Store()
    watched = watch(backend, store)
    assert watched.troubles() == []

    def away(*, timeout_s: float) -> None:
        raise EngineError("away")

    monkeypatch.setattr(backend, "check", away)
    assert watched.troubles() == ["the queue cannot be used: away"]

    store.error = EngineError("full")
    assert watch(backend, store).troubles() == [
        "the queue cannot be used: away",
        "the conversations cannot be used: full",
    ]
    backend.close()


def test_without_a_supervisor_the_queues_tell_whether_a_worker_runs(tmp_path: Path) -> None:
    from brokers.records import QueueMessage

    now = [1_796_040_000_000]
    backend = SQLiteBackend(tmp_path / "queue.db", clock=lambda: now[0])
    backend.enqueue(QueueMessage("m", "messages", "process_ai_response", b"{}"))
    watched = watch(backend, Store())
    assert watched.troubles() == []

    now[0] += 60_000
    assert watch(backend, Store()).troubles() == ["no worker runs"]
    backend.close()
