"""Agents of other packages answer: what they are shown, what they may return, what their errors mean."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from openai import AsyncOpenAI
from structlog.testing import capture_logs

from actors.answer import MAX_TOOL_CALL_CHARACTERS, Answer, Usage
from actors.conversation import Contact, Conversation, Message
from actors.event_loop import event_loop
from actors.responders import Asking, ObservedResponder, ResponderRefused, ResponderUnavailable
from actors.responders.agents import AgentResponder, AgentRun
from actors.responders.your_own import as_responder
from ops.foundation.settings import Settings
from tests.fakes.tool_calling_model import COMPLETION_TOKENS, PROMPT_TOKENS, QUESTION, ToolCallingModel
from tests.support.ports import free_port

platform.platform()  # openai asks for it before its first request; the first time, that starts a process

#: Makes an agent of one framework, with tools, an output type and the like.
Make = Callable[..., Any]

SYSTEM_PROMPT = "Answer the customers of a shop."


@pytest.fixture
def model() -> Iterator[ToolCallingModel]:
    with ToolCallingModel() as model:
        yield model


def conversation(*unanswered: str, history: tuple[Message, ...] = ()) -> Conversation:
    return Conversation(
        Contact("+5511900001234", "Ana"),
        "+15005550006",
        "AC1",
        "twilio",
        history,
        [Message("contact", text) for text in unanswered],
    )


def asking(agent: Any, **settings: Any) -> Asking:
    """Ask an agent as Recado does."""
    settings = {"ai_provider": "a_module:agent", "ai_timeout_s": 30.0, **settings}
    return Asking(as_responder(agent, Settings(_env_file=None, **settings)))


#: Clients that tests made. Their connections belong to the process's loop.
_clients: list[AsyncOpenAI] = []


def client_of(model: ToolCallingModel) -> AsyncOpenAI:
    _clients.append(AsyncOpenAI(base_url=model.base_url, api_key="sk-test", max_retries=0))
    return _clients[-1]


@pytest.fixture(autouse=True)
def _closed_clients() -> Iterator[None]:
    yield
    while _clients:
        event_loop.run(_clients.pop().close())


def pydantic_ai(model: ToolCallingModel) -> Make:
    """Agents of pydantic-ai."""
    package = pytest.importorskip("pydantic_ai")
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    def make(tool: Any = None, output_type: Any = str) -> Any:
        client = client_of(model)

        def order_status(context: Any, number: str) -> Any:
            return tool(context.deps, number)

        order_status.__annotations__["context"] = package.RunContext[Conversation]
        return package.Agent(
            OpenAIChatModel("a-model", provider=OpenAIProvider(openai_client=client)),
            deps_type=Conversation,
            output_type=output_type,
            system_prompt=SYSTEM_PROMPT,
            tools=[] if tool is None else [package.Tool(order_status)],
        )

    return make


def openai_agents(model: ToolCallingModel) -> Make:
    """Agents of the OpenAI Agents SDK."""
    package = pytest.importorskip("agents")
    package.set_tracing_disabled(True)

    def make(tool: Any = None, output_type: Any = None) -> Any:
        client = client_of(model)

        async def order_status(context: Any, number: str) -> Any:
            return tool(context.context, number)

        order_status.__annotations__["context"] = package.RunContextWrapper[Conversation]
        return package.Agent(
            name="An agent",
            instructions=SYSTEM_PROMPT,
            model=package.OpenAIChatCompletionsModel("a-model", openai_client=client),
            output_type=output_type,
            tools=[] if tool is None else [package.function_tool(order_status, failure_error_function=None)],
        )

    return make


@pytest.fixture(params=[openai_agents, pydantic_ai], ids=["openai_agents", "pydantic_ai"])
def make(request: pytest.FixtureRequest, model: ToolCallingModel) -> Make:
    made: Make = request.param(model)
    return made


# -- what it is shown, and what it says ------------------------------------------------------------------


def test_it_is_shown_its_instructions_the_history_and_what_is_unanswered(
    make: Make, model: ToolCallingModel
) -> None:
    history = (Message("contact", "um"), Message("us", "A"), Message("contact", "dois"), Message("us", "B"))

    answer = asking(make()).respond(conversation("três", "quatro", history=history))

    assert answer.texts == ("Qual é o número do pedido?",)
    assert model.shown() == [
        ("system", SYSTEM_PROMPT),
        ("user", "um"),
        ("assistant", "A"),
        ("user", "dois"),
        ("assistant", "B"),
        ("user", "três\nquatro"),
    ]


def test_it_is_shown_as_much_of_the_past_as_the_settings_say(make: Make, model: ToolCallingModel) -> None:
    history = (Message("contact", "um"), Message("us", "A"), Message("contact", "dois"))

    asking(make(), ai_history_messages=1).respond(conversation("três", history=history))

    assert model.shown()[1:] == [("user", "dois"), ("user", "três")]


def test_its_tool_is_given_the_conversation_and_the_answer_has_the_call(
    make: Make, model: ToolCallingModel
) -> None:
    def tool(given: Conversation, number: str) -> str:
        return f"{number} de {given.contact.name} chega amanhã"

    answer = asking(make(tool)).respond(conversation("Cadê o A-17?"))

    assert answer.texts == ("O pedido A-17 de Ana chega amanhã.",)
    (call,) = answer.tool_calls
    assert call.name == "order_status"
    assert call.arguments.replace(" ", "") == '{"number":"A-17"}'
    assert call.result == "A-17 de Ana chega amanhã"


def test_the_usage_is_that_of_all_calls_of_the_model(make: Make, model: ToolCallingModel) -> None:
    usage = asking(make(lambda *_: "chega amanhã")).respond(conversation("Cadê o A-17?")).usage

    assert len(model.asked) == 2
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens) == (2 * PROMPT_TOKENS, 2 * COMPLETION_TOKENS)
    assert usage.model.startswith("a-model")


def test_a_long_result_of_a_tool_is_kept_in_part(make: Make) -> None:
    answer = asking(make(lambda *_: "x" * 5_000)).respond(conversation("Cadê o A-17?"))

    assert len(answer.tool_calls[0].result) == MAX_TOOL_CALL_CHARACTERS


def test_two_messages_are_answered_over_one_connection_each_to_the_same_client(
    make: Make, model: ToolCallingModel
) -> None:
    """A client of HTTP is bound to the loop it was first used on: the second run finds the same."""
    asked = asking(make())
    for _ in range(2):
        assert asked.respond(conversation("Oi")).texts == ("Qual é o número do pedido?",)


def test_the_log_says_how_many_tools_were_called_and_not_what_was_said(make: Make) -> None:
    observed = ObservedResponder(asking(make(lambda *_: "chega amanhã")), provider="an agent", attributes={})
    with capture_logs() as logs:
        observed.respond(conversation("Cadê o A-17?"))

    (line,) = [each for each in logs if each["event"] == "answered"]
    assert line["tool_calls"] == 1
    assert "A-17" not in str(logs)
    assert "chega" not in str(logs)


# -- what it may return ----------------------------------------------------------------------------------


def call_a_person(why: str) -> Answer:
    """Call a person of the shop."""
    return Answer("Já chamo alguém.", hand_over=why)


def count(why: str) -> int:
    """Count."""
    return len(why)


def test_an_output_function_of_pydantic_ai_calls_a_person(model: ToolCallingModel) -> None:
    agent = pydantic_ai(model)(output_type=[str, call_a_person])

    assert asking(agent).respond(conversation("Oi")).hand_over is None
    answer = asking(agent).respond(conversation("Quero uma pessoa"))
    assert (answer.texts, answer.hand_over) == (("Já chamo alguém.",), "asks for a person")


def test_an_agent_of_pydantic_ai_may_write_an_answer_itself(model: ToolCallingModel) -> None:
    answer = asking(pydantic_ai(model)(output_type=Answer)).respond(conversation("Oi"))

    assert answer.texts == (QUESTION,)
    assert answer.usage == Usage("a-model-of-today", PROMPT_TOKENS, COMPLETION_TOKENS)


def stopping_at(function: Callable[..., Any], model: ToolCallingModel, **more: Any) -> Any:
    """An agent of the SDK that ends with what one of its tools returned."""
    agent = openai_agents(model)()
    package = pytest.importorskip("agents")
    tool = package.function_tool(function)
    return agent.clone(
        tools=[tool], tool_use_behavior=package.StopAtTools(stop_at_tool_names=[tool.name]), **more
    )


@pytest.mark.parametrize("output_type", [None, Answer])
def test_a_tool_of_the_sdk_calls_a_person(model: ToolCallingModel, output_type: Any) -> None:
    if output_type is not None:
        output_type = pytest.importorskip("agents").AgentOutputSchema(output_type, strict_json_schema=False)
    agent = stopping_at(call_a_person, model, output_type=output_type)

    answer = asking(agent).respond(conversation("Quero uma pessoa"))

    assert (answer.texts, answer.hand_over) == (("Já chamo alguém.",), "asks for a person")


@pytest.mark.parametrize(("asked_for", "has_texts"), [(None, False), ("false", False), ("true", True)])
def test_traces_of_the_sdk_have_no_texts_that_nobody_asked_for(
    monkeypatch: pytest.MonkeyPatch, asked_for: str | None, has_texts: bool
) -> None:
    pytest.importorskip("agents")
    from actors.responders.openai_agents import TEXTS_IN_TRACES, OpenAIAgentsRunner

    monkeypatch.delenv(TEXTS_IN_TRACES, raising=False)
    if asked_for is not None:
        monkeypatch.setenv(TEXTS_IN_TRACES, asked_for)

    assert OpenAIAgentsRunner(cast(Any, None))._config.trace_include_sensitive_data is has_texts


def test_a_tool_of_the_sdk_that_waits_for_an_approval_is_refused(model: ToolCallingModel) -> None:
    agent = openai_agents(model)()
    tool = pytest.importorskip("agents").function_tool(call_a_person, needs_approval=True)

    with pytest.raises(ResponderRefused, match="approved"):
        asking(agent.clone(tools=[tool])).respond(conversation("Quero uma pessoa"))


@pytest.mark.parametrize("framework", ["pydantic_ai", "openai_agents"])
def test_an_output_of_another_type_is_refused(model: ToolCallingModel, framework: str) -> None:
    if framework == "pydantic_ai":
        agent = pydantic_ai(model)(output_type=count)
    else:
        agent = stopping_at(count, model, output_type=int)

    with pytest.raises(ResponderRefused, match="this one's is int: change its output type"):
        asking(agent).respond(conversation("Quero uma pessoa"))


class Runner:
    """Runs no agent: its output is given."""

    def __init__(self, output: Any) -> None:
        self.output = output

    async def run(self, *_: Any) -> AgentRun:
        return AgentRun(self.output, Usage("a-model"))

    def meaning_of(self, _error: Exception) -> Exception | None:
        return None


def given(output: Any) -> Asking:
    return Asking(AgentResponder(Runner(output), timeout_s=10, history_messages=9, history_characters=99))


def test_no_output_is_silence() -> None:
    assert given(None).respond(conversation("Obrigada!")).is_silence


def test_an_empty_text_is_no_answer() -> None:
    with pytest.raises(ResponderUnavailable, match="empty"):
        given(" \n").respond(conversation("Oi"))


# -- errors ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_a_refusal_is_final(make: Make, model: ToolCallingModel, status: int) -> None:
    model.failures = [(status, {})]

    with pytest.raises(ResponderRefused, match=str(status)) as raised:
        asking(make()).respond(conversation("Oi"))
    assert len(model.asked) == 1
    assert "a text of the customer's" not in str(raised.value)
    assert any("a text of the customer's" in note for note in raised.value.__notes__)


@pytest.mark.parametrize(
    ("status", "is_overloaded"), [(408, False), (429, True), (500, False), (503, True), (529, True)]
)
def test_a_failure_may_pass(make: Make, model: ToolCallingModel, status: int, is_overloaded: bool) -> None:
    model.failures = [(status, {})]

    with pytest.raises(ResponderUnavailable, match=str(status)) as raised:
        asking(make()).respond(conversation("Oi"))
    assert len(model.asked) == 1
    assert raised.value.overloaded is is_overloaded
    assert "a text of the customer's" not in str(raised.value)


def test_the_delay_that_a_model_asks_for_is_kept(make: Make, model: ToolCallingModel) -> None:
    model.failures = [(429, {"Retry-After": "7"})]

    with pytest.raises(ResponderUnavailable) as raised:
        asking(make()).respond(conversation("Oi"))
    assert raised.value.delay == 7_000


def test_a_run_that_takes_too_long_is_cancelled_and_may_be_tried_again(
    make: Make, model: ToolCallingModel
) -> None:
    model.is_stuck = True

    with pytest.raises(ResponderUnavailable, match=r"within 0\.3 s") as raised:
        asking(make(), ai_timeout_s=0.3).respond(conversation("Oi"))
    assert raised.value.overloaded
    assert model.hung_up.wait(10)


def test_what_a_tool_raises_is_raised(make: Make) -> None:
    def tool(given: Conversation, number: str) -> str:
        raise ResponderUnavailable("the shop's system is away", 1_000)

    with pytest.raises(ResponderUnavailable, match="the shop's system is away") as raised:
        asking(make(tool)).respond(conversation("Cadê o A-17?"))
    assert raised.value.delay == 1_000


def test_what_an_error_of_pydantic_ai_means() -> None:
    errors = pytest.importorskip("pydantic_ai.exceptions")
    from actors.responders.pydantic_ai import PydanticAIRunner

    def meaning(error: Exception) -> tuple[type, bool]:
        found = PydanticAIRunner(cast(Any, None)).meaning_of(error)  # the agent is not run
        assert "secret" not in str(found)
        return type(found), getattr(found, "overloaded", False)

    refused, passing, busy = (
        (ResponderRefused, False),
        (ResponderUnavailable, False),
        (ResponderUnavailable, True),
    )
    too_many, wrong = errors.ModelHTTPError(429, "m", "secret"), errors.ModelHTTPError(400, "m", "secret")
    assert meaning(errors.UsageLimitExceeded("secret")) == refused
    assert meaning(errors.ContentFilterError("secret")) == refused
    assert meaning(errors.UserError("secret")) == refused
    assert meaning(errors.ModelRequestRejectedError("m", "secret")) == refused
    assert meaning(errors.UnexpectedModelBehavior("secret")) == passing
    assert meaning(errors.ModelConnectionError("m", "secret")) == passing
    assert meaning(errors.ModelTimeoutError("m", "secret")) == busy
    assert meaning(errors.ModelOverloadedError("m", "secret")) == busy
    assert meaning(errors.FallbackExceptionGroup("all failed", [wrong, too_many])) == busy
    assert meaning(errors.FallbackExceptionGroup("all failed", [wrong, wrong])) == refused
    assert meaning(ValueError("of a tool")) == (type(None), False)


def test_what_an_error_of_the_sdk_means() -> None:
    errors = pytest.importorskip("agents.exceptions")
    from actors.responders.openai_agents import OpenAIAgentsRunner

    def meaning(error: Exception) -> tuple[type, bool]:
        found = OpenAIAgentsRunner(cast(Any, None)).meaning_of(error)  # the agent is not run
        assert "secret" not in str(found)
        return type(found), getattr(found, "overloaded", False)

    assert meaning(errors.MaxTurnsExceeded("secret")) == (ResponderRefused, False)
    assert meaning(errors.ModelRefusalError("secret")) == (ResponderRefused, False)
    assert meaning(errors.UserError("secret")) == (ResponderRefused, False)
    assert meaning(errors.ModelBehaviorError("secret")) == (ResponderUnavailable, False)
    assert meaning(errors.ToolTimeoutError("a_tool", 1.0)) == (ResponderUnavailable, False)
    assert meaning(errors.ModelTimeoutError(1.0)) == (ResponderUnavailable, True)
    assert meaning(ValueError("of a tool")) == (type(None), False)


def test_nobody_listens_at_the_endpoint(make: Make, model: ToolCallingModel) -> None:
    model.base_url = f"http://127.0.0.1:{free_port()}/v1"

    with pytest.raises(ResponderUnavailable) as raised:
        asking(make()).respond(conversation("Oi"))
    assert not raised.value.overloaded
