"""The responders: what the model is shown, and what its errors mean."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from llmock.pytest_plugin import LLMock

from actors.conversation import Contact, Conversation, Message
from actors.responders import (
    EchoResponder,
    ResponderRefused,
    ResponderUnavailable,
)
from actors.responders.openai import LIMIT_NAMES, OpenAIResponder
from actors.responders.window import window
from tests.fakes.server import Server
from tests.support.ports import free_port


def said(*texts: str) -> list[Message]:
    return [Message("contact", text) for text in texts]


def conversation(history: list[Message], unanswered: list[Message]) -> Conversation:
    return Conversation(Contact("+5511900001234"), "+15005550006", "AC1", "twilio", history, unanswered)


# -- the window ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("messages", "characters", "kept"),
    [
        (10, 100, ["one", "two", "three"]),
        (2, 100, ["two", "three"]),
        (10, 8, ["two", "three"]),
        (10, 7, ["three"]),
        (10, 4, []),
    ],
)
def test_the_window_is_the_latest_that_fits(messages: int, characters: int, kept: list[str]) -> None:
    lines = window(said("one", "two", "three"), max_messages=messages, max_characters=characters)

    assert [line.text for line in lines] == kept


def test_the_window_has_no_holes() -> None:
    """A short line before one that is too long would be out of its context."""
    assert window(said("a", "b" * 50, "c"), max_messages=10, max_characters=20) == said("c")


# -- the echo ------------------------------------------------------------------------------------------


def test_the_echo_says_what_it_is_and_repeats_what_is_unanswered() -> None:
    answer = EchoResponder().respond(conversation(said("before"), said("Oi", "Alô?")))

    assert answer.text == "[echo, not an AI] Oi\nAlô?"
    assert answer.usage is not None
    assert answer.usage.tokens is None


# -- a model -------------------------------------------------------------------------------------------


def responder(llmock: LLMock, *, timeout_s: float = 10.0, history_messages: int = 20) -> OpenAIResponder:
    return OpenAIResponder(
        base_url=llmock.base_url(),
        api_key="sk-test",
        model="a-model",
        system_prompt="Be brief.",
        timeout_s=timeout_s,
        history_messages=history_messages,
    )


def test_the_model_is_shown_the_prompt_the_history_and_what_is_unanswered(llmock: LLMock) -> None:
    llmock.reply("  Olá!\n")
    history = [*said("um"), Message("us", "A")]

    answer = responder(llmock).respond(conversation(history, said("dois", "três")))

    assert answer.text == "Olá!"
    assert answer.usage is not None
    assert answer.usage.tokens is not None
    body = llmock.last_request.body
    assert body["model"] == "a-model"
    assert [(line["role"], line["content"]) for line in body["messages"]] == [
        ("system", "Be brief."),
        ("user", "um"),
        ("assistant", "A"),
        ("user", "dois"),
        ("user", "três"),
    ]


@pytest.mark.parametrize("keeps", [True, False])
def test_an_answer_tells_what_the_model_was_asked_where_that_is_kept(llmock: LLMock, keeps: bool) -> None:
    llmock.reply("Olá!")
    asked = OpenAIResponder(
        base_url=llmock.base_url(), api_key="sk-test", model="a-model", system_prompt="P", keeps_prompts=keeps
    )

    answer = asked.respond(conversation([*said("um"), Message("us", "A")], said("dois")))

    assert answer.prompt == ("system:\nP\n\nuser:\num\n\nassistant:\nA\n\nuser:\ndois" if keeps else "")


def test_the_model_is_told_the_language_in_one_line_after_the_prompt(llmock: LLMock) -> None:
    responder(llmock).respond(replace(conversation([], said("Oi")), language="pt-BR"))

    [prompt, _] = llmock.last_request.body["messages"]
    first, line = prompt["content"].splitlines()
    assert first == "Be brief."
    assert "pt-BR" in line


def test_what_is_unanswered_is_shown_whole_whatever_the_window(llmock: LLMock) -> None:
    responder(llmock, history_messages=1).respond(conversation(said("um", "dois"), said("três", "quatro")))

    shown = [line["content"] for line in llmock.last_request.body["messages"][1:]]
    assert shown == ["dois", "três", "quatro"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_a_refusal_is_final(llmock: LLMock, status: int) -> None:
    llmock.fail(status)

    with pytest.raises(ResponderRefused, match=str(status)):
        responder(llmock).respond(conversation([], said("Oi")))
    assert len(llmock.requests) == 1


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
def test_a_failure_may_pass_and_the_client_does_not_retry_by_itself(llmock: LLMock, status: int) -> None:
    llmock.fail(status)

    with pytest.raises(ResponderUnavailable, match=str(status)):
        responder(llmock).respond(conversation([], said("Oi")))
    assert len(llmock.requests) == 1


@pytest.mark.parametrize(("retry_after", "delay_ms"), [(2, 2000), (30, 30_000)])
def test_the_delay_a_model_asks_for_is_kept(llmock: LLMock, retry_after: float, delay_ms: int) -> None:
    llmock.rate_limit(retry_after=retry_after)

    with pytest.raises(ResponderUnavailable) as raised:
        responder(llmock).respond(conversation([], said("Oi")))
    assert raised.value.delay == delay_ms


def test_a_model_that_takes_too_long_may_be_asked_again(llmock: LLMock) -> None:
    llmock.delay(2)

    with pytest.raises(ResponderUnavailable, match="cannot be reached"):
        responder(llmock, timeout_s=0.2).respond(conversation([], said("Oi")))


def test_an_endpoint_where_nobody_listens_may_be_asked_again() -> None:
    model = OpenAIResponder(base_url=f"http://127.0.0.1:{free_port()}/v1", api_key="sk-test", model="m")

    with pytest.raises(ResponderUnavailable, match="cannot be reached"):
        model.respond(conversation([], said("Oi")))


def test_an_empty_answer_is_none(llmock: LLMock) -> None:
    llmock.reply("  \n ")

    with pytest.raises(ResponderUnavailable, match="empty"):
        responder(llmock).respond(conversation([], said("Oi")))


def test_the_newer_name_of_the_limit_comes_first(llmock: LLMock) -> None:
    responder(llmock).respond(conversation([], said("Oi")))

    body = llmock.last_request.body
    assert body["max_completion_tokens"] == 500
    assert "max_tokens" not in body


def test_more_parameters_are_passed_on(llmock: LLMock) -> None:
    model = OpenAIResponder(
        base_url=llmock.base_url(), api_key="sk-test", model="m", extra={"temperature": 0.2, "top_k": 5}
    )
    model.respond(conversation([], said("Oi")))

    body = llmock.last_request.body
    assert (body["temperature"], body["top_k"]) == (0.2, 5)


class Choosy:
    """An endpoint that knows one name of the limit only, over real HTTP."""

    def __init__(self, knows: str) -> None:
        self.asked: list[list[str]] = []
        app = FastAPI()

        @app.post("/v1/chat/completions")
        async def complete(request: Request) -> JSONResponse:
            body = await request.json()
            names = [name for name in LIMIT_NAMES if name in body]
            self.asked.append(names)
            if names != [knows]:
                message = f"Unsupported parameter: '{names[0]}' is not supported with this model."
                error = {
                    "message": message,
                    "type": "invalid_request_error",
                    "param": names[0],
                    "code": "unsupported_parameter",
                }
                return JSONResponse({"error": error}, 400)
            choice = {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "Olá!"},
            }
            return JSONResponse(
                {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
            )

        self.server = Server(app)


@pytest.mark.parametrize(
    ("knows", "asked"),
    [
        ("max_completion_tokens", [["max_completion_tokens"]] * 2),
        ("max_tokens", [["max_completion_tokens"], ["max_tokens"], ["max_tokens"]]),
    ],
)
def test_an_endpoint_is_asked_by_the_name_it_knows(knows: str, asked: list[list[str]]) -> None:
    endpoint = Choosy(knows)
    with endpoint.server:
        model = OpenAIResponder(base_url=f"{endpoint.server.url}/v1", api_key="sk-test", model="m")
        for _ in range(2):
            assert model.respond(conversation([], said("Oi"))).text == "Olá!"

    assert endpoint.asked == asked


def test_a_refusal_that_is_about_something_else_is_one(llmock: LLMock) -> None:
    llmock.fail(400)

    with pytest.raises(ResponderRefused):
        responder(llmock).respond(conversation([], said("Oi")))
    assert len(llmock.requests) == 1
