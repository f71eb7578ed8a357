"""Makes a responder of what `AI_PROVIDER=package.module:name` names: an agent, a function, or a factory."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from typing import Any

from ops.foundation.settings import Settings, SettingsError

from ..conversation import Conversation
from .agents import AgentResponder
from .named import UnknownName, import_named

#: The class that a framework's agents derive from, as its module and its name; where their runner is here. An
#: agent is known by these names, so that no framework is imported that is not used.
AGENTS: Mapping[tuple[str, str], tuple[str, str]] = {
    ("agents.agent", "Agent"): ("openai_agents", "OpenAIAgentsRunner"),
    ("pydantic_ai.agent.abstract", "AbstractAgent"): ("pydantic_ai", "PydanticAIRunner"),
}


def responder_of_your_own(settings: Settings) -> Any:
    """Import what `AI_PROVIDER` names, and make a responder of it.

    Raises:
      SettingsError: it cannot be imported, or is nothing that a responder can be made of.
    """
    try:
        named = import_named(settings.ai_provider)
    except UnknownName as error:
        raise SettingsError(f"AI_PROVIDER: {error}") from error
    responder = as_responder(named, settings)
    if responder is None and callable(named):
        named = named(settings)
        responder = as_responder(named, settings)
    if responder is None:
        raise SettingsError(
            f"AI_PROVIDER: {settings.ai_provider} leads to a {type(named).__name__}. It must name an agent "
            "of pydantic-ai or of the OpenAI Agents SDK, an object with respond(conversation), a function "
            "whose one parameter is annotated as a recado.Conversation, or a factory: a function that takes "
            "the settings and returns one of these."
        )
    return responder


def as_responder(named: Any, settings: Settings) -> Any:
    """Make a responder of an agent or of a function that answers; return one that is a responder already.

    Returns None for all else, a factory included.
    """
    if not inspect.isclass(named) and callable(getattr(named, "respond", None)):
        return named
    if (runner := _runner_of(named)) is not None:
        return AgentResponder(
            runner,
            timeout_s=settings.ai_timeout_s,
            history_messages=settings.ai_history_messages,
            history_characters=settings.ai_history_characters,
            keeps_prompts=settings.ai_keep_prompts,
        )
    if callable(named) and _takes_a_conversation(named):
        return _Function(named)
    return None


def _runner_of(named: Any) -> Any:
    """What runs an agent; None for what is no agent."""
    for kind in type(named).__mro__:
        if found := AGENTS.get((kind.__module__, kind.__name__)):
            module_name, runner_name = found
            return getattr(importlib.import_module(f".{module_name}", __package__), runner_name)(named)
    return None


def _takes_a_conversation(function: Any) -> bool:
    """Whether a function says by its annotation that it answers. A factory takes the settings."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # of C, for example
        return False
    if len(parameters) != 1:
        return False
    annotation = parameters[0].annotation
    if isinstance(annotation, str):  # with `from __future__ import annotations`
        return annotation.rpartition(".")[2] == Conversation.__name__
    return annotation is Conversation


class _Function:
    """A function, or a coroutine function, as a responder."""

    def __init__(self, function: Any) -> None:
        self.respond = function
