"""What people are told, when, and how often: on every store, to a receiver over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import time
from zoneinfo import ZoneInfo

import pytest

from actors.conversations import ConversationStore
from actors.conversations.notices import NotedEvent, NoticeStore
from actors.notices.notifier import HOUR_MS, TOLD_WITHIN_MS, Notifier, Rules
from actors.notices.quiet_hours import QuietHours
from actors.notices.receiver import receivers_of
from ops.foundation.settings import Settings
from tests.fakes.receiver import FakeReceiver
from tests.support.conversations import OpenStore

#: 12:00 in UTC on a day of 2026, in milliseconds since the epoch.
NOON = 1_796_040_000_000
GROUP_MS = 60_000
LONGEST_RUN_MS = 150_000

QUIET = QuietHours(time(22), time(7), ZoneInfo("UTC"))


@pytest.fixture(scope="module")
def server() -> Iterator[FakeReceiver]:
    with FakeReceiver() as server:
        yield server


class Office:
    """A notifier, the only receiver it has, and a clock that goes as the test says.

    Attributes:
      now: the time, in milliseconds since the epoch.
    """

    def __init__(self, store: NoticeStore, http: FakeReceiver, **rules: object) -> None:
        self.now = NOON
        self.store = store
        self.http = http
        receivers = receivers_of(Settings(_env_file=None, notify_urls=http.url))
        [self.receiver] = receivers
        told = {"max_per_hour": 20, "quiet_hours": None, **rules}
        self._notifier = Notifier(
            store,
            receivers,
            Rules(
                group_ms=GROUP_MS,
                first_pause_ms=1_000,
                longest_pause_ms=60_000,
                longest_run_ms=LONGEST_RUN_MS,
                **told,  # type: ignore[arg-type]
            ),
            clock=lambda: self.now,
        )

    def happens(self, what: str, *, event: str = "person_asked_for", waits: bool = False) -> None:
        """An event is noted."""
        noted = NotedEvent(what, self.now, {"event": event, "contact": what})
        self.store.note([self.receiver], noted, waits=waits)

    def tell(self, *, after_ms: int = 0, taker: str = "a") -> int | None:
        self.now += after_ms
        return self._notifier.tell(self.receiver, taker=taker)

    def take(self, taker: str) -> None:
        """A message takes what may be told, and dies before it tells it."""
        self.store.take(
            self.receiver,
            taker,
            now=self.now,
            ripe_at=self.now,
            is_quiet=False,
            until=self.now + LONGEST_RUN_MS,
            expired_at=0,
        )

    def told(self) -> list[list[str]]:
        """Which contacts each notice named."""
        return [
            [line.removeprefix("- ") for line in notice.text.splitlines() if line.startswith("- ")]
            for notice in self.http.taken
        ]


@pytest.fixture
def office(store: ConversationStore, server: FakeReceiver) -> Office:
    return new_office(store, server)


def new_office(store: ConversationStore, server: FakeReceiver, **rules: object) -> Office:
    server.taken.clear()
    server.accept()
    return Office(store.notices, server, **rules)


def test_what_happens_within_a_minute_is_told_in_one(office: Office) -> None:
    office.happens("first")
    office.now += 30_000
    office.happens("second")

    assert office.tell() == NOON + GROUP_MS, "the first may still be joined by others"
    assert office.told() == []
    assert office.tell(after_ms=30_000) is None
    assert office.told() == [["first", "second"]]
    assert office.tell(after_ms=30_000) is None
    assert office.told() == [["first", "second"]]


def test_an_event_that_is_noted_again_is_told_once(office: Office) -> None:
    office.happens("same")
    office.happens("same")
    office.tell(after_ms=GROUP_MS)
    office.happens("same")  # a crash let the message run again that noted it
    assert office.tell(after_ms=GROUP_MS) is None

    assert office.told() == [["same"]]


def test_what_a_receiver_refused_is_told_once_with_what_came_since(office: Office) -> None:
    office.http.refuse()
    office.happens("first")
    pauses = []
    again_at = office.tell(after_ms=GROUP_MS)
    while office.now < NOON + HOUR_MS:
        assert again_at is not None
        pauses.append(again_at - office.now)
        assert office.tell(after_ms=1) in {again_at, None}, "it is not tried before its time"
        office.now = again_at
        office.happens(f"at {office.now}")
        again_at = office.tell()
    assert pauses[:7] == [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000]
    assert max(pauses) == 60_000
    assert office.told() == []

    office.http.accept()
    assert again_at is not None
    office.now = again_at
    office.tell()

    [told] = office.told()
    assert told[0] == "first"
    assert office.http.titles == [f"A customer asks for a person ({len(pauses) + 1} times)"]
    office.happens("later")
    office.tell(after_ms=GROUP_MS)
    assert office.told()[1:] == [["later"]]


def test_no_more_notices_than_allowed_go_out_in_an_hour_and_the_rest_in_one(
    store: ConversationStore, server: FakeReceiver
) -> None:
    office = new_office(store, server, max_per_hour=2)
    for number in range(5):
        office.happens(f"{number}")
        again_at = office.tell(after_ms=GROUP_MS)

    assert office.told() == [["0"], ["1"]]
    assert again_at == NOON + GROUP_MS + HOUR_MS, "an hour after the first of them"
    office.now = again_at
    assert office.tell() is None
    assert office.told() == [["0"], ["1"], ["2", "3", "4"]]


def test_what_can_wait_is_told_when_quiet_hours_are_over(
    store: ConversationStore, server: FakeReceiver
) -> None:
    office = new_office(store, server, quiet_hours=QUIET)
    office.now = NOON + 11 * HOUR_MS  # 23:00
    office.happens("can wait", waits=True)
    office.happens("cannot")
    morning = office.tell(after_ms=GROUP_MS)

    assert office.told() == [["cannot"]]
    assert morning == NOON + 19 * HOUR_MS
    office.now = morning - 1
    assert office.tell() == morning
    assert office.tell(after_ms=1) is None
    assert office.told() == [["cannot"], ["can wait"]]


def test_a_second_message_leaves_to_the_first_what_that_one_tells(office: Office) -> None:
    office.happens("taken")
    office.now += GROUP_MS
    office.take("dies")

    assert office.tell(taker="another") is None
    assert office.told() == []
    office.tell(taker="dies")  # the queue gave the dead worker's message to another
    assert office.told() == [["taken"]]


def test_what_a_message_took_that_never_comes_back_is_told_by_another(office: Office) -> None:
    office.happens("taken")
    office.now += GROUP_MS
    office.take("discarded")

    assert office.tell(after_ms=LONGEST_RUN_MS - 1, taker="another") is None
    assert office.told() == []
    office.tell(after_ms=1, taker="another")
    assert office.told() == [["taken"]]


def test_what_no_receiver_took_in_two_days_is_told_no_more(office: Office) -> None:
    office.happens("old")
    office.now += HOUR_MS
    office.happens("newer")
    office.tell(after_ms=TOLD_WITHIN_MS - HOUR_MS + 1)

    assert office.told() == [["newer"]]


def test_each_receiver_is_told_for_itself(office: Office) -> None:
    office.store.note(
        [office.receiver, "another"], NotedEvent("e", office.now, {"event": "no_answer"}), waits=False
    )
    office.tell(after_ms=GROUP_MS)

    times = {"now": office.now, "ripe_at": office.now, "until": office.now, "expired_at": 0}
    left = office.store.take("another", "a", is_quiet=False, **times)
    assert [event.event_id for event in left.events] == ["e"]
    assert office.store.standing("another", since=0).told_at == []
    assert office.store.standing(office.receiver, since=0).told_at == [office.now]


def test_a_refusal_is_forgotten_when_a_notice_is_taken(office: Office) -> None:
    office.http.refuse(1)
    office.happens("e")
    again_at = office.tell(after_ms=GROUP_MS)
    assert office.store.standing(office.receiver, since=0) == (again_at, 1, [])
    office.tell(after_ms=1_000)

    assert office.store.standing(office.receiver, since=0) == (0, 0, [office.now])


def test_events_survive_their_process(open_store: OpenStore, server: FakeReceiver) -> None:
    first = open_store()
    new_office(first, server).happens("kept")
    first.close()

    second = open_store()
    office = new_office(second, server)
    office.tell(after_ms=GROUP_MS)
    second.close()

    assert office.told() == [["kept"]]


def test_a_receiver_that_is_not_named_any_more_is_told_nothing(office: Office) -> None:
    office.store.note(["gone"], NotedEvent("e", office.now, {"event": "no_answer"}), waits=False)

    assert office._notifier.tell("gone", taker="a") is None
    assert office.told() == []


@pytest.mark.parametrize("is_refused", [False, True], ids=["taken", "refused"])
def test_a_clock_that_is_set_back_keeps_no_notice(office: Office, *, is_refused: bool) -> None:
    office.happens("ana")
    if is_refused:
        office.http.refuse(1)
    office.tell(after_ms=GROUP_MS)
    office.happens("bia")

    assert office.tell(after_ms=-24 * HOUR_MS) is None

    assert sorted(contact for notice in office.told() for contact in notice) == ["ana", "bia"]


def test_notices_told_by_a_later_clock_do_not_count_for_the_hour(
    store: ConversationStore, server: FakeReceiver
) -> None:
    office = new_office(store, server, max_per_hour=1)
    office.happens("ana")
    office.tell(after_ms=GROUP_MS)
    office.now -= 24 * HOUR_MS
    office.happens("bia")

    office.tell(after_ms=GROUP_MS)

    assert office.told() == [["ana"], ["bia"]]


def test_what_was_taken_by_a_later_clock_is_taken_again(office: Office) -> None:
    office.happens("ana")
    office.now += GROUP_MS
    office.take("discarded")
    office.now -= 24 * HOUR_MS

    office.tell(taker="b")

    assert office.told() == [["ana"]]
