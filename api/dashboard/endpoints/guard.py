"""Refuses requests that may not pass, and says why."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from api.bodies import BrokenBody, ClientGone

from ..access.authentication import AccessDenied, Authentication, SignInRequired
from ..access.csrf import CsrfError
from ..access.sign_in import LOGIN
from ..access.user import User
from ..context import DashboardContext
from ..language.catalogue import gettext
from ..language.languages import LANGUAGE_COOKIE, Language, language_for, use
from ..rendering.render import html

Endpoint = Callable[[Request], Awaitable[Response]]


class Guard:
    """Lets endpoints answer the requests of users, and answers all others itself.

    Parameters:
      context: has the threads.
      authentication: tells which user a request is from.
    """

    def __init__(self, context: DashboardContext, authentication: Authentication) -> None:
        self._context = context
        self._authentication = authentication

    def protect(self, endpoint: Endpoint) -> Endpoint:
        """Wrap an endpoint, so that what it raises becomes an answer."""

        async def protected(request: Request) -> Response:
            with use(self._language(request)):
                return await self._answer(endpoint, request)

        return protected

    async def _answer(self, endpoint: Endpoint, request: Request) -> Response:
        try:
            return await endpoint(request)
        except SignInRequired:
            return _to_sign_in(request)
        except AccessDenied as refusal:
            return await self.notice(refusal.status, gettext("Closed"), str(refusal))
        except CsrfError as error:
            text = gettext("Nothing was done: {why}. Open the page anew and try again.", why=error)
            return await self.notice(403, gettext("Nothing was done"), text)
        except ClientGone:
            return Response(status_code=400)
        except BrokenBody as error:
            text = gettext("The form cannot be read: {why}.", why=error)
            return await self.notice(400, gettext("Nothing was done"), text)

    def _language(self, request: Request) -> Language:
        return language_for(
            cookie=request.cookies.get(LANGUAGE_COOKIE),
            setting=self._context.settings.dashboard_language,
            accepted=request.headers.get("accept-language", ""),
        )

    async def user(self, request: Request) -> User:
        """Look up the user in a thread: whether a session was ended is read from a file."""
        return await self._context.run_in_thread(partial(self._authentication.user, request))

    async def notice(self, status: int, title: str, text: str) -> Response:
        """Answer with a page that shows nothing else of the dashboard."""
        variables = {"title": title, "text": text}
        return await self._context.run_in_thread(partial(html, "closed.html", variables, status=status))

    async def not_found(self, request: Request) -> Response:
        """Tell a user that there is no such page; tell others nothing."""
        await self.user(request)
        return await self.notice(404, gettext("Not found"), gettext("There is no such page."))


def _to_sign_in(request: Request) -> Response:
    """Lead to the sign-in page. htmx asks in a page's name, so its answer leads the whole page there."""
    if "hx-request" in request.headers:
        return PlainTextResponse("Sign in first.\n", 401, headers={"HX-Redirect": LOGIN})
    if request.method != "GET" or request.url.path.endswith(("/events", "/history")):
        return PlainTextResponse("Sign in first.\n", 401)
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"{LOGIN}?next={quote(target, safe='')}", 303)
