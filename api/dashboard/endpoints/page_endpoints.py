"""Makes a page's handler an endpoint."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from urllib.parse import parse_qsl

import structlog
from dramatiq.errors import BrokerError
from starlette.requests import Request
from starlette.responses import Response

from api.roles import Role
from brokers.errors import Unsupported

from ..access.authentication import Authentication
from ..access.csrf import BROWSER_COOKIE, Csrf
from ..access.sign_in import SignInPage
from ..access.user import User
from ..context import DashboardContext
from ..language.catalogue import gettext
from ..language.stored import translated
from ..page_request import NotAllowed, NotFound, PageRequest, form_of
from .guard import Endpoint, Guard

logger = structlog.get_logger(__name__)

#: Answers with a page. It is called in a thread, and may wait for the engine.
Handler = Callable[[DashboardContext, PageRequest], Response]


class PageEndpoints:
    """Makes endpoints of handlers.

    Parameters:
      context: what handlers work with.
      guard: looks up users.
      authentication: knows the addresses of requests.
      csrf: makes and checks tokens.
      sign_in_page: gives browsers their cookie.
    """

    def __init__(
        self,
        context: DashboardContext,
        guard: Guard,
        authentication: Authentication,
        csrf: Csrf,
        sign_in_page: SignInPage,
    ) -> None:
        self._context = context
        self._guard = guard
        self._authentication = authentication
        self._csrf = csrf
        self._sign_in_page = sign_in_page

    def endpoint(self, handler: Handler, *, role: Role = "reader", fetches: bool = False) -> Endpoint:
        """Make an endpoint that has a handler answer in a thread.

        Parameters:
          handler: answers.
          role: what the user needs; all others get a page that says so.
          fetches: it waits for somebody else's server, in the threads for that.
        """

        async def endpoint(request: Request) -> Response:
            browser = self.browser(request)
            page_request = await self.page_request(request, browser)
            answer = await self._context.run_in_thread(
                partial(self._handled, handler, role, page_request),
                threads=self._context.attachments.threads if fetches else None,
            )
            self._sign_in_page.know_browser(request, answer, browser)
            return answer

        return self._guard.protect(endpoint)

    def browser(self, request: Request) -> str:
        """Return the name of a browser: that in its cookie, or a new one."""
        return request.cookies.get(BROWSER_COOKIE) or self._csrf.new_browser()

    async def page_request(self, request: Request, browser: str) -> PageRequest:
        """Read a request; that of a form has to come from a page of the dashboard.

        Raises:
          SignInRequired, AccessDenied: it is from no user.
          CsrfError, BrokenBody: its form is none of ours, or cannot be read.
        """
        user = await self._guard.user(request)
        fields = parse_qsl(request.url.query, keep_blank_values=True)
        if request.method == "POST":
            form = await form_of(request)
            self._csrf.check(request, token=dict(form).get("token", ""), who=user.name)
            fields = form
        return self._made(request, user, browser, fields)

    def _made(self, request: Request, user: User, browser: str, fields: list[tuple[str, str]]) -> PageRequest:
        return PageRequest(
            user=user,
            path=request.url.path,
            query=request.url.query,
            fields=fields,
            parts={name: str(value) for name, value in request.path_params.items()},
            token=self._csrf.token(browser, user.name),
            address=self._authentication.address_of(request),
            in_part="hx-request" in request.headers,
            method=request.method,
        )

    def _handled(self, handler: Handler, role: Role, page_request: PageRequest) -> Response:
        """Return the page, or one that says why there is none."""
        say = partial(self._context.render_page, page_request, "notice.html")
        try:
            _check_role(page_request.user, role)
            return handler(self._context, page_request)
        except NotFound as nothing:
            return say(status=404, title=gettext("Not found"), text=str(nothing))
        except NotAllowed as refusal:
            return say(status=403, title=gettext("Your role does not do this"), text=str(refusal))
        except Unsupported as missing:
            return say(title=gettext("Not on this engine"), text=str(missing))
        except BrokerError as error:
            logger.warning("the dashboard has no answer from the engine", why=str(error))
            return say(status=503, title=gettext("The engine is away"), text=str(error))


def _check_role(user: User, role: Role) -> None:
    """Refuse what the user's role does not do.

    Raises:
      NotAllowed: it says which role does.
    """
    if not user.may(role):
        raise NotAllowed(
            gettext(
                "This takes at least the role {needed}, and yours is {role}. An admin of this dashboard can "
                "change that.",
                needed=translated(role),
                role=translated(user.role),
            )
        )
