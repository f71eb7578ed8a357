"""Asking any responder: of today or of version 0.1, a function or a coroutine function."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Awaitable
from typing import Any, Protocol, cast

from dramatiq.asyncio import EventLoopThread
from dramatiq.logging import get_logger

from ..answer import Answer, InvalidAnswer, checked
from ..conversation import Conversation
from .responder import Responder, ResponderRefused, Response
from .two_arguments import FromTwoArguments, TwoArgumentResponder

#: How long the event loop may take to start, in seconds.
START_WITHIN_S = 5.0


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

    Coroutines of all threads run on one event loop. One that runs for longer than the actor may is cancelled.

    Parameters:
      responder: of today, or of version 0.1.
    """

    def __init__(self, responder: Responder | TwoArgumentResponder) -> None:
        self._responder: Responder = (
            FromTwoArguments(cast(TwoArgumentResponder, responder))
            if _takes_two_arguments(responder.respond)
            else cast(Responder, responder)
        )
        self._loop = _Loop()

    def respond(self, conversation: Conversation) -> Answer:
        response = self._responder.respond(conversation)
        if inspect.isawaitable(response):
            response = self._loop.run(response)
        try:
            return checked(response)
        except InvalidAnswer as error:
            raise ResponderRefused(str(error)) from error


class _Loop:
    """An event loop in a thread of its own, started when it is first needed."""

    def __init__(self) -> None:
        self._starting = threading.Lock()
        self._thread: EventLoopThread | None = None

    def run(self, awaitable: Awaitable[Response]) -> Response:
        """Run a coroutine on the loop and wait for what it returns."""

        async def awaited() -> Response:
            return await awaitable

        response: Response = self._started().run_coroutine(awaited())
        return response

    def _started(self) -> EventLoopThread:
        with self._starting:
            if self._thread is None or not self._thread.is_alive():  # never started, or left behind by a fork
                self._thread = EventLoopThread(get_logger(__name__))
                self._thread.daemon = True  # it holds up no process that ends
                self._thread.start(timeout=START_WITHIN_S)
        return self._thread


def _takes_two_arguments(respond: Any) -> bool:
    """Whether a method has to be called with two arguments."""
    parameters = inspect.signature(respond).parameters.values()
    needed = [
        each
        for each in parameters
        if each.default is each.empty and each.kind in {each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD}
    ]
    return len(needed) == 2
