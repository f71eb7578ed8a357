"""An agent of pydantic-ai. Imported only where one is used: the package is an extra."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import groupby
from operator import attrgetter
from typing import Any

from pydantic_ai import exceptions
from pydantic_ai.agent import AbstractAgent
from pydantic_ai.capabilities import ReinjectSystemPrompt
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

from ..answer import ToolCall, Usage
from ..conversation import Conversation, Message
from ..retry_after import LONGEST_MS
from .agents import AgentRun, refused, unavailable
from .http_status import meaning_of_status
from .responder import ResponderUnavailable

#: Errors of a run that would end alike another time: a limit of the agent's own, a forbidden text, a mistake
#: in how the agent is made, a request that is wrong. Those with an HTTP status are judged by that.
FINAL = (
    exceptions.ContentFilterError,
    exceptions.ModelRequestRejectedError,
    exceptions.UsageLimitExceeded,
    exceptions.UserError,
)

#: Errors of an endpoint that has too much to do, which came without an HTTP status.
OVERLOADED = (
    exceptions.ModelOverloadedError,
    exceptions.ModelRateLimitError,
    exceptions.ModelRequestTimeout,
    exceptions.ModelTimeoutError,
)


class PydanticAIRunner:
    """Runs an agent of pydantic-ai; its tools find the conversation as `RunContext.deps`.

    Parameters:
      agent: the agent.
    """

    def __init__(self, agent: AbstractAgent[Any, Any]) -> None:
        self._agent = agent

    async def run(self, history: Sequence[Message], prompt: str, conversation: Conversation) -> AgentRun:
        result = await self._agent.run(
            prompt,
            message_history=_messages(history),
            deps=conversation,
            # Where there is a history, pydantic-ai expects an agent's `system_prompt` to be in it already.
            capabilities=[ReinjectSystemPrompt()],
        )
        usage = result.usage
        return AgentRun(
            result.output,
            Usage(
                result.response.model_name or "unknown",
                input_tokens=usage.input_tokens or None,
                output_tokens=usage.output_tokens or None,
            ),
            _tool_calls(result.new_messages()),
        )

    def meaning_of(self, error: Exception) -> Exception | None:
        match error:
            case exceptions.ModelHTTPError(status_code=status):
                kind = error.provider_error_code or error.provider_error_type
                return meaning_of_status(status, kind=kind, said=str(error), delay_ms=_delay_ms(error))
            case exceptions.FallbackExceptionGroup(exceptions=errors):
                meanings = [self.meaning_of(each) or unavailable(each) for each in errors]
                passing = (each for each in meanings if isinstance(each, ResponderUnavailable))
                return next(passing, meanings[0])
            case _ if isinstance(error, FINAL):
                return refused(error)
            case exceptions.AgentRunError():
                return unavailable(error, overloaded=isinstance(error, OVERLOADED))
            case _:
                return None


def _messages(history: Sequence[Message]) -> list[ModelMessage]:
    """What was said: a request has all that the contact said in a row, a response all that we did."""
    return [
        _request(said) if author == "contact" else _response(said)
        for author, said in groupby(history, key=attrgetter("author"))
    ]


def _request(said: Iterable[Message]) -> ModelRequest:
    return ModelRequest([UserPromptPart(each.text, timestamp=_time(each)) for each in said])


def _response(said: Iterable[Message]) -> ModelResponse:
    lines = list(said)
    return ModelResponse([TextPart(each.text) for each in lines], timestamp=_time(lines[-1]))


def _time(message: Message) -> datetime:
    return datetime.fromtimestamp(message.at_ms / 1000, UTC)


def _tool_calls(messages: Sequence[ModelMessage]) -> list[ToolCall]:
    parts = [part for message in messages for part in message.parts]
    results = {part.tool_call_id: part for part in parts if isinstance(part, ToolReturnPart)}
    return [
        ToolCall(part.tool_name, part.args_as_json_str(), _text(results.get(part.tool_call_id)))
        for part in parts
        if isinstance(part, ToolCallPart)
    ]


def _text(result: ToolReturnPart | None) -> str:
    return "" if result is None else result.model_response_str()


def _delay_ms(error: exceptions.ModelHTTPError) -> int | None:
    return None if error.retry_after is None else min(int(error.retry_after * 1000), LONGEST_MS)
