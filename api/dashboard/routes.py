"""Every page of the dashboard, and what each request passes through on its way there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from urllib.parse import parse_qsl, quote

import structlog
from dramatiq.errors import BrokerError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from api.bodies import BrokenBody, ClientGone
from brokers.errors import Unsupported

from .access.authentication import AccessDenied, Authentication, SignInRequired
from .access.csrf import BROWSER_COOKIE, Csrf, CsrfError
from .access.security_headers import SafeHeaders
from .access.sign_in import LOGIN, SignInPage, safe_target
from .access.user import User
from .context import DashboardContext
from .live.event_streams import StreamEnded, StreamEvent
from .page_request import NotAllowed, NotFound, PageRequest, form_of
from .pages import audit, conversations, dead_letter_actions, dead_letters, messages, overview, queues
from .rendering.render import STATIC, html

logger = structlog.get_logger(__name__)

#: Makes a page. Called in a thread: it may wait for the engine.
Handler = Callable[[DashboardContext, PageRequest], Response]

Endpoint = Callable[[Request], Awaitable[Response]]


class Routes:
    """Ties pages to addresses.

    Parameters:
      context: what pages work with.
      authentication: who may look.
      csrf: where changes may come from.
      sign_in_page: the page for those who are nobody yet.
    """

    def __init__(
        self, context: DashboardContext, authentication: Authentication, csrf: Csrf, sign_in_page: SignInPage
    ) -> None:
        self._context = context
        self._authentication = authentication
        self._csrf = csrf
        self._sign_in_page = sign_in_page

    def app(self) -> Starlette:
        """The dashboard, to be mounted."""
        return Starlette(routes=self._routes(), middleware=[Middleware(SafeHeaders)])

    def _routes(self) -> Sequence[BaseRoute]:
        get, post = self._page, partial(self._page, method="POST")
        return [
            get("/", overview.overview),
            get("/history", overview.history),
            Route("/events", self._guarded(self._events), methods=["GET"]),
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
            get("/conversations", conversations.conversations),
            get("/conversations/{message_id}", conversations.conversation),
            post("/conversations/{message_id}/reveal", conversations.reveal),
            get("/audit", audit.audit),
            Route("/login", self._guarded(self._login), methods=["GET", "POST"]),
            Route("/logout", self._guarded(self._logout), methods=["POST"]),
            Mount("/static", _Static(directory=STATIC)),
            Route("/{anything:path}", self._guarded(self._nothing)),
        ]

    # -- what pages pass through --------------------------------------------------------------------

    def _page(self, path: str, handler: Handler, *, method: str = "GET") -> Route:
        async def endpoint(request: Request) -> Response:
            browser = self._browser(request)
            user = await self._user(request)
            page_request = await self._page_request(request, user, browser)
            answer = await self._context.run_in_thread(partial(self._handled, handler, page_request))
            self._sign_in_page.know_browser(request, answer, browser)
            return answer

        return Route(path, self._guarded(endpoint), methods=[method])

    async def _page_request(self, request: Request, user: User, browser: str) -> PageRequest:
        fields = parse_qsl(request.url.query, keep_blank_values=True)
        if request.method == "POST":
            form = await form_of(request)
            self._csrf.check(request, token=dict(form).get("token", ""), who=user.name)
            fields = form
        return PageRequest(
            user=user,
            path=request.url.path,
            query=request.url.query,
            fields=fields,
            parts={name: str(value) for name, value in request.path_params.items()},
            token=self._csrf.token(browser, user.name),
            address=self._authentication.address_of(request),
            in_part="hx-request" in request.headers,
        )

    def _handled(self, handler: Handler, page_request: PageRequest) -> Response:
        """The page, or why there is none, on a page all the same."""
        say = partial(self._context.render_page, page_request, "notice.html")
        try:
            return handler(self._context, page_request)
        except NotFound as nothing:
            return say(status=404, title="Not found", text=str(nothing))
        except NotAllowed as refusal:
            return say(status=403, title="For operators", text=str(refusal))
        except Unsupported as missing:
            return say(title="Not on this engine", text=str(missing))
        except BrokerError as error:
            logger.warning("the dashboard has no answer from the engine", why=str(error))
            return say(status=503, title="The engine is away", text=str(error))

    def _guarded(self, endpoint: Endpoint) -> Endpoint:
        """Refuse an endpoint to a user who may not have it, and say why."""

        async def guarded(request: Request) -> Response:
            try:
                return await endpoint(request)
            except SignInRequired:
                return _to_sign_in(request)
            except AccessDenied as closed:
                return await self._notice(closed.status, "Closed", str(closed))
            except CsrfError as error:
                text = f"Nothing was done: {error}. Open the page anew and try again."
                return await self._notice(403, "Nothing was done", text)
            except ClientGone:
                return Response(status_code=400)
            except BrokenBody as error:
                return await self._notice(400, "Nothing was done", f"The form cannot be read: {error}.")

        return guarded

    async def _user(self, request: Request) -> User:
        """Look up the user in a thread: whether a session was ended is read from a file."""
        return await self._context.run_in_thread(partial(self._authentication.user, request))

    def _browser(self, request: Request) -> str:
        return request.cookies.get(BROWSER_COOKIE) or self._csrf.new_browser()

    # -- what is no page ----------------------------------------------------------------------------

    async def _events(self, request: Request) -> Response:
        await self._user(request)
        look = self._look(request)
        if look is None:
            return PlainTextResponse("There is no such stream.\n", 404)

        def guarded() -> Sequence[StreamEvent]:
            try:
                self._authentication.user(request)  # not for longer than the user is signed in
                return look()
            except (SignInRequired, AccessDenied, NotFound) as error:
                raise StreamEnded from error
            except BrokerError:
                return []  # the overview says so; other pages stay as they are until it is back

        return self._context.streams.respond(guarded)

    def _look(self, request: Request) -> Callable[[], Sequence[StreamEvent]] | None:
        """What the page shows that asks."""
        context, asked = self._context, request.query_params
        match asked.get("of"):
            case "overview":
                return partial(overview.events, context)
            case "queue":
                return partial(queues.events, context, asked.get("queue", ""), asked.get("state", ""))
            case "dead":
                return partial(dead_letters.events, context)
            case "conversation":
                return partial(conversations.events, context, asked.get("id", ""))
            case "nothing":
                return lambda: overview.common_events(context, context.sampler.snapshot())
        return None

    async def _login(self, request: Request) -> Response:
        browser = self._browser(request)
        if not self._authentication.has_passwords:
            await self._user(request)
            return RedirectResponse("/dashboard/", 303)
        if request.method == "POST":
            form = dict(await form_of(request))
            answer = await self._context.run_in_thread(partial(self._signed_in, request, form, browser))
        else:
            next_ = safe_target(request.query_params.get("next", ""))
            answer = await self._context.run_in_thread(partial(self._sign_in_page.form, browser, next_=next_))
        self._sign_in_page.know_browser(request, answer, browser)
        return answer

    def _signed_in(self, request: Request, form: dict[str, str], browser: str) -> Response:
        try:
            return self._sign_in_page.sign_in(request, form, browser)
        except BrokerError as error:
            variables = {"title": "Not signed in", "text": f"It cannot be written down who signs in: {error}"}
            return html("closed.html", variables, status=503)

    def _signed_out(self, request: Request) -> Response:
        try:
            return self._sign_in_page.sign_out(request)
        except BrokerError as error:
            text = f"It cannot be written down that this session is over, so it goes on: {error}"
            return html("closed.html", {"title": "Not signed out", "text": text}, status=503)

    async def _logout(self, request: Request) -> Response:
        await self._page_request(request, await self._user(request), self._browser(request))
        return await self._context.run_in_thread(partial(self._signed_out, request))

    async def _notice(self, status: int, title: str, text: str) -> Response:
        """For those who may see nothing else."""
        return await self._context.run_in_thread(
            partial(html, "closed.html", {"title": title, "text": text}, status=status)
        )

    async def _nothing(self, request: Request) -> Response:
        await self._user(request)
        return await self._notice(404, "Not found", "There is no such page.")


class _Static(StaticFiles):
    """Files of ours and of others. Their addresses change with them."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        answer = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return answer


def _to_sign_in(request: Request) -> Response:
    """A page leads to the form; what htmx asks for in a page's name leads the whole page there."""
    if "hx-request" in request.headers:
        return PlainTextResponse("Sign in first.\n", 401, headers={"HX-Redirect": LOGIN})
    if request.method != "GET" or request.url.path.endswith(("/events", "/history")):
        return PlainTextResponse("Sign in first.\n", 401)
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"{LOGIN}?next={quote(target, safe='')}", 303)
