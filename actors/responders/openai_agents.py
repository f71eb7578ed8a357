"""An agent of the OpenAI Agents SDK. Imported only where one is used: the package is an extra."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import openai
from agents import (
    Agent,
    InputGuardrailTripwireTriggered,
    MaxTurnsExceeded,
    OutputGuardrailTripwireTriggered,
    RunConfig,
    Runner,
    RunResult,
    ToolInputGuardrailTripwireTriggered,
    ToolOutputGuardrailTripwireTriggered,
    TResponseInputItem,
    UserError,
)
from agents.exceptions import AgentsException, ModelRefusalError, ModelTimeoutError
from agents.items import ToolCallItem, ToolCallOutputItem
from agents.models import get_default_model

from ..answer import Answer, ToolCall, Usage
from ..conversation import Conversation, Message
from .agents import AgentRun, refused, unavailable
from .openai import meaning_of as meaning_of_openais
from .responder import ResponderRefused

#: Errors of a run that would end alike another time: a guardrail, too many turns, a forbidden text, a mistake
#: in how the agent is made.
FINAL = (
    InputGuardrailTripwireTriggered,
    MaxTurnsExceeded,
    ModelRefusalError,
    OutputGuardrailTripwireTriggered,
    ToolInputGuardrailTripwireTriggered,
    ToolOutputGuardrailTripwireTriggered,
    UserError,
)

#: The SDK's own variable: whether its traces, which go to OpenAI, have what was said. Its default is yes.
TEXTS_IN_TRACES = "OPENAI_AGENTS_TRACE_INCLUDE_SENSITIVE_DATA"


class OpenAIAgentsRunner:
    """Runs an agent of the OpenAI Agents SDK; its tools find the conversation as `RunContextWrapper.context`.

    Parameters:
      agent: the agent.
    """

    def __init__(self, agent: Agent[Any]) -> None:
        self._agent = agent
        # What a customer wrote goes to nobody beside the model, unless the operator says so.
        self._config = (
            RunConfig() if TEXTS_IN_TRACES in os.environ else RunConfig(trace_include_sensitive_data=False)
        )

    async def run(self, history: Sequence[Message], prompt: str, conversation: Conversation) -> AgentRun:
        items = [*map(_item, history), _item(Message("contact", prompt))]
        try:
            result = await Runner.run(self._agent, items, context=conversation, run_config=self._config)
        except UserError as error:
            # The SDK wraps what a tool raised as if it were a mistake in the agent.
            if isinstance(error.__cause__, Exception) and not isinstance(error.__cause__, AgentsException):
                raise error.__cause__ from None
            raise
        if result.interruptions:
            raise ResponderRefused("The agent waits until a tool is approved, and nothing here approves one")
        usage = result.context_wrapper.usage
        return AgentRun(
            _output(result),
            Usage(
                _model_of(result.last_agent),
                input_tokens=usage.input_tokens or None,
                output_tokens=usage.output_tokens or None,
            ),
            _tool_calls(result),
        )

    def meaning_of(self, error: Exception) -> Exception | None:
        match error:
            case openai.APIError():
                return meaning_of_openais(error)
            case _ if isinstance(error, FINAL):
                return refused(error)
            case AgentsException():
                return unavailable(error, overloaded=isinstance(error, ModelTimeoutError))
            case _:
                return None


def _output(result: RunResult) -> Any:
    """What the agent returned. The SDK makes a text of the `Answer` of a tool at which the agent stopped."""
    returned = [item.output for item in result.new_items if isinstance(item, ToolCallOutputItem)]
    answers = (each for each in returned if isinstance(each, Answer) and str(each) == result.final_output)
    return next(answers, result.final_output)


def _item(message: Message) -> TResponseInputItem:
    return {"role": "user" if message.author == "contact" else "assistant", "content": message.text}


def _model_of(agent: Agent[Any]) -> str:
    """The name of an agent's model. The SDK's results do not tell it."""
    model = agent.model or get_default_model()
    return model if isinstance(model, str) else str(getattr(model, "model", type(model).__name__))


def _tool_calls(result: RunResult) -> list[ToolCall]:
    results = {item.call_id: item.output for item in result.new_items if isinstance(item, ToolCallOutputItem)}
    return [
        ToolCall(
            item.tool_name or "unknown",
            _arguments(item.raw_item),
            str(results.get(item.call_id, "")),
        )
        for item in result.new_items
        if isinstance(item, ToolCallItem)
    ]


def _arguments(call: Any) -> str:
    """As the model wrote them. The tools that OpenAI runs have none."""
    arguments = call.get("arguments") if isinstance(call, dict) else getattr(call, "arguments", None)
    return "" if arguments is None else str(arguments)
