"""People sign in by name, and each sees what their role may press."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from api.users import UserFile
from tests.supervisor.stage import Stage

from .chromium import PHONE
from .scene import MARIA, conversation_with
from .visitor import Visitor, visitor

PASSWORD = "a good password"


@pytest.fixture
def users(stage: Stage) -> Iterator[UserFile]:
    """A reader and an agent, for this test only: with a user in it, nobody comes in without a name."""
    file = UserFile(stage.directory / "dashboard-users.json")
    file.create("Ana", "reader", PASSWORD)
    file.create("João", "agent", PASSWORD)
    yield file
    for name in ("Ana", "João"):
        file.delete(name)


def sign_in(somebody: Visitor, name: str, password: str) -> None:
    somebody.page.get_by_label("Name").fill(name)
    somebody.page.get_by_label("Password").fill(password)
    somebody.press("Sign in")


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_an_agent_signs_in_by_name_and_answers_and_a_reader_looks(
    stage: Stage, browser: Browser, users: UserFile, scripts: bool
) -> None:
    talk = f"conversations/{conversation_with(stage, MARIA).message_id}"
    with visitor(browser, stage.url, java_script_enabled=scripts, **PHONE) as somebody:
        somebody.open(talk)
        expect(somebody.page.get_by_label("Name")).to_be_focused()
        if scripts:
            somebody.examine()
        sign_in(somebody, "joão", "wrong")
        somebody.sees("do not belong together")
        expect(somebody.page.get_by_label("Name")).to_have_value("joão")
        sign_in(somebody, "joão", PASSWORD)
        expect(somebody.page.get_by_label("Answer by hand")).to_be_visible()
        somebody.page.locator("#about > summary").click()
        expect(somebody.page.get_by_role("button", name="Reveal the number")).to_be_visible()
        expect(somebody.page.get_by_text("Erase this person")).to_have_count(0)
        somebody.open(f"{talk}/erase", status=403)
        somebody.sees("This takes at least the role admin, and yours is agent.")
        if scripts:
            somebody.examine()
        somebody.press("Sign out")

        sign_in(somebody, "Ana", PASSWORD)
        somebody.open(talk)
        somebody.sees("Oi, tudo bem?")
        expect(somebody.page.get_by_label("Answer by hand")).to_have_count(0)
        expect(somebody.page.get_by_role("button", name="Take over")).to_have_count(0)
    assert [user.name for user in users.users()] == ["Ana", "João"]
