"""Signs users in with a password, and out."""

from __future__ import annotations

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ...addresses import split_address
from ...audit_log import AuditLog
from ..rendering.render import html
from .authentication import SESSION_COOKIE, Authentication
from .client_address import is_direct
from .csrf import BROWSER_COOKIE, Csrf
from .sessions import SESSION_S, Sessions
from .throttle import Throttle

logger = structlog.get_logger(__name__)

LOGIN = "/dashboard/login"
HOME = "/dashboard/"

#: The cookie of a browser from which a password was right, and how long it is good, in seconds: half a year.
VOUCHED_COOKIE = "recado_vouched"
VOUCHED_S = 180 * 86_400

#: The user of a request before signing in, for the tokens of forms.
NOBODY = ""


class SignInPage:
    """Shows the form, checks passwords, and sets cookies.

    Parameters:
      authentication: knows whose password it is.
      sessions: makes cookies.
      csrf: checks where the form comes from.
      audit: records who signed in.
      https_only: the public address is https, so that only a browser on the API's own machine may get a
        cookie for anything else.
    """

    def __init__(
        self,
        authentication: Authentication,
        sessions: Sessions,
        csrf: Csrf,
        audit: AuditLog,
        *,
        https_only: bool,
    ) -> None:
        self._authentication = authentication
        self._sessions = sessions
        self._csrf = csrf
        self._audit = audit
        self._https_only = https_only
        self._throttle = Throttle()

    def form(self, browser: str, *, next_: str, trouble: str = "", status: int = 200) -> Response:
        """Show the form."""
        variables = {"token": self._csrf.token(browser, NOBODY), "next": next_, "trouble": trouble}
        return html("login.html", variables, status=status)

    def sign_in(self, request: Request, form: dict[str, str], browser: str) -> Response:
        """Check a password. Wrong ones are counted by where they come from.

        That is a browser from which a password was right before, or else an address. So the wrong passwords
        of strangers, which may seem to come from the same address behind a proxy, keep no operator out.

        Raises:
          CsrfError: the form is not from a page of the dashboard.
          EngineError: it could not be written down who signed in.
        """
        self._csrf.check(request, token=form.get("token", ""), who=NOBODY)
        address, next_ = self._authentication.address_of(request), safe_target(form.get("next", ""))
        known_browser = self._sessions.vouched(request.cookies.get(VOUCHED_COOKIE, ""))
        if wait_s := self._throttle.wait_s(address, known_browser):
            trouble = f"Too many wrong passwords. Try again in {wait_s} s."
            answer = self.form(browser, next_=next_, trouble=trouble, status=429)
            answer.headers["Retry-After"] = str(wait_s)
            return answer
        role = self._authentication.role_of(form.get("password", ""))
        if role is None:
            self._throttle.failed(address, known_browser)
            logger.warning("wrong password for the dashboard", audit=True, address=address)
            return self.form(browser, next_=next_, trouble="That is not the password.", status=401)
        entry = self._audit.record("sign in", role, who=role, address=address)
        self._audit.record_progress(entry, done=1, outcome="done")
        answer = RedirectResponse(next_, 303)
        self.set_cookie(request, answer, SESSION_COOKIE, self._sessions.issue(role), max_age_s=SESSION_S)
        is_promoted = known_browser is not None and (known_browser.role, role) == ("viewer", "operator")
        if known_browser is None or is_promoted:  # a viewer's browser waits for the failures of all viewers
            self.set_cookie(request, answer, VOUCHED_COOKIE, self._sessions.vouch(role), max_age_s=VOUCHED_S)
        return answer

    def sign_out(self, request: Request) -> Response:
        """End the session, here and wherever else its cookie is.

        Raises:
          EngineError: it could not be written down.
        """
        self._sessions.end(request.cookies.get(SESSION_COOKIE, ""))
        answer = RedirectResponse(LOGIN, 303)
        answer.delete_cookie(SESSION_COOKIE, path="/dashboard")
        return answer

    def know_browser(self, request: Request, answer: Response, browser: str) -> None:
        """Give a browser its cookie, if it has none."""
        if request.cookies.get(BROWSER_COOKIE) != browser:
            self.set_cookie(request, answer, BROWSER_COOKIE, browser)

    def set_cookie(
        self, request: Request, answer: Response, name: str, value: str, *, max_age_s: int | None = None
    ) -> None:
        """Set a cookie for the dashboard alone, out of reach of scripts and other sites."""
        by_https = request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https"
        secure = by_https or (self._https_only and not is_direct(request))
        answer.set_cookie(
            name,
            value,
            max_age=max_age_s,
            path="/dashboard",
            secure=secure,
            httponly=True,
            samesite="strict",
        )


def safe_target(address: str) -> str:
    """Return where to go after signing in: a page of the dashboard, whatever the form says."""
    parts = split_address(address)
    if parts is None:
        return HOME
    is_ours = not parts.scheme and not parts.netloc and address.startswith("/dashboard/")
    return address if is_ours and "\\" not in address and address.isprintable() else HOME
