"""The inbox: found, read, noted and gone through with the keyboard."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.supervisor.stage import Stage
from tests.support.waiting import eventually

from .chromium import DESKTOP, PHONE
from .scene import MARIA, conversation_with
from .visitor import visitor

devices = pytest.mark.parametrize("device", [DESKTOP, PHONE], ids=["desktop", "phone"])


def path_of(stage: Stage, contact: str) -> str:
    return f"conversations/{conversation_with(stage, contact).message_id}"


@devices
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_a_conversation_opens_at_its_newest_line(
    stage: Stage, browser: Browser, device: dict[str, Any], scripts: bool
) -> None:
    with visitor(browser, stage.url, java_script_enabled=scripts, **device) as somebody:
        somebody.open(path_of(stage, MARIA))
        expect(somebody.page.locator(".bubble").last).to_be_in_viewport()
        expect(somebody.page.locator(".bubble").first).not_to_be_in_viewport()
        side = somebody.page.locator(".inbox-side")
        expect(side).to_be_hidden() if device is PHONE else expect(side).to_be_visible()
        if scripts:
            somebody.examine()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
@pytest.mark.parametrize("wanted", ["+55 (11) 90000-1234", "90000-1234"])
def test_a_number_is_found_and_stands_in_no_address(
    stage: Stage, browser: Browser, scripts: bool, wanted: str
) -> None:
    with visitor(browser, stage.url, java_script_enabled=scripts) as somebody:
        somebody.open("conversations")
        somebody.page.get_by_label("Name, number or words").fill(wanted)
        somebody.press("Find")
        found = somebody.page.get_by_role("region", name="Contacts").get_by_role("link")
        expect(found).to_have_count(1)
        assert not re.search("0000", somebody.page.url)
        if scripts:
            somebody.examine()
        found.click()
        somebody.sees("Perfeito, obrigada!")
        assert "1234" not in somebody.page.url.rpartition("/")[2]


def test_what_was_said_is_found_whatever_the_accents_and_opens_where_it_was_said(
    stage: Stage, browser: Browser
) -> None:
    with visitor(browser, stage.url) as somebody:
        somebody.open("conversations")
        somebody.page.get_by_label("Name, number or words").fill("OTIMO quanto")
        somebody.press("Find")
        found = somebody.page.get_by_role("region", name="What was said").get_by_role("link")
        found.first.click()
        expect(somebody.page.get_by_text("Ótimo! E quanto custa a entrega?")).to_be_in_viewport()
        somebody.examine()


def test_times_are_those_of_the_browser_and_else_utc(stage: Stage, browser: Browser) -> None:
    with visitor(browser, stage.url, timezone_id="Asia/Tokyo") as somebody:
        somebody.open(path_of(stage, MARIA))
        somebody.sees("Times are those of Asia/Tokyo.")
        shown = somebody.page.locator(".bubble .meta time").last
        hours = int((shown.get_attribute("datetime") or "")[11:13])
        expect(shown).to_have_text(re.compile(f"^{(hours + 9) % 24:02}:"))
    with visitor(browser, stage.url, java_script_enabled=False) as somebody:
        somebody.open(path_of(stage, MARIA))
        somebody.sees("Times are UTC.")


def test_the_keyboard_goes_through_the_list_and_not_through_what_is_written(
    stage: Stage, browser: Browser
) -> None:
    with visitor(browser, stage.url) as somebody:
        somebody.open("conversations")
        keyboard, links = somebody.page.keyboard, somebody.page.locator("#inbox .people a")
        keyboard.press("j")
        expect(links.first).to_be_focused()
        keyboard.press("j")
        expect(links.nth(1)).to_be_focused()
        keyboard.press("k")
        keyboard.press("Enter")
        somebody.page.wait_for_selector(".inbox.is-open")
        keyboard.press("r")
        expect(somebody.page.locator("#text")).to_be_focused()
        keyboard.type("jkth/?")
        expect(somebody.page.locator("#text")).to_have_value("jkth/?")
        keyboard.press("Escape")
        keyboard.press("/")
        expect(somebody.page.locator("#seek")).to_be_focused()
        keyboard.press("Escape")
        keyboard.press("?")
        somebody.page.wait_for_url("**/dashboard/keys")


def test_what_was_opened_is_read_and_a_note_is_kept_until_it_is_deleted(
    stage: Stage, browser: Browser
) -> None:
    contact = "whatsapp:+5511900008811"
    stage.write("Oi", sender=contact)
    eventually(lambda: len(stage.twilio.bodies_to(contact)) == 1)
    assert conversation_with(stage, contact).is_unread
    with visitor(browser, stage.url) as somebody:
        somebody.open(path_of(stage, contact))
        assert not conversation_with(stage, contact).is_unread
        somebody.page.locator("#about > summary").click()
        somebody.examine()
        somebody.page.get_by_label("A note for other operators").fill("Prefere falar à tarde.")
        somebody.press("Add")
        somebody.page.locator("#about > summary").click()
        somebody.sees("Prefere falar à tarde.")
        somebody.page.get_by_text("Delete…").click()
        somebody.examine()
        somebody.press("Delete this note")
        somebody.page.locator("#about > summary").click()
        expect(somebody.page.get_by_text("Prefere falar à tarde.")).to_have_count(0)


def test_the_list_is_kept_up_to_date(stage: Stage, browser: Browser) -> None:
    contact = "whatsapp:+5511900008822"
    with visitor(browser, stage.url) as somebody:
        somebody.open("conversations")
        somebody.page.wait_for_selector('.live[data-live="on"]')
        stage.write("Quero falar sobre girafas", sender=contact)
        somebody.sees("Claro! Pode me contar um pouco mais?")
        somebody.open("keys")
        expect(somebody.page.locator(".live")).to_have_count(0)
