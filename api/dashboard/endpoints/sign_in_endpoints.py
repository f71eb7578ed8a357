"""Answers requests to sign in and out."""

from __future__ import annotations

from functools import partial

from dramatiq.errors import BrokerError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ..access.authentication import Authentication
from ..access.sign_in import HOME, SignInPage, safe_target
from ..context import DashboardContext
from ..language.catalogue import gettext
from ..language.languages import LANGUAGE_COOKIE, LANGUAGE_S, LANGUAGES
from ..page_request import form_of
from ..rendering.render import html
from .guard import Guard
from .page_endpoints import PageEndpoints


class SignInEndpoints:
    """Signs users in and out, and remembers the language that was picked, before sign-in as well.

    Parameters:
      context: has the threads.
      guard: looks up users.
      authentication: tells whether there are passwords.
      pages: reads the requests of users.
      sign_in_page: checks passwords, and sets cookies.
    """

    def __init__(
        self,
        context: DashboardContext,
        guard: Guard,
        authentication: Authentication,
        pages: PageEndpoints,
        sign_in_page: SignInPage,
    ) -> None:
        self._context = context
        self._guard = guard
        self._authentication = authentication
        self._pages = pages
        self._sign_in_page = sign_in_page

    async def login(self, request: Request) -> Response:
        """Show the form, or take a password."""
        browser = self._pages.browser(request)
        if not await self._context.run_in_thread(lambda: self._authentication.has_passwords):
            await self._guard.user(request)
            return RedirectResponse(HOME, 303)
        if request.method == "POST":
            form = dict(await form_of(request))
            answer = await self._context.run_in_thread(
                partial(self._signed_in, request, form, browser), threads=self._sign_in_page.threads
            )
        else:
            next_ = safe_target(request.query_params.get("next", ""))
            answer = await self._context.run_in_thread(partial(self._sign_in_page.form, browser, next_=next_))
        self._sign_in_page.know_browser(request, answer, browser)
        return answer

    async def choose_language(self, request: Request) -> Response:
        """Remember in the browser which language was picked, and lead back to the page. Anybody may."""
        answer = RedirectResponse(safe_target(request.query_params.get("next", "")), 303)
        tag = request.path_params["tag"]
        if tag in LANGUAGES:
            self._sign_in_page.set_cookie(request, answer, LANGUAGE_COOKIE, tag, max_age_s=LANGUAGE_S)
        return answer

    async def logout(self, request: Request) -> Response:
        """End the session of a user who asks on a page of the dashboard."""
        await self._pages.page_request(request, self._pages.browser(request))
        return await self._context.run_in_thread(partial(self._signed_out, request))

    def _signed_in(self, request: Request, form: dict[str, str], browser: str) -> Response:
        try:
            return self._sign_in_page.sign_in(request, form, browser)
        except BrokerError as error:
            text = gettext("It cannot be written down who signs in: {why}", why=error)
            return html("closed.html", {"title": gettext("Not signed in"), "text": text}, status=503)

    def _signed_out(self, request: Request) -> Response:
        try:
            return self._sign_in_page.sign_out(request)
        except BrokerError as error:
            text = gettext(
                "It cannot be written down that this session is over, so it goes on: {why}", why=error
            )
            return html("closed.html", {"title": gettext("Not signed out"), "text": text}, status=503)
