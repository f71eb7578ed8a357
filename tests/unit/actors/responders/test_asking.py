"""Any responder can be asked: of today, of version 0.1, a coroutine function."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from dramatiq.middleware import TimeLimitExceeded, raise_thread_exception

import actors.ai
import actors.conversations
from actors.answer import (
    MAX_METADATA_BYTES,
    MAX_TEXTS,
    MAX_TOOL_CALL_CHARACTERS,
    MAX_TOOL_CALLS,
    Answer,
    ToolCall,
    Usage,
)
from actors.conversation import Contact, Conversation, Message
from actors.responders import Asking, ResponderRefused

CONVERSATION = Conversation(
    Contact("+5511900001234", "Ana"),
    "+15005550006",
    "AC1",
    "twilio",
    history=[Message("contact", "um"), Message("us", "A")],
    unanswered=[Message("contact", "dois"), Message("contact", "três")],
)


class Giving:
    """A responder that returns what it was given."""

    def __init__(self, response: Any) -> None:
        self.response = response

    def respond(self, conversation: Conversation) -> Any:  # noqa: ARG002
        return self.response


@pytest.mark.parametrize(
    ("response", "texts"),
    [
        ("Olá!", ("Olá!",)),
        (Answer("Olá!"), ("Olá!",)),
        (Answer(["um", "dois"]), ("um", "dois")),
        (None, ()),
        (Answer(), ()),
    ],
)
def test_what_a_responder_may_return(response: Any, texts: tuple[str, ...]) -> None:
    assert Asking(Giving(response)).respond(CONVERSATION).texts == texts


@pytest.mark.parametrize(
    ("response", "why"),
    [
        (Answer("Olá!", tool_calls=["order_status"]), "ToolCalls, and one is str"),  # type: ignore[list-item]
        ("", "keep silent"),
        (" \n ", "keep silent"),
        (Answer(["um", " "]), "keep silent"),
        (42, "int"),
        (Answer([b"bytes"]), "bytes"),  # type: ignore[list-item]
        (Answer(["text"] * (MAX_TEXTS + 1)), f"at most {MAX_TEXTS}"),
        (Answer("Olá!", metadata={"when": object()}), "JSON"),
        (Answer("Olá!", metadata={"much": "x" * MAX_METADATA_BYTES}), "bytes"),
    ],
)
def test_what_cannot_be_sent_is_refused(response: Any, why: str) -> None:
    with pytest.raises(ResponderRefused, match=why):
        Asking(Giving(response)).respond(CONVERSATION)


def test_of_many_tool_calls_a_part_is_kept() -> None:
    calls = [ToolCall(f"tool {number}", "a" * 5_000, "r" * 5_000) for number in range(MAX_TOOL_CALLS + 1)]

    kept = Asking(Giving(Answer("Olá!", tool_calls=calls))).respond(CONVERSATION).tool_calls

    assert [call.name for call in kept] == [call.name for call in calls[:-1]]
    assert {len(text) for call in kept for text in (call.arguments, call.result)} == {
        MAX_TOOL_CALL_CHARACTERS
    }


class Thinking:
    """A responder whose `respond` is a coroutine function."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.loops: set[int] = set()
        self.was_cancelled = False

    async def respond(self, conversation: Conversation) -> str:
        self.loops.add(id(asyncio.get_running_loop()))
        if conversation.unanswered[0].text != "for ever":
            return "Olá!"
        self.began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        return "not reached"


def test_coroutines_of_all_threads_run_on_one_loop() -> None:
    responder = Thinking()
    asking = Asking(responder)
    threads = [threading.Thread(target=asking.respond, args=(CONVERSATION,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert asking.respond(CONVERSATION).texts == ("Olá!",)
    assert len(responder.loops) == 1


def test_a_coroutine_is_cancelled_when_its_time_is_over() -> None:
    responder, ended = Thinking(), []

    def ask() -> None:
        waiting = Conversation(
            Contact("+5511900001234"), "+15005550006", "AC1", "twilio", [], [Message("contact", "for ever")]
        )
        try:
            Asking(responder).respond(waiting)
        except TimeLimitExceeded:
            ended.append(True)

    thread = threading.Thread(target=ask)
    thread.start()
    assert responder.began.wait(10)
    raise_thread_exception(thread.ident, TimeLimitExceeded)
    thread.join(10)

    assert ended == [True]
    assert responder.was_cancelled


def test_a_responder_of_version_0_1_answers_with_a_warning() -> None:
    with pytest.warns(DeprecationWarning, match="deprecated"):
        completion, line = actors.ai.Completion, actors.conversations.Line

    class Old:
        def respond(self, history: Sequence[Any], unanswered: Sequence[Any]) -> Any:
            assert list(history) == [line("contact", "um"), line("us", "A")]
            said = " ".join(text for _author, text in unanswered)
            return completion(said, model="old", prompt_tokens=3, completion_tokens=4)

    with pytest.warns(DeprecationWarning, match="Old.respond"):
        asking = Asking(Old())

    assert asking.respond(CONVERSATION) == Answer("dois três", Usage("old", 3, 4))
