"""What AI_PROVIDER may name."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from actors.conversation import Contact, Conversation, Message
from actors.responders import Asking
from actors.responders.your_own import responder_of_your_own
from ops.foundation.settings import Settings, SettingsError

CONVERSATION = Conversation(
    Contact("+5511900001234"), "+15005550006", "AC1", "twilio", [], [Message("contact", "Oi")]
)

MODULE = '''
from __future__ import annotations

import recado
from recado import Conversation


class Responder:
    def respond(self, conversation):
        return "the object"


an_object = Responder()


def factory(settings):
    return Responder()


def a_function(conversation: Conversation) -> str:
    return "the function"


async def a_coroutine_function(conversation: recado.Conversation) -> str:
    return "the coroutine function"


def factory_of_a_function(settings: recado.Settings):
    return a_function


class Callable:
    def __call__(self, conversation: Conversation) -> str:
        return "the callable"


a_callable = Callable()


class Agent:
    """Of one's own, in a module that is called like a framework's."""

    def respond(self, conversation):
        return "not the framework's"


Agent.__module__ = "agents.agent"
an_agent = Agent()

a_text = "Olá!"


def factory_of_nothing(settings):
    return None


def factory_of_a_factory(settings):
    return factory
'''


@pytest.fixture
def named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a responder of a name in a module in the working directory."""
    (tmp_path / "a_module_of_ones_own.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "a_module_of_ones_own", raising=False)

    def make(name: str) -> Any:
        return responder_of_your_own(Settings(_env_file=None, ai_provider=f"a_module_of_ones_own:{name}"))

    return make


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("an_object", "the object"),
        ("factory", "the object"),
        ("a_function", "the function"),
        ("a_coroutine_function", "the coroutine function"),
        ("factory_of_a_function", "the function"),
        ("a_callable", "the callable"),
        ("an_agent", "not the framework's"),
    ],
)
def test_it_answers(named: Any, name: str, said: str) -> None:
    assert Asking(named(name)).respond(CONVERSATION).texts == (said,)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a_text", "str"), ("factory_of_nothing", "NoneType"), ("factory_of_a_factory", "function")],
)
def test_what_can_answer_nothing_is_a_wrong_setting(named: Any, name: str, kind: str) -> None:
    with pytest.raises(SettingsError, match=f"a_module_of_ones_own:{name} leads to a {kind}"):
        named(name)


def test_no_framework_is_imported_that_is_not_used(named: Any) -> None:
    before = {name for name in ("agents", "pydantic_ai") if name in sys.modules}
    named("an_object")
    assert {name for name in ("agents", "pydantic_ai") if name in sys.modules} == before
    assert asyncio.iscoroutinefunction(named("a_coroutine_function").respond)
