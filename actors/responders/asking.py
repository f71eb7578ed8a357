"""Asking any responder: of today or of version 0.1, a function or a coroutine function."""

from __future__ import annotations

import inspect
from typing import Any, Protocol, cast

from ..answer import Answer, InvalidAnswer, checked
from ..conversation import Conversation
from ..event_loop import event_loop
from .responder import Responder, ResponderRefused
from .two_arguments import FromTwoArguments, TwoArgumentResponder


class Asked(Protocol):
    """Gives an answer that can be sent."""

    def respond(self, conversation: Conversation) -> Answer:
        """Answer everything unanswered.

        Raises:
          ResponderRefused: also when the answer cannot be sent.
        """
        ...


class Asking:
    """Asks a responder, runs its coroutine if it returns one, and refuses an answer that cannot be sent.

    Coroutines of all threads run on the process's event loop. One that runs for longer than the actor may is
    cancelled.

    Parameters:
      responder: of today, or of version 0.1.
    """

    def __init__(self, responder: Responder | TwoArgumentResponder) -> None:
        self._responder: Responder = (
            FromTwoArguments(cast(TwoArgumentResponder, responder))
            if _takes_two_arguments(responder.respond)
            else cast(Responder, responder)
        )

    def respond(self, conversation: Conversation) -> Answer:
        response = self._responder.respond(conversation)
        if inspect.isawaitable(response):
            response = event_loop.run(response)
        try:
            return checked(response)
        except InvalidAnswer as error:
            raise ResponderRefused(str(error)) from error


def _takes_two_arguments(respond: Any) -> bool:
    """Whether a method has to be called with two arguments."""
    parameters = inspect.signature(respond).parameters.values()
    needed = [
        each
        for each in parameters
        if each.default is each.empty and each.kind in {each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD}
    ]
    return len(needed) == 2
