"""An operator looks at what was used, and at what the model was asked."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from actors.conversations.reader import ThreadEntry
from tests.supervisor.stage import Stage

from .chromium import DESKTOP, PHONE
from .scene import MARIA, conversation_with
from .visitor import visitor


def with_a_tool(stage: Stage) -> ThreadEntry:
    """The answer for which a tool was called."""
    thread = stage.conversations.reader.thread(conversation_with(stage, MARIA).conversation)
    return next(entry for entry in thread if entry.author == "us" and "entrega" in entry.text)


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
@pytest.mark.parametrize("device", [pytest.param(PHONE, id="phone"), pytest.param(DESKTOP, id="desk")])
def test_usage_is_shown_by_what_one_asks_for(
    stage: Stage, browser: Browser, device: dict[str, Any], scripts: bool
) -> None:
    with visitor(browser, stage.url, java_script_enabled=scripts, **device) as somebody:
        somebody.open("")
        somebody.press("Usage")
        somebody.sees(re.compile("% of the budget of today is used"))
        for name, text in (
            ("By model", "attendant"),
            ("By number", "+15005550006"),
            ("By contact", "WhatsApp"),
        ):
            somebody.press(name)
            expect(somebody.page.locator("tbody")).to_contain_text(text)
            assert "5511" not in somebody.page.url
        somebody.press("30 days")
        expect(somebody.page.get_by_role("link", name="By contact")).to_have_attribute("aria-current", "page")
        assert MARIA.rpartition(":")[2] not in somebody.page.content()
        if scripts:
            somebody.examine()
        somebody.page.locator("tbody a").first.click()
        somebody.sees("Answer by hand")


def disclosure_of(page: Any, reply_id: str) -> Locator:
    found: Locator = page.locator(f".asked:has(a[href*='{reply_id}']), .asked[hx-get*='{reply_id}']")
    return found.first


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_what_the_model_was_asked_is_behind_a_disclosure(
    stage: Stage, browser: Browser, scripts: bool
) -> None:
    answer = with_a_tool(stage)
    assert answer.reply_id is not None
    with visitor(browser, stage.url, java_script_enabled=scripts, **PHONE) as somebody:
        somebody.open(f"conversations/{conversation_with(stage, MARIA).message_id}")
        asked = disclosure_of(somebody.page, answer.reply_id)
        expect(asked.get_by_text("You answer the customers of a shop")).not_to_be_visible()
        asked.locator("summary").click()
        if not scripts:
            asked.get_by_role("link").click()
        somebody.sees("delivery_price")
        somebody.sees("R$ 8,00")
        somebody.sees(re.compile("You answer the customers of a shop"))
        somebody.sees(re.compile(r"0\.\d+ USD"))
        if scripts:
            stage.write("E amanhã?", sender=MARIA)
            somebody.sees("E amanhã?")
            expect(asked.get_by_text("delivery_price").first).to_be_visible()  # what comes in closes nothing
        if scripts:
            somebody.examine()
