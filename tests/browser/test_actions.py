"""What operators do, with a browser and without its scripts; and what they see of it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from brokers.clock import now_ms
from brokers.records import DeadLetterFilter, StoredMessage
from tests.supervisor.stage import Stage
from tests.support.waiting import eventually

from .chromium import PHONE
from .scene import MARIA, conversation_with, put
from .visitor import Visitor, visitor

#: A queue that no worker looks at: what is put there stays.
QUEUE = "attic"

#: More than one request replays.
MANY = 450


@pytest.fixture
def attic(stage: Stage) -> Iterator[Stage]:
    """A stage whose attic is swept afterwards."""
    yield stage
    stage.queue.flush(QUEUE)
    stage.queue.resume(QUEUE)


def bury(stage: Stage, count: int, *, error: str = "ValueError: no") -> list[str]:
    """Dead letters in the attic; their ids."""
    ids = [f"{error[:3]}-{number:04}-{time.time_ns()}" for number in range(count)]
    stage.queue.adopt(
        [
            StoredMessage(
                message_id, QUEUE, "work", "dead", _payload(message_id), 0, 1, 0, now_ms(), now_ms(), error,
                reason="failed", died_at=now_ms(),
            )
            for message_id in ids
        ]
    )  # fmt: skip
    return ids


def _payload(message_id: str) -> bytes:
    return (
        f'{{"queue_name":"{QUEUE}","actor_name":"work","args":[],"kwargs":{{}},"options":{{}},'
        f'"message_id":"{message_id}","message_timestamp":{now_ms()}}}'
    ).encode()


def left(stage: Stage) -> int:
    return stage.queue.count_dead_letters(DeadLetterFilter(queue=QUEUE))


def ready(stage: Stage) -> int:
    return sum(stats.ready for stats in stage.queue.stats() if stats.queue == QUEUE)


def test_a_queue_is_paused_and_resumed(attic: Stage, browser: Browser) -> None:
    put(attic, QUEUE, "work")
    with visitor(browser, attic.url) as somebody:
        somebody.open(f"queues/{QUEUE}")
        somebody.press("Pause this queue")
        somebody.sees("Nothing of this queue is handed to workers.")
        assert [stats.paused for stats in attic.queue.stats() if stats.queue == QUEUE] == [True]

        somebody.open("")
        somebody.sees(re.compile(f"{QUEUE} is paused"))
        somebody.open(f"queues/{QUEUE}")
        somebody.press("Resume this queue")
        somebody.page.get_by_role("button", name="Pause this queue").wait_for()
        assert [stats.paused for stats in attic.queue.stats() if stats.queue == QUEUE] == [False]
        _is_in_the_audit_log(somebody, "pause queue", "resume queue")


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_one_dead_letter_is_replayed(attic: Stage, browser: Browser, scripts: bool) -> None:
    one, other = bury(attic, 2)
    with visitor(browser, attic.url, java_script_enabled=scripts, **PHONE) as somebody:
        somebody.open(f"messages/{one}")
        somebody.press("Replay…")
        somebody.sees("Replay 1 dead letter?")
        somebody.press("Replay 1")
        somebody.sees("1 dead letter replayed.")

    assert attic.queue.get(one) is not None
    assert [attic.queue.get(each).state for each in (one, other)] == ["ready", "dead"]  # type: ignore[union-attr]


def test_those_that_are_picked_are_discarded(attic: Stage, browser: Browser) -> None:
    ids = bury(attic, 4)
    with visitor(browser, attic.url) as somebody:
        somebody.open(f"dead-letters?queue={QUEUE}")
        somebody.page.get_by_role("checkbox", name=f"Pick {ids[1]}").check()
        somebody.page.get_by_role("checkbox", name=f"Pick {ids[2]}").check()
        expect(somebody.page.locator("#picked")).to_have_text("2")
        somebody.press("Discard…")
        somebody.sees("Discard 2 dead letters?")
        assert left(attic) == 4, "nothing is done before it is confirmed"
        somebody.press("Discard 2")
        somebody.sees("2 dead letters discarded.")

    assert [attic.queue.get(each) is None for each in ids] == [False, True, True, False]


def test_all_that_match_are_replayed_and_no_others(attic: Stage, browser: Browser) -> None:
    bury(attic, MANY, error="KeyError: 'cpf'")
    others = bury(attic, 3, error="ValueError: no")
    with visitor(browser, attic.url) as somebody:
        somebody.open(f"dead-letters?queue={QUEUE}&text=KeyError")
        somebody.press("Replay all…")
        somebody.sees(f"Replay {MANY} dead letters?")
        late = bury(attic, 1, error="KeyError: late")
        somebody.press(f"Replay {MANY}")
        somebody.sees(f"{MANY} dead letters replayed.")

        assert ready(attic) == MANY
        assert left(attic) == len(others) + len(late), "what died after it was confirmed is not meant"
        _is_in_the_audit_log(somebody, f"{MANY} of {MANY}")


def test_all_are_discarded_without_scripts(attic: Stage, browser: Browser) -> None:
    bury(attic, MANY)
    with visitor(browser, attic.url, java_script_enabled=False) as somebody:
        somebody.open(f"dead-letters?queue={QUEUE}")
        somebody.press("Discard all…")
        somebody.press(f"Discard {MANY}")
        while (go_on := somebody.page.get_by_role("button", name="Go on")).count():
            go_on.click()
        somebody.sees(f"{MANY} dead letters discarded.")

    assert left(attic) == 0


def test_what_was_begun_can_be_stopped(attic: Stage, browser: Browser) -> None:
    bury(attic, MANY * 4)
    with visitor(browser, attic.url, java_script_enabled=False) as somebody:
        somebody.open(f"dead-letters?queue={QUEUE}")
        somebody.press("Replay all…")
        somebody.press(f"Replay {MANY * 4:,}")
        somebody.press("Stop")
        somebody.sees(re.compile("Stopped: "))
        replayed = ready(attic)
        assert 0 < replayed < MANY * 4
        assert left(attic) == MANY * 4 - replayed
        _is_in_the_audit_log(somebody, "stopped")


def test_a_message_is_found_by_its_text_and_by_its_id(attic: Stage, browser: Browser) -> None:
    ids = [put(attic, QUEUE, "work", f"parcel {number}") for number in range(60)]
    with visitor(browser, attic.url) as somebody:
        # The page may show counts of five seconds ago: those of the test before.
        eventually(lambda: _shows_total(somebody, 60))
        somebody.sees("1 to 50 of 60.")
        somebody.press("Next")
        somebody.sees("51 to 60 of 60.")
        somebody.page.get_by_label("Text").fill("parcel 41")
        somebody.press("Find")
        somebody.sees("Looked through all 60.")
        assert _listed(somebody) == [ids[41]]

        somebody.page.get_by_label("Text").fill("parcel")
        somebody.press("Find")
        somebody.sees("Find more")
        assert len(_listed(somebody)) == 50
        somebody.press("Find more")
        somebody.sees("Looked through all 60.")
        assert _listed(somebody) == ids

        somebody.page.get_by_label("Id", exact=True).fill(ids[7])
        somebody.press("Find")
        somebody.page.wait_for_url(f"**/messages/{ids[7]}")


def _shows_total(somebody: Visitor, messages: int) -> bool:
    somebody.open(f"queues/{QUEUE}")
    return somebody.page.get_by_text(f"of {messages}.").count() > 0


def test_a_number_is_revealed_once_and_that_is_written_down(stage: Stage, browser: Browser) -> None:
    talk = conversation_with(stage, MARIA)
    letter = next(each for each in stage.dead_letters() if each.actor == "send_receipt")
    with visitor(browser, stage.url) as somebody:
        somebody.open(f"conversations/{talk.message_id}")
        somebody.page.locator("#about > summary").click()
        somebody.press("Reveal the number")
        somebody.sees(MARIA.removeprefix("whatsapp:"))
        somebody.examine()
        somebody.open(f"messages/{letter.message_id}")
        somebody.press("Reveal numbers")
        somebody.sees(re.compile(r"\+551190000\d{4}"))

        somebody.open(f"messages/{letter.message_id}")
        assert "+551190000" not in somebody.page.content()
        _is_in_the_audit_log(somebody, "reveal conversation", "reveal message")


def test_a_page_follows_what_happens_while_somebody_looks(attic: Stage, browser: Browser) -> None:
    with visitor(browser, attic.url) as somebody:
        somebody.open("")
        letters = somebody.page.locator(".figures > div", has_text="Dead letters")
        before = len(attic.dead_letters())
        expect(letters).to_contain_text(str(before))
        bury(attic, 2)
        expect(letters).to_contain_text(str(before + 2), timeout=60_000)


def test_a_hidden_page_is_told_nothing_until_somebody_looks_again(attic: Stage, browser: Browser) -> None:
    with visitor(browser, attic.url) as somebody:
        somebody.open("")
        live = somebody.page.locator(".live")
        expect(live).to_have_attribute("data-live", "on", timeout=60_000)

        _hide(somebody, hidden=True)
        expect(live).to_have_attribute("data-live", "off")
        eventually(lambda: _streams(attic) == 0)
        _hide(somebody, hidden=False)

        expect(live).to_have_attribute("data-live", "on", timeout=60_000)


def _listed(somebody: Visitor) -> list[str]:
    return [str(link.get_attribute("title")) for link in somebody.page.locator("a.id").all()]


def _is_in_the_audit_log(somebody: Visitor, *texts: str) -> None:
    somebody.open("audit")
    for text in texts:
        expect(somebody.page.get_by_role("table")).to_contain_text(text)


def _hide(somebody: Visitor, *, hidden: bool) -> None:
    """As the browser does with a tab that goes to the background."""
    somebody.page.evaluate(
        """(hidden) => {
            Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


def _streams(stage: Stage) -> int:
    """Requests that the API has in hand, as its supervisor hears of them."""
    children: Any = stage._up.children("api")
    return int(sum(child["running"] for child in children.values()))
