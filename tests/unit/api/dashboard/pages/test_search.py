"""Looking through messages, a little at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from api.dashboard.pages.search import BUDGET_S, MessageFilter, ScanResult, scan
from brokers.records import StoredMessage

STEP = 100


def a_message(number: int, **fields: Any) -> StoredMessage:
    payload = f'{{"n":{number},"text":"Ol\\u00e1"}}'.encode()
    message = StoredMessage(f"m{number}", "q", "work", "ready", payload, 0, 0, 0, number, number, None)
    return message._replace(**fields)


class Messages:
    """A list of messages, each step of which takes a while."""

    def __init__(self, count: int, *, step_s: float = 0.0) -> None:
        self.now = 0.0
        self._all = [a_message(number) for number in range(count)]
        self._step_s = step_s

    def page(self, limit: int, offset: int) -> Sequence[StoredMessage]:
        self.now += self._step_s
        return self._all[offset : offset + limit]

    def look(self, wanted: MessageFilter, *, start: int = 0, limit: int = 50) -> ScanResult:
        return scan(self.page, wanted.matcher(), start=start, limit=limit, step=STEP, clock=lambda: self.now)


def test_everything_is_looked_through_when_there_is_time() -> None:
    found = Messages(STEP * 3 + 5).look(MessageFilter(text=f'"n":{STEP * 2 + 1},'))

    assert [message.message_id for message in found.messages] == [f"m{STEP * 2 + 1}"]
    assert (found.scanned, found.at_end) == (STEP * 3 + 5, True)


def test_it_stops_when_a_page_is_full_and_goes_on_there() -> None:
    messages = Messages(200)
    first = messages.look(MessageFilter(actor="work"), limit=50)
    assert (len(first.messages), first.scanned, first.at_end) == (50, 50, False)

    second = messages.look(MessageFilter(actor="work"), start=first.scanned, limit=50)
    assert [message.message_id for message in second.messages] == [f"m{n}" for n in range(50, 100)]


def test_it_stops_when_the_time_is_up_and_goes_on_there() -> None:
    messages, wanted = Messages(STEP * 100, step_s=BUDGET_S * 0.4), MessageFilter(actor="nobody")
    first = messages.look(wanted)
    assert (first.messages, first.scanned, first.at_end) == ([], STEP * 2, False)

    steps, found = 1, first
    while not found.at_end:
        found = messages.look(wanted, start=found.scanned)
        steps += 1
    assert found.scanned == STEP * 100
    assert steps == 51


def test_an_empty_list_is_at_its_end() -> None:
    assert Messages(0).look(MessageFilter(text="x")) == ScanResult([], 0, True)


def test_a_text_is_found_as_json_spells_it_and_in_the_error() -> None:
    matches = MessageFilter(text="Olá").matcher()
    assert matches(a_message(1))
    assert matches(a_message(1, payload="Olá".encode()))
    assert matches(a_message(1, payload=b"", last_error="ValueError: Olá"))
    assert not matches(a_message(1, payload="olá".encode()))


def test_actor_and_time_narrow() -> None:
    wanted = MessageFilter(actor="work", since_ms=10, before_ms=20).matcher()
    assert [n for n in range(30) if wanted(a_message(n))] == list(range(10, 20))
    assert not wanted(a_message(15, actor="works"))
    assert not MessageFilter().narrows
    assert MessageFilter(reason="failed").matcher()(a_message(1, reason="failed"))
    assert not MessageFilter(reason="failed").matcher()(a_message(1, reason="expired"))
    assert MessageFilter(since_ms=0).narrows
