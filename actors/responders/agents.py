"""Agents of other packages as responders: what all of these frameworks have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ..answer import Answer, ToolCall, Usage
from ..conversation import Conversation, Message
from ..model_call import ROLES, prompt_of
from .responder import ResponderRefused, ResponderUnavailable
from .window import window


@dataclass(frozen=True, slots=True)
class AgentRun:
    """What a run of an agent came to.

    Attributes:
      output: what the agent returned.
      usage: what the whole run cost.
      tool_calls: the tools that it called, in order.
    """

    output: Any
    usage: Usage
    tool_calls: Sequence[ToolCall] = ()


class AgentRunner(Protocol):
    """Runs an agent of one framework."""

    async def run(self, history: Sequence[Message], prompt: str, conversation: Conversation) -> AgentRun:
        """Run the agent once.

        Parameters:
          history: what was said before, as much of it as the model is to see.
          prompt: what is unanswered.
          conversation: what the agent's tools are given.
        """
        ...

    def meaning_of(self, error: Exception) -> Exception | None:
        """Make a responder's error of one of the framework's; None for an error that is none of these.

        The framework's own words may quote the prompt: they become a note, which the dead letter has and the
        log has not.
        """
        ...


class AgentResponder:
    """Has an agent answer. It is run once: retries are the queue's affair.

    Parameters:
      runner: runs the agent.
      timeout_s: how long a run may take with all its calls of the model and of tools, in seconds.
      history_messages, history_characters: how much of the past the model is shown.
      keeps_prompts: an answer tells what the agent was asked. Its own instructions are not in there.
    """

    def __init__(
        self,
        runner: AgentRunner,
        *,
        timeout_s: float,
        history_messages: int,
        history_characters: int,
        keeps_prompts: bool = False,
    ) -> None:
        self._runner = runner
        self._timeout_s = timeout_s
        self._history_messages = history_messages
        self._history_characters = history_characters
        self._keeps_prompts = keeps_prompts

    async def respond(self, conversation: Conversation) -> Answer:
        history = window(
            conversation.history,
            max_messages=self._history_messages,
            max_characters=self._history_characters,
        )
        prompt = "\n".join(message.text for message in conversation.unanswered)
        try:
            async with asyncio.timeout(self._timeout_s) as limit:
                outcome = await self._runner.run(history, prompt, conversation)
        except Exception as error:
            if limit.expired():
                raise ResponderUnavailable(
                    f"The agent did not answer within {self._timeout_s:g} s", overloaded=True
                ) from None
            meaning = self._runner.meaning_of(error)
            if meaning is None:
                raise
            raise meaning from None  # its text is in the note
        answer = _answer(outcome)
        if not self._keeps_prompts:
            return answer
        lines = [*((ROLES[each.author], each.text) for each in history), ("user", prompt)]
        return replace(answer, prompt=prompt_of(lines))


def refused(error: Exception) -> Exception:
    """Make the error of a run that would fail again."""
    return _noted(ResponderRefused(f"The agent refused: {type(error).__name__}"), error)


def unavailable(error: Exception, *, overloaded: bool = False) -> Exception:
    """Make the error of a run that may succeed another time."""
    message = f"The agent failed: {type(error).__name__}"
    return _noted(ResponderUnavailable(message, overloaded=overloaded), error)


def _noted(meaning: Exception, error: Exception) -> Exception:
    meaning.add_note(str(error))
    return meaning


def _answer(outcome: AgentRun) -> Answer:
    match outcome.output:
        case None:
            return Answer(usage=outcome.usage, tool_calls=outcome.tool_calls)
        case str(text):
            if not text.strip():
                raise ResponderUnavailable("The agent gave an empty answer")
            return Answer(text.strip(), outcome.usage, tool_calls=outcome.tool_calls)
        case Answer() as answer:
            return replace(answer, usage=outcome.usage, tool_calls=outcome.tool_calls)
        case output:
            raise ResponderRefused(
                f"An agent's output is a text, a recado.Answer or None, and this one's is "
                f"{type(output).__name__}: change its output type"
            )
