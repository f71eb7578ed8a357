"""`make screenshots`: pictures of the dashboard for the documents, from a system at work.

`python -m tests.browser.screenshots try-it` takes that of the page "Try it" alone.
"""

from __future__ import annotations

import math
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, expect

from brokers.records import DeadLetterFilter
from tests.fakes.twilio import FakeTwilio
from tests.supervisor.stage import SETTINGS, Stage
from tests.support.ports import free_port
from tests.support.system import PATIENCE_S, ROOT

from .chromium import DESKTOP, PHONE, chromium
from .scene import MARIA, conversation_with, furnish, put, scene, start

IMAGES = ROOT / "docs" / "images"

#: How long traffic goes on before the first picture, so that charts have something to show, in seconds.
TRAFFIC_S = 180.0

SIZES = {"wide": DESKTOP, "phone": PHONE}

Pictures = tuple[tuple[str, str, Literal["light", "dark"]], ...]

#: What the documents show: page, size and theme.
PICTURES: Pictures = (
    ("overview", "wide", "light"),
    ("overview", "wide", "dark"),
    ("overview", "phone", "dark"),
    ("message", "wide", "dark"),
    ("dead-letters", "wide", "light"),
    ("conversations", "phone", "light"),
    ("conversation", "phone", "light"),
    ("conversation", "wide", "dark"),
)

#: What the guide in Portuguese shows.
IN_PORTUGUESE: Pictures = (("conversation", "wide", "dark"),)

QUESTIONS = (
    "Oi, vocês abrem no domingo?",
    "Quanto custa a entrega?",
    "Meu pedido já saiu?",
    "Aceita pix?",
    "Posso trocar o tamanho?",
    "Obrigado!",
)


#: What else is in the inbox while a customer is played: the last two digits of a number, and what it says.
OTHERS = (
    ("77", "Quero falar com um atendente"),
    ("77", "Atendente"),
    ("52", "Meu pedido já saiu?"),
    ("31", "Aceita pix?"),
    ("64", "Posso trocar o tamanho?"),
    ("18", "Obrigada!"),
    ("45", "Quanto custa a entrega?"),
)


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with chromium() as browser:
        _of_trying(browser)
    if sys.argv[1:] != ["try-it"]:
        _of_a_shop()


def _of_trying(browser: Browser) -> None:
    """Take the page "Try it" in the moment after a worker was killed."""
    settings = {
        **SETTINGS,
        "AI_PROVIDER": "tests.browser.attendant:slow_attendant",
        "API_PORT": str(free_port()),
        "DASHBOARD_TRY_IT": "true",
        "REPLY_GATHER_MS": "250",
    }
    with (
        tempfile.TemporaryDirectory() as directory,
        FakeTwilio() as twilio,
        Stage(Path(directory), twilio, **settings) as stage,
    ):
        stage.up()
        for digits, text in OTHERS:
            parameters = stage.parameters(text, sender=f"whatsapp:+551190000{digits:0>4}")
            stage.webhook({**parameters, "ProfileName": ""})
            stage.settle()
        context = browser.new_context(**DESKTOP, color_scheme="light", locale="en")
        page = context.new_page()
        page.goto(f"{stage.url}/dashboard/try-it")
        _say(page, "Vocês têm essa caneca?", "Picture")
        expect(page.locator(".walk .is-done")).to_have_count(6, timeout=PATIENCE_S * 1000)
        _say(page, "Quero duas! Quanto custa a entrega?", "Send, and kill its worker")
        page.get_by_text("the queue handed it out again").wait_for()
        page.locator(".workers li", has_text="works on it").wait_for()
        page.locator(".chat img").evaluate("(picture) => picture.decode()")
        page.screenshot(path=IMAGES / "try-it-wide-light.png", animations="disabled")
        context.close()


def _say(page: Page, text: str, button: str) -> None:
    page.get_by_label("Message", exact=True).fill(text)
    page.get_by_role("button", name=button, exact=True).click()


def _of_a_shop() -> None:
    """Take all other pages."""
    with (
        tempfile.TemporaryDirectory() as directory,
        FakeTwilio() as twilio,
        scene(Path(directory), twilio, API_HOST="127.0.0.1", BUDGET_PER_DAY="10000") as stage,
        chromium() as browser,
    ):
        start(stage)
        furnish(stage)
        _tidy(stage)
        with _Traffic(stage):
            time.sleep(TRAFFIC_S)
            _take(browser, stage)


def _tidy(stage: Stage) -> None:
    """Have tracebacks speak of a server's directories instead of this machine's."""
    letters = stage.dead_letters()
    stage.queue.discard(DeadLetterFilter(message_ids=[letter.message_id for letter in letters]))
    stage.queue.adopt(
        [
            letter._replace(last_error=(letter.last_error or "").replace(str(ROOT), "/srv/recado"))
            for letter in letters
        ]
    )


def _take(browser: Browser, stage: Stage) -> None:
    dead = next(letter for letter in stage.dead_letters() if letter.actor == "send_receipt")
    talk = conversation_with(stage, MARIA)
    paths = {
        "overview": "",
        "dead-letters": "dead-letters",
        "message": f"messages/{dead.message_id}",
        "conversations": "conversations",
        "conversation": f"conversations/{talk.message_id}",
    }
    for pictures, locale, end in ((PICTURES, "en", ""), (IN_PORTUGUESE, "pt-BR", ".pt-BR")):
        for name, size, theme in pictures:
            context = browser.new_context(**SIZES[size], color_scheme=theme, locale=locale)
            file = f"{name}-{size}-{theme}{end}.png"
            _shoot(context.new_page(), f"{stage.url}/dashboard/{paths[name]}", file)
            context.close()


def _shoot(page: Page, url: str, name: str) -> None:
    page.goto(url)
    is_live = """document.querySelector('.live[data-live="on"]')"""  # some pages do not change by themselves
    page.wait_for_function(f"!document.querySelector('.live') || {is_live}")
    page.wait_for_function("!document.querySelector('.chart') || document.querySelector('canvas')")
    page.screenshot(path=IMAGES / name)


class _Traffic:
    """Customers who write, now more and now less."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def _write(self) -> None:
        began, number = time.monotonic(), 0
        while not self._stopping.is_set():
            number += 1
            contact = f"whatsapp:+551190000{number % 97:04}"
            self._stage.write(QUESTIONS[number % len(QUESTIONS)], sender=contact)
            if number % 5 == 0:
                order = {"order": f"2026-{number:04}", "cpf": "000.000.000-00"}
                put(self._stage, "receipts", "send_receipt", order)
            elapsed_s = time.monotonic() - began
            self._stopping.wait(0.18 + 0.12 * math.sin(elapsed_s / 14))

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()


if __name__ == "__main__":
    main()
