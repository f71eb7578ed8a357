"""Every page, on a phone and a desk, in light and dark: sound, and fit for everybody."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.supervisor.stage import Stage

from .chromium import DESKTOP, PHONE
from .scene import JOAO, MARIA, conversation_with
from .visitor import visitor

devices = pytest.mark.parametrize(
    "device", [pytest.param(PHONE, id="phone"), pytest.param(DESKTOP, id="desk")]
)


#: Pages that do not change while they are open, and do not say that they do.
STILL = ("audit", "keys", "messages/", "replies/", "usage")


def pages_of(stage: Stage) -> list[str]:
    """Every page that has something on it."""
    letter = next(each for each in stage.dead_letters() if each.actor == "send_receipt")
    refused = next(each for each in stage.dead_letters() if each.actor == "process_ai_response")
    [report, *_] = stage.queue.list("reports", "delayed")
    reader = stage.conversations.reader
    answer = reader.thread(conversation_with(stage, MARIA).conversation)[-1]
    return [
        "",
        "queues/messages",
        "queues/receipts?state=dead",
        "queues/reports?state=delayed",
        "queues/reports?state=delayed&actor=daily_report",
        "queues/messages?text=nothing+like+that",
        f"messages/{letter.message_id}",
        f"messages/{refused.message_id}",
        f"messages/{report.message_id}",
        f"messages/{conversation_with(stage, MARIA).message_id}",
        "dead-letters",
        "dead-letters?queue=receipts&reason=failed&since=1h",
        "dead-letters?text=cpf",
        "conversations",
        "conversations?which=unread",
        "conversations?which=waiting",
        "keys",
        f"conversations/{conversation_with(stage, MARIA).message_id}",
        f"conversations/{conversation_with(stage, JOAO).message_id}",
        "usage",
        "usage?by=number&days=30",
        "usage?by=model&days=90",
        "usage?by=contact",
        f"replies/{answer.reply_id}/model-call",
        "audit",
    ]


@devices
def test_every_page_is_sound(stage: Stage, browser: Browser, device: dict[str, Any]) -> None:
    with visitor(browser, stage.url, **device, color_scheme="light") as somebody:
        for path in pages_of(stage):
            somebody.open(path)
            if not path.startswith(STILL):
                somebody.page.wait_for_selector('.live[data-live="on"]', state="attached")
            for theme in ("light", "dark"):
                somebody.page.emulate_media(color_scheme=theme)
                somebody.examine()
        somebody.open("nothing", status=404)
        somebody.open("messages/nothing", status=404)
        somebody.examine()
        somebody.open("queues/nothing", status=404)
        somebody.open("")
        somebody.page.wait_for_selector("canvas")


@devices
def test_numbers_are_masked_on_every_page(stage: Stage, browser: Browser, device: dict[str, Any]) -> None:
    number = MARIA.removeprefix("whatsapp:+")
    letter = next(each for each in stage.dead_letters() if each.actor == "send_receipt")
    with visitor(browser, stage.url, **device) as somebody:
        for path in (
            "conversations",
            f"conversations/{conversation_with(stage, MARIA).message_id}",
            f"messages/{letter.message_id}",
        ):
            somebody.open(path)
            assert number not in somebody.page.content()
            assert "+551190000" not in somebody.page.content()


def test_the_theme_that_was_chosen_is_remembered(stage: Stage, browser: Browser) -> None:
    with visitor(browser, stage.url, color_scheme="light") as somebody:
        somebody.open("")
        before = _background(somebody.page)

        somebody.press("Switch between light and dark")
        assert _background(somebody.page) != before
        somebody.open("conversations")
        assert _background(somebody.page) != before

        somebody.press("Switch between light and dark")
        assert _background(somebody.page) == before


def test_the_keyboard_gets_past_the_menu(stage: Stage, browser: Browser) -> None:
    with visitor(browser, stage.url) as somebody:
        somebody.open("")
        somebody.page.keyboard.press("Tab")
        expect(somebody.page.get_by_role("link", name="Skip to the content")).to_be_focused()
        somebody.page.keyboard.press("Enter")
        expect(somebody.page.locator("main")).to_be_focused()


def _background(page: Any) -> str:
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))
