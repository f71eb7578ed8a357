"""An operator exports and erases a customer, with a browser and without its scripts."""

from __future__ import annotations

import itertools
import json
import re

import pytest
from playwright.sync_api import Browser, expect

from tests.supervisor.stage import Stage
from tests.support.waiting import eventually

from .chromium import PHONE
from .scene import conversation_with
from .visitor import visitor

_NUMBERS = itertools.count(9000)


@pytest.fixture
def customer(stage: Stage) -> str:
    """Somebody who asked, and was answered by the assistant."""
    contact = f"whatsapp:+551190000{next(_NUMBERS)}"
    stage.write("Oi, sou eu", sender=contact)
    eventually(lambda: len(stage.twilio.bodies_to(contact)) == 1)
    eventually(lambda: not any(stage.waiting(queue) for queue in ("messages", "replies")))
    return contact


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_a_customer_is_exported_and_erased(
    stage: Stage, browser: Browser, customer: str, scripts: bool
) -> None:
    name = customer.removeprefix("whatsapp:+")
    with visitor(browser, stage.url, java_script_enabled=scripts, **PHONE) as somebody:
        somebody.open(f"conversations/{conversation_with(stage, customer).message_id}")
        somebody.page.locator("#about > summary").click()
        with somebody.page.expect_download() as download:
            somebody.press("Export")
        document = json.loads(download.value.path().read_text())
        assert [each["text"] for each in document["conversations"][0]["messages"]] == ["Oi, sou eu"]

        somebody.press("Erase this person…")
        somebody.sees("Erase this person?")
        somebody.sees("1 conversation, 1 message, 1 reply")
        assert name not in somebody.page.content(), "numbers are masked"
        expect(somebody.page.get_by_role("link", name="Leave it")).to_be_focused()
        if scripts:
            somebody.examine()
        somebody.press("Leave it")
        somebody.sees("Oi, sou eu")
        assert conversation_with(stage, customer)

        somebody.page.locator("#about > summary").click()
        somebody.press("Erase this person…")
        somebody.press("Erase for good")
        somebody.sees("Erased")
        if scripts:
            somebody.examine()
        assert list(stage.conversations.reader.conversations(contact=customer)) == []
        somebody.open("audit")
        for action in ("erase person", "export person"):
            somebody.sees(re.compile(action))
        assert name not in somebody.page.content()
