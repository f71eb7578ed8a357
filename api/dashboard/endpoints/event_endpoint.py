"""Answers open pages with a stream of what changes on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from dramatiq.errors import BrokerError
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from ..access.authentication import AccessDenied, Authentication, SignInRequired
from ..access.user import User
from ..context import DashboardContext
from ..language.languages import current, use
from ..live.event_streams import StreamEnded, StreamEvent
from ..page_request import NotAllowed, NotFound
from ..pages import conversations, dead_letters, inbox, overview, queues, trying
from .guard import Guard

#: How often the walk of a message is read that is tried in development, in seconds: its steps are short.
WALK_EVERY_S = 0.25


class EventEndpoint:
    """Answers requests for events.

    Parameters:
      context: what is shown.
      guard: looks up users.
      authentication: tells whether a user is still signed in.
    """

    def __init__(self, context: DashboardContext, guard: Guard, authentication: Authentication) -> None:
        self._context = context
        self._guard = guard
        self._authentication = authentication

    async def events(self, request: Request) -> Response:
        """Open the stream of the page that asks."""
        user = await self._guard.user(request)
        read, language = self._reader(request, user), current()
        if read is None:
            return PlainTextResponse("There is no such stream.\n", 404)

        def guarded() -> Sequence[StreamEvent]:
            try:
                if self._authentication.user(request) != user:  # who has another role sees other things
                    raise StreamEnded
                with use(language):  # threads know nothing of the request
                    return read()
            except (SignInRequired, AccessDenied, NotAllowed, NotFound) as error:
                raise StreamEnded from error
            except BrokerError:
                return []  # the overview says so; other pages stay as they are until the engine is back

        is_walk = request.query_params.get("of") == "try-it"
        return self._context.streams.respond(guarded, every_s=WALK_EVERY_S if is_walk else None)

    def _reader(self, request: Request, user: User) -> Callable[[], Sequence[StreamEvent]] | None:  # noqa: PLR0911  a page each
        """Return what reads the events of the page that asks; None for no known page."""
        context, query = self._context, request.query_params
        which = query.get("which", "")
        match query.get("of"):
            case "overview":
                return partial(overview.events, context)
            case "queue":
                return partial(queues.events, context, query.get("queue", ""), query.get("state", ""))
            case "dead":
                return partial(dead_letters.events, context)
            case "conversation":
                return partial(conversations.events, context, query.get("id", ""), which, user)
            case "inbox":
                return partial(inbox.events, context, query.get("which", ""), user)
            case "try-it" if context.played is not None:
                return partial(trying.events, context, query.get("phone", ""), query.get("message", ""), user)
            case "nothing":
                return lambda: overview.common_events(context, context.sampler.snapshot())
        return None
