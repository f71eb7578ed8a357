"""A developer plays a customer: writes, bursts, repeats, sends a picture, and kills the worker at it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from actors.conversations import Summary, ThreadEntry
from tests.fakes.twilio import FakeTwilio
from tests.supervisor.stage import SETTINGS, Stage
from tests.support.ports import free_port
from tests.support.system import PATIENCE_S
from tests.support.waiting import eventually

from .chromium import DESKTOP, PHONE
from .scene import conversation_with
from .visitor import Visitor, visitor

devices = pytest.mark.parametrize(
    "device", [pytest.param(PHONE, id="phone"), pytest.param(DESKTOP, id="desk")]
)

#: Texts are not the same twice: it would look like a customer who repeats himself.
_NUMBERS = itertools.count(1)

STEPS = 6


@pytest.fixture(scope="module")
def playing(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory, engine: Mapping[str, str]
) -> Iterator[Stage]:
    """What `make run` runs."""
    settings = {
        **SETTINGS,
        "AI_PROVIDER": "echo",
        "API_PORT": str(free_port()),
        "DASHBOARD_TRY_IT": "true",
        "ECHO_DELAY_S": "2",
        "HEARTBEAT_INTERVAL_S": "0.1",
        "REPLY_GATHER_MS": "1000",
    }
    directory: Path = tmp_path_factory.mktemp("development")
    with FakeTwilio() as twilio, Stage(directory, twilio, **engine, **settings) as stage:
        stage.up()
        yield stage


def contact(phone: int) -> str:
    return f"whatsapp:+551190000{phone:04}"


def open_phone(somebody: Visitor, phone: int) -> None:
    somebody.open(f"try-it?phone={phone}")
    somebody.page.wait_for_selector('.live[data-live="on"]', state="attached")


def write(somebody: Visitor, button: str = "Send") -> str:
    """Write something, and return it."""
    text = f"Vocês abrem no domingo? ({next(_NUMBERS)})"
    somebody.page.get_by_label("Message", exact=True).fill(text)
    somebody.press(button)
    return text


def answered(somebody: Visitor, text: str) -> None:
    """Wait until the message has gone all its way, and the phone shows the reply."""
    expect(somebody.page.locator(".walk-of")).to_have_text(text, timeout=PATIENCE_S * 1000)
    expect(somebody.page.locator(".walk .is-done")).to_have_count(STEPS, timeout=PATIENCE_S * 1000)
    expect(replies(somebody).filter(has_text=text)).to_have_count(1)


def replies(somebody: Visitor) -> Locator:
    return somebody.page.locator(".chat .theirs")


def summary(stage: Stage, phone: int) -> Summary:
    return conversation_with(stage, contact(phone))


def thread(stage: Stage, phone: int) -> list[ThreadEntry]:
    return list(stage.conversations.reader.thread(summary(stage, phone).conversation))


def sent(stage: Stage, text: str) -> int:
    """How many replies have that text."""
    return sum(text in reply["body"] for reply in stage.replies())


def test_a_message_is_written_and_its_walk_is_seen(playing: Stage, browser: Browser) -> None:
    with visitor(browser, playing.url, **DESKTOP) as somebody:
        open_phone(somebody, 1)
        text = write(somebody)
        expect(somebody.page.locator(".walk .is-now")).to_contain_text(
            re.compile("Answered by the model"), timeout=PATIENCE_S * 1000
        )
        somebody.sees("works on it")
        answered(somebody, text)
        expect(somebody.page.locator(".walk li").first).to_contain_text(re.compile(r"200 in \d+ ms"))
        expect(somebody.page.locator(".walk li").nth(2)).to_contain_text(re.compile(r"\+[1-9]\d*\.\d\d s"))
        expect(somebody.page.locator(".people a[aria-current]")).to_contain_text(text)
        assert summary(playing, 1).delivery_status == "delivered"
    assert sent(playing, text) == 1


def test_it_works_without_scripts(playing: Stage, browser: Browser) -> None:
    with visitor(browser, playing.url, java_script_enabled=False, **PHONE) as somebody:
        somebody.open("try-it?phone=1")
        text = write(somebody)
        expect(somebody.page.locator(".walk-of")).to_have_text(text)

        def is_delivered() -> bool:
            somebody.open("try-it?phone=1")
            return somebody.page.locator(".walk .is-done").count() == STEPS

        eventually(is_delivered, within_s=PATIENCE_S, every_s=0.2)
        answered(somebody, text)


def test_a_burst_gets_one_reply_and_a_repeat_none(playing: Stage, browser: Browser) -> None:
    with visitor(browser, playing.url, **DESKTOP) as somebody:
        open_phone(somebody, 2)
        before = replies(somebody).count()
        somebody.press("Three at once")
        answered(somebody, "How much is the delivery?")
        somebody.sees("one reply to 3 messages")
        expect(replies(somebody)).to_have_count(before + 1)
        expect(replies(somebody).last).to_contain_text("Are you there?")
        said = len(thread(playing, 2))

        somebody.press("Repeat")
        somebody.sees("known already: it is one message, answered once")
        expect(somebody.page.locator(".chat .own").last).to_contain_text("2 webhooks, known already")
        playing.settle()
        expect(replies(somebody)).to_have_count(before + 1)
        assert len(thread(playing, 2)) == said


def test_a_picture_is_sent_and_seen(playing: Stage, browser: Browser) -> None:
    # Looked up anew each time: what is live may be replaced at any moment.
    is_seen = "(place) => [...document.querySelectorAll(place)].at(-1)?.naturalWidth === 480"
    with visitor(browser, playing.url, **DESKTOP) as somebody:
        open_phone(somebody, 2)
        somebody.press("Picture")
        answered(somebody, "Do you have this mug?")
        picture = somebody.page.locator(".chat .own img").last
        expect(picture).to_have_attribute("src", re.compile("^/dashboard/media/"))
        somebody.page.wait_for_function(is_seen, arg=".chat .own img")

        somebody.open(f"conversations/{summary(playing, 2).message_id}")
        somebody.page.wait_for_function(is_seen, arg=".attached img")


def test_a_worker_is_killed_and_its_message_is_answered(playing: Stage, browser: Browser) -> None:
    up = playing._up
    before = up.pids()
    with visitor(browser, playing.url, **DESKTOP) as somebody:
        open_phone(somebody, 3)
        text = write(somebody, "Send, and kill its worker")
        somebody.sees(re.compile("worker-[12] was killed under it"))
        somebody.sees("the queue handed it out again")
        answered(somebody, text)
        somebody.sees(re.compile("started again"))
        somebody.open("audit")
        somebody.sees("kill worker")
    playing.settle()
    assert sent(playing, text) == 1
    eventually(up.is_ready, within_s=PATIENCE_S)
    changed = {name for name, pid in up.pids().items() if before[name] != pid}
    assert changed in ({"worker-1"}, {"worker-2"})


def test_a_worker_is_killed_by_its_own_button(playing: Stage, browser: Browser) -> None:
    up = playing._up
    eventually(up.is_ready, within_s=PATIENCE_S)
    before = up.pids()
    with visitor(browser, playing.url, **DESKTOP) as somebody:
        open_phone(somebody, 3)
        text = write(somebody)
        worker = somebody.page.locator(".workers li", has_text="works on it")
        name = worker.locator(".name").inner_text(timeout=PATIENCE_S * 1000)
        somebody.press(f"Kill {name}")
        eventually(lambda: up.pids()[name] not in {None, before[name]}, within_s=PATIENCE_S)
        answered(somebody, text)
    playing.settle()
    assert sent(playing, text) == 1


@devices
@pytest.mark.parametrize("locale", ["en", "pt-BR"])
def test_the_page_is_sound(playing: Stage, browser: Browser, device: dict[str, Any], locale: str) -> None:
    playing.write("Oi", sender=contact(3), to="whatsapp:+15005550006")
    with visitor(browser, playing.url, locale=locale, **device) as somebody:
        open_phone(somebody, 3)
        somebody.page.locator(".ways button").first.click()
        expect(somebody.page.locator(".walk .is-done")).to_have_count(STEPS, timeout=PATIENCE_S * 1000)
        somebody.page.locator(".chat .own img").last.wait_for()
        for theme in ("light", "dark"):
            somebody.page.emulate_media(color_scheme=theme)
            somebody.examine()
        somebody.page.locator(".ways .danger").click()
        somebody.page.get_by_role("alert").wait_for()
        somebody.examine()
