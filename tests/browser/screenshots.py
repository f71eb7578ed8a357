"""`make screenshots`: pictures of the dashboard for the documents, from a system at work."""

from __future__ import annotations

import math
import tempfile
import threading
import time
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page

from brokers.records import DeadLetterFilter
from tests.fakes.twilio import FakeTwilio
from tests.supervisor.stage import Stage
from tests.support.system import ROOT

from .chromium import DESKTOP, PHONE, chromium
from .scene import MARIA, conversation_with, furnish, put, scene, start

IMAGES = ROOT / "docs" / "images"

#: How long traffic goes on before the first picture, so that charts have something to show, in seconds.
TRAFFIC_S = 180.0

SIZES = {"wide": DESKTOP, "phone": PHONE}

#: What the documents show: page, size and theme.
PICTURES: tuple[tuple[str, str, Literal["light", "dark"]], ...] = (
    ("overview", "wide", "light"),
    ("overview", "wide", "dark"),
    ("overview", "phone", "dark"),
    ("message", "wide", "dark"),
    ("dead-letters", "wide", "light"),
    ("conversations", "phone", "light"),
    ("conversation", "phone", "light"),
    ("conversation", "wide", "dark"),
)

QUESTIONS = (
    "Oi, vocês abrem no domingo?",
    "Quanto custa a entrega?",
    "Meu pedido já saiu?",
    "Aceita pix?",
    "Posso trocar o tamanho?",
    "Obrigado!",
)


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as directory,
        FakeTwilio() as twilio,
        scene(Path(directory), twilio, API_HOST="127.0.0.1") as stage,
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
    for name, size, theme in PICTURES:
        context = browser.new_context(**SIZES[size], color_scheme=theme)
        _shoot(context.new_page(), f"{stage.url}/dashboard/{paths[name]}", f"{name}-{size}-{theme}.png")
        context.close()


def _shoot(page: Page, url: str, name: str) -> None:
    page.goto(url)
    page.wait_for_selector('.live[data-live="on"]')
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
