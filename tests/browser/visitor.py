"""Somebody with a browser, who notices what is wrong with a page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from tests.support.system import PATIENCE_S

#: What Chromium says when an answer is no success. Whoever asked for it sees the page that came.
_NO_SUCCESS = re.compile(r"Failed to load resource: the server responded with a status of [45]\d\d")


class Visitor:
    """Drives a page.

    Parameters:
      page: an empty one.
      url: the API's.

    Attributes:
      faults: what the browser complained of.
    """

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.faults: list[str] = []
        self._url = url
        page.on("console", self._listen)
        page.on("pageerror", lambda error: self.faults.append(f"{page.url}: {error}"))
        page.set_default_timeout(PATIENCE_S * 1000)

    def open(self, path: str, *, status: int = 200) -> None:
        """Go to a page of the dashboard."""
        answer = self.page.goto(f"{self._url}/dashboard/{path}")
        assert answer is not None
        assert answer.status == status, (path, answer.status)

    def press(self, name: str, *, exact: bool = True) -> None:
        """Press the first button or link of that name."""
        role = self.page.get_by_role("button", name=name, exact=exact)
        link = self.page.get_by_role("link", name=name, exact=exact)
        role.or_(link).first.click()

    def sees(self, text: str | re.Pattern[str]) -> None:
        """Wait until the page shows it."""
        # On a phone one of two panes is hidden, and may have the same words.
        expect(self.page.get_by_text(text).filter(visible=True).first).to_be_visible(
            timeout=PATIENCE_S * 1000
        )

    def examine(self) -> None:
        """Look for what keeps people from using the page."""
        found = Axe().run(self.page).response["violations"]
        for violation in found:
            places = [node["html"] + " " + str(node.get("failureSummary")) for node in violation["nodes"]]
            self.faults.append(f"{self.page.url}: {violation['id']}: {places}")
        width = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        if (over := self.page.evaluate(width)) > 0:
            self.faults.append(f"{self.page.url}: {over} px wider than the screen")

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not _NO_SUCCESS.match(message.text):
            self.faults.append(f"{self.page.url}: {message.type}: {message.text}")


@contextmanager
def visitor(browser: Browser, url: str, **context: Any) -> Iterator[Visitor]:
    """A visitor in a browser of their own, who must have found nothing wrong in the end."""
    place = browser.new_context(**context)
    try:
        somebody = Visitor(place.new_page(), url)
        yield somebody
        assert not somebody.faults, "\n".join(dict.fromkeys(somebody.faults))
    finally:
        place.close()
