"""An operator answers a customer by hand, with a browser and without its scripts."""

from __future__ import annotations

import itertools
import re

import pytest
from playwright.sync_api import Browser, expect

from tests.supervisor.stage import Stage
from tests.support.waiting import eventually

from .chromium import PHONE
from .scene import conversation_with
from .visitor import visitor

_NUMBERS = itertools.count(8000)


@pytest.fixture
def customer(stage: Stage) -> str:
    """Somebody who asked, and was answered by the assistant."""
    contact = f"whatsapp:+551190000{next(_NUMBERS)}"
    stage.write("Oi", sender=contact)
    eventually(lambda: len(stage.twilio.bodies_to(contact)) == 1)
    return contact


def is_answered(stage: Stage, customer: str) -> bool:
    """Whether nothing that the customer wrote is unanswered."""
    return conversation_with(stage, customer).unanswered == 0


def page_of(stage: Stage, customer: str) -> str:
    return f"conversations/{conversation_with(stage, customer).message_id}"


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_a_customer_is_taken_over_answered_and_handed_back(
    stage: Stage, browser: Browser, customer: str, scripts: bool
) -> None:
    with visitor(browser, stage.url, java_script_enabled=scripts, **PHONE) as somebody:
        somebody.open(page_of(stage, customer))
        somebody.sees("the assistant answers")
        somebody.page.get_by_label("Answer by hand").fill("Aqui é uma pessoa. Temos vaga às 15h!")
        somebody.press("Take over and send")
        somebody.sees("a person answers")
        eventually(lambda: stage.twilio.bodies_to(customer)[1:] == ["Aqui é uma pessoa. Temos vaga às 15h!"])

        stage.write("Obrigado", sender=customer)
        eventually(
            lambda: conversation_with(stage, customer).text == "Obrigado" and is_answered(stage, customer)
        )
        somebody.open("conversations?which=person")
        somebody.page.locator(".people a").first.wait_for()
        somebody.open(page_of(stage, customer))
        somebody.sees("Aqui é uma pessoa. Temos vaga às 15h!")
        somebody.sees("Obrigado")
        if scripts:
            somebody.examine()

        somebody.press("Hand back to the assistant")
        somebody.sees("the assistant answers")
        somebody.open("audit")
        for action in ("answer by hand", "hand back conversation"):
            somebody.sees(re.compile(action))
    stage.write("Tem estacionamento?", sender=customer)
    eventually(lambda: len(stage.twilio.bodies_to(customer)) == 3)


def test_a_form_that_is_sent_twice_is_one_text(stage: Stage, browser: Browser, customer: str) -> None:
    with visitor(browser, stage.url) as somebody:
        somebody.open(page_of(stage, customer))
        somebody.page.get_by_label("Answer by hand").fill("Chegou!")
        somebody.page.evaluate(
            """() => {
                const form = document.querySelector(".composer");
                const body = new URLSearchParams(new FormData(form));
                const send = () => fetch(form.action, { method: "POST", body });
                return Promise.all([send(), send()]);
            }"""
        )
        somebody.open(page_of(stage, customer))
        somebody.page.get_by_label("Answer by hand").fill("E mais uma coisa")
        somebody.press("Send")
        eventually(lambda: "E mais uma coisa" in stage.twilio.bodies_to(customer))
    assert stage.twilio.bodies_to(customer)[1:] == ["Chegou!", "E mais uma coisa"]


@pytest.mark.parametrize("other", ["Ana", "local"], ids=["another name", "the same name"])
def test_what_somebody_else_wrote_meanwhile_is_shown_first(
    stage: Stage, browser: Browser, customer: str, other: str
) -> None:
    """Operators who sign in with one password have one name."""
    with visitor(browser, stage.url) as somebody:
        somebody.open(page_of(stage, customer))
        somebody.page.get_by_label("Answer by hand").fill("Não temos vaga.")
        assert stage.run("say", customer, "Temos vaga!", "--by", other).returncode == 0
        eventually(lambda: len(stage.twilio.bodies_to(customer)) == 2)
        somebody.press("Take over and send")

        somebody.sees(re.compile(f"{other} wrote while you did"))
        expect(somebody.page.get_by_label("Answer by hand")).to_have_value("Não temos vaga.")
        assert stage.twilio.bodies_to(customer)[1:] == ["Temos vaga!"]
        somebody.press("Take over and send")
        eventually(lambda: stage.twilio.bodies_to(customer)[1:] == ["Temos vaga!", "Não temos vaga."])


def test_a_customer_who_waits_for_a_person_is_the_first_thing_one_sees(
    stage: Stage, browser: Browser, customer: str
) -> None:
    stage.write("Quero falar com um humano", sender=customer)
    stage.write("atendente", sender=customer)
    eventually(lambda: conversation_with(stage, customer).mode == "person")
    stage.write("Alguém?", sender=customer)
    with visitor(browser, stage.url) as somebody:
        somebody.open("")
        somebody.sees(re.compile("wait.? for a person to answer"))
        somebody.page.locator(".problems a").first.click()
        somebody.sees("waits for a person")
        somebody.open(page_of(stage, customer))
        somebody.sees("the contact asked for a person")
        somebody.page.get_by_label("Answer by hand").fill("Oi, aqui é uma pessoa.")
        somebody.press("Send")
        eventually(lambda: "Oi, aqui é uma pessoa." in stage.twilio.bodies_to(customer))
        assert conversation_with(stage, customer).author == "us"


def test_a_customer_who_opted_out_cannot_be_written_to(stage: Stage, browser: Browser, customer: str) -> None:
    stage.write("PARAR", sender=customer)
    eventually(lambda: conversation_with(stage, customer).mode == "nobody")
    with visitor(browser, stage.url) as somebody:
        somebody.open(page_of(stage, customer))
        somebody.sees("nobody answers")
        assert somebody.page.locator(".composer").count() == 0
