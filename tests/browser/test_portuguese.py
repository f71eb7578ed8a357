"""The dashboard in Portuguese: every page is as sound as in English, and a day's work is done in it."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.supervisor.stage import Stage
from tests.support.waiting import eventually

from .chromium import DESKTOP, PHONE
from .scene import MARIA, conversation_with
from .test_attention import entry_of, not_delivered
from .test_pages import pages_of
from .visitor import visitor

devices = pytest.mark.parametrize("device", [DESKTOP, PHONE], ids=["desktop", "phone"])

_NUMBERS = itertools.count(8700)


@pytest.fixture
def customer(stage: Stage) -> str:
    """Somebody who asked, and was answered by the assistant."""
    contact = f"whatsapp:+551190000{next(_NUMBERS)}"
    stage.write("Oi", sender=contact)
    eventually(lambda: len(stage.twilio.bodies_to(contact)) == 1)
    return contact


@devices
def test_every_page_is_sound(stage: Stage, browser: Browser, device: dict[str, Any]) -> None:
    with visitor(browser, stage.url, locale="pt-BR", **device) as somebody:
        for path in ("attention", "write", *pages_of(stage)):
            somebody.open(path)
            expect(somebody.page.locator("html")).to_have_attribute("lang", "pt-BR")
            somebody.examine()


@devices
def test_a_customer_without_an_answer_is_found_and_gets_it(
    stage: Stage, browser: Browser, customer: str, device: dict[str, Any]
) -> None:
    not_delivered(stage, customer, 30008)
    with visitor(browser, stage.url, locale="pt-BR", **device) as somebody:
        somebody.open("")
        somebody.sees(re.compile("não chegou|não chegaram"))
        somebody.press("Atenção", exact=False)
        entry = entry_of(somebody, stage, customer)
        entry.get_by_text("não entregue").wait_for()
        entry.get_by_text("a operadora não disse por quê").wait_for()
        somebody.examine()
        entry.get_by_role("button", name="Enviar de novo").click()
        eventually(lambda: len(stage.twilio.bodies_to(customer)) == 2)
        somebody.open("audit")
        somebody.sees("enviar de novo")


@devices
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_a_customer_is_taken_over_answered_and_handed_back(
    stage: Stage, browser: Browser, customer: str, scripts: bool, device: dict[str, Any]
) -> None:
    text = "Aqui é uma pessoa. Temos vaga às 15h!"
    with visitor(browser, stage.url, locale="pt-BR", java_script_enabled=scripts, **device) as somebody:
        somebody.open(f"conversations/{conversation_with(stage, customer).message_id}")
        somebody.sees("o assistente responde")
        somebody.page.get_by_label("Responder à mão").fill(text)
        somebody.press("Assumir e enviar")
        somebody.sees("uma pessoa responde")
        somebody.sees("assumida por local")
        eventually(lambda: stage.twilio.bodies_to(customer)[1:] == [text])
        if scripts:
            somebody.page.wait_for_selector('.live[data-live="on"]', state="attached")
            expect(somebody.page.locator(".live-word")).to_have_text("ao vivo")
            somebody.examine()
        somebody.press("Devolver ao assistente")
        somebody.sees("o assistente responde")


def test_what_scripts_write_is_in_portuguese(stage: Stage, browser: Browser) -> None:
    with visitor(browser, stage.url, locale="pt-BR", timezone_id="America/Sao_Paulo") as somebody:
        somebody.open(f"conversations/{conversation_with(stage, MARIA).message_id}")
        somebody.sees("Os horários são os de America/Sao Paulo.")
        expect(somebody.page.locator(".day time").first).to_have_text(re.compile(r"^\d\d/\d\d/20\d\d$"))
        title = somebody.page.locator(".bubble .meta time").last
        expect(title).to_have_attribute("title", re.compile(r"^\d\d/\d\d/20\d\d \d\d:\d\d:\d\d, America"))
        somebody.open("dead-letters")
        expect(somebody.page.locator("#picked")).to_have_text("Nenhuma")
        somebody.page.locator("#pick-all").check()
        expect(somebody.page.locator("#picked")).to_have_text(re.compile("^[1-9]"))
        somebody.page.locator("#pick-all").uncheck()
        expect(somebody.page.locator("#picked")).to_have_text("Nenhuma")
        somebody.open("")
        somebody.page.wait_for_selector("canvas")
        chart = somebody.page.locator("figure", has_text="Mensagens concluídas").locator("[data-now]")
        expect(chart).to_have_text(re.compile("por segundo"))


def test_the_language_that_was_picked_is_remembered(stage: Stage, browser: Browser) -> None:
    with visitor(browser, stage.url, locale="en-US", java_script_enabled=False) as somebody:
        somebody.open("usage?by=model&days=30")
        somebody.press("Português")
        somebody.sees("Por modelo")
        assert somebody.page.url.endswith("/usage?by=model&days=30")
        somebody.open("")
        somebody.sees("Visão geral")
        somebody.press("English")
        somebody.sees("Overview")
