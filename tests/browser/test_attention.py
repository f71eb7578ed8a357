"""An operator finds what is owed to customers, and decides about it."""

from __future__ import annotations

import itertools
import re

import pytest
from playwright.sync_api import Browser, Locator

from tests.supervisor.stage import Stage
from tests.support.waiting import eventually

from .chromium import PHONE
from .scene import conversation_with
from .visitor import Visitor, visitor

_NUMBERS = itertools.count(8500)


@pytest.fixture
def customer(stage: Stage) -> str:
    """Somebody who asked, and was answered by the assistant."""
    contact = f"whatsapp:+551190000{next(_NUMBERS)}"
    stage.write("Oi", sender=contact)
    eventually(lambda: len(stage.twilio.bodies_to(contact)) == 1)
    return contact


def not_delivered(stage: Stage, customer: str, code: int) -> None:
    """Twilio tells that it could not deliver the last reply to a customer."""
    message = stage.twilio.sent_to(customer)[-1]
    stage.twilio.report(message, "undelivered", through=stage.url, error_code=code)
    eventually(lambda: conversation_with(stage, customer).state == "undelivered")


def entry_of(somebody: Visitor, stage: Stage, customer: str) -> Locator:
    """The entry about a customer, whose number is masked."""
    conversation = f"a[href*='{conversation_with(stage, customer).message_id}']"
    return somebody.page.locator(".attention li", has=somebody.page.locator(conversation))


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_an_undelivered_reply_is_sent_again(
    stage: Stage, browser: Browser, customer: str, scripts: bool
) -> None:
    not_delivered(stage, customer, 30008)
    with visitor(browser, stage.url, java_script_enabled=scripts, **PHONE) as somebody:
        somebody.open("attention")
        entry = entry_of(somebody, stage, customer)
        entry.get_by_text("not delivered").wait_for()
        if scripts:
            somebody.examine()
        entry.get_by_role("button", name="Send again").click()
        eventually(lambda: len(stage.twilio.bodies_to(customer)) == 2)
        somebody.open("attention")
        assert entry.count() == 0
        somebody.open("audit")
        somebody.sees("send again")
    first, second = stage.twilio.bodies_to(customer)
    assert first == second


def test_an_entry_is_dismissed(stage: Stage, browser: Browser, customer: str) -> None:
    not_delivered(stage, customer, 30007)
    with visitor(browser, stage.url) as somebody:
        somebody.open("")
        somebody.sees(re.compile("did not get through"))
        somebody.open("attention")
        entry = entry_of(somebody, stage, customer)
        entry.get_by_role("button", name="Dismiss").click()
        somebody.sees("Needs attention")
        assert entry.count() == 0
    assert len(stage.twilio.bodies_to(customer)) == 1


def test_a_reply_is_decided_about_where_it_stands(stage: Stage, browser: Browser, customer: str) -> None:
    not_delivered(stage, customer, 30008)
    with visitor(browser, stage.url) as somebody:
        somebody.open(f"conversations/{conversation_with(stage, customer).message_id}")
        somebody.press("Decide")
        somebody.page.get_by_role("heading", name="Reply undelivered").wait_for()
        somebody.examine()
        somebody.press("Send again")
        somebody.sees("Answer by hand")
    eventually(lambda: len(stage.twilio.bodies_to(customer)) == 2)


def test_the_shop_writes_first(stage: Stage, browser: Browser, customer: str) -> None:
    stranger = f"+551190000{next(_NUMBERS)}"
    with visitor(browser, stage.url) as somebody:
        somebody.open("conversations")
        somebody.press("Write to somebody")
        somebody.examine()
        own = conversation_with(stage, customer).address
        somebody.page.get_by_label("From").select_option(own)
        somebody.page.get_by_label("To", exact=True).fill("11 90000-0000")
        somebody.page.get_by_label("Text").fill("Seu pedido chegou!")
        somebody.press("Send")
        somebody.sees(re.compile("Write the number with its country"))
        somebody.page.get_by_label("To", exact=True).fill(stranger[:3] + " " + stranger[3:])
        somebody.press("Send")
        somebody.sees("Seu pedido chegou!")
    eventually(lambda: stage.twilio.bodies_to(f"whatsapp:{stranger}") == ["Seu pedido chegou!"])
