"""Ties every page of the dashboard to its address."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from .access.authentication import Authentication
from .access.csrf import Csrf
from .access.permissions import GETS, POSTS
from .access.security_headers import SecurityHeaders
from .access.sign_in import SignInPage
from .context import DashboardContext
from .endpoints.event_endpoint import EventEndpoint
from .endpoints.guard import Guard
from .endpoints.page_endpoints import Handler, PageEndpoints
from .endpoints.sign_in_endpoints import SignInEndpoints
from .pages import (
    answering,
    attachments,
    attention,
    audit,
    conversations,
    dead_letter_actions,
    dead_letters,
    finding,
    inbox,
    messages,
    model_calls,
    overview,
    privacy,
    queues,
    trying,
    usage,
    writing,
)
from .pages.shortcuts import shortcuts
from .rendering.render import STATIC


class Routes:
    """Makes the dashboard's application.

    Parameters:
      context: what pages work with.
      authentication: tells which user a request is from.
      csrf: tells where changes may come from.
      sign_in_page: signs users in and out.
    """

    def __init__(
        self,
        context: DashboardContext,
        authentication: Authentication,
        csrf: Csrf,
        sign_in_page: SignInPage,
    ) -> None:
        self._context = context
        self._guard = Guard(context, authentication)
        self._pages = PageEndpoints(context, self._guard, authentication, csrf, sign_in_page)
        self._events = EventEndpoint(context, self._guard, authentication)
        self._sign_in = SignInEndpoints(context, self._guard, authentication, self._pages, sign_in_page)

    def app(self) -> Starlette:
        """Make the application, to be mounted."""
        return Starlette(routes=self._routes(), middleware=[Middleware(SecurityHeaders)])

    def _routes(self) -> Sequence[BaseRoute]:
        get, post, protect = self._get, self._post, self._guard.protect
        return [
            get("/", overview.overview),
            get("/history", overview.history),
            Route("/events", protect(self._events.events), methods=["GET"]),
            get("/queues/{queue}", queues.queue),
            post("/queues/{queue}/pause", queues.pause),
            post("/queues/{queue}/resume", queues.resume),
            get("/messages/{message_id}", messages.message),
            post("/messages/{message_id}/reveal", messages.reveal),
            get("/dead-letters", dead_letters.dead_letters),
            post("/dead-letters/confirm", dead_letter_actions.confirm),
            post("/dead-letters/begin", dead_letter_actions.begin),
            post("/dead-letters/continue", dead_letter_actions.continue_),
            post("/dead-letters/stop", dead_letter_actions.stop),
            get("/dead-letters/{step}", dead_letter_actions.back_to_list),
            get("/conversations", inbox.conversations),
            get("/conversations/search", finding.to_list),
            post("/conversations/search", finding.search),
            get("/conversations/{message_id}", conversations.conversation),
            get("/conversations/{message_id}/day", conversations.day),
            post("/conversations/{message_id}/note", conversations.note),
            post("/conversations/{message_id}/note/delete", conversations.delete_note),
            post("/conversations/{message_id}/reveal", conversations.reveal),
            post("/conversations/{message_id}/take", answering.take),
            post("/conversations/{message_id}/say", answering.say),
            post("/conversations/{message_id}/hand-back", answering.hand_back),
            get("/attention", attention.attention),
            post("/attention/{entry_id}/dismiss", attention.dismiss),
            get("/replies/{reply_id}", attention.reply),
            get("/replies/{reply_id}/model-call", model_calls.model_call),
            post("/replies/{reply_id}/again", attention.again),
            post("/replies/{reply_id}/sent", attention.sent),
            get("/write", writing.form),
            post("/write", writing.send),
            get("/media/{message_id}/{number}", attachments.attachment, fetches=True),
            get("/conversations/{message_id}/erase", privacy.confirm),
            post("/conversations/{message_id}/erase", privacy.erase),
            post("/conversations/{message_id}/export", privacy.export),
            get("/usage", usage.usage),
            get("/audit", audit.audit),
            get("/keys", shortcuts),
            *(self._trying() if self._context.played is not None else ()),
            Route("/login", protect(self._sign_in.login), methods=["GET", "POST"]),
            Route("/language/{tag}", protect(self._sign_in.choose_language), methods=["GET"]),
            Route("/logout", protect(self._sign_in.logout), methods=["POST"]),
            Mount("/static", _Static(directory=STATIC)),
            Route("/{anything:path}", protect(self._guard.not_found)),
        ]

    def _trying(self) -> Sequence[BaseRoute]:
        """Return the pages that are there in development only. What they ask for is answered by this API."""
        return [
            self._get("/try-it", trying.try_it),
            self._post("/try-it/write", trying.write, fetches=True),
            self._post("/try-it/kill", trying.kill),
        ]

    def _get(self, path: str, handler: Handler, *, fetches: bool = False) -> Route:
        endpoint = self._pages.endpoint(handler, role=GETS.get(path, "reader"), fetches=fetches)
        return Route(path, endpoint, methods=["GET"])

    def _post(self, path: str, handler: Handler, *, fetches: bool = False) -> Route:
        return Route(path, self._pages.endpoint(handler, role=POSTS[path], fetches=fetches), methods=["POST"])


class _Static(StaticFiles):
    """Serves files of ours and of others. Their addresses change with their contents."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        answer = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return answer
