"""Signs users in with a password, and out."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.record_file import RecordsUnreadable
from api.users import SHARED, key_of

from ...addresses import split_address
from ...audit_log import AuditLog
from ..language.catalogue import gettext
from ..rendering.render import html
from .authentication import SESSION_COOKIE, Authentication
from .client_address import is_direct
from .csrf import BROWSER_COOKIE, Csrf
from .sessions import SESSION_S, KnownBrowser, Sessions
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
        #: Where passwords are checked: one at a time, and in no thread that a page waits for.
        self.threads = ThreadPoolExecutor(1, thread_name_prefix="recado-sign-in")

    def form(
        self, browser: str, *, next_: str, name: str = "", trouble: str = "", status: int = 200
    ) -> Response:
        """Show the form. It asks for a name where users have names."""
        variables = {
            "token": self._csrf.token(browser, NOBODY),
            "next": next_,
            "trouble": trouble,
            "has_names": self._authentication.has_users,
            "needs_name": not self._authentication.has_shared_passwords,
            "name": name,
        }
        return html("login.html", variables, status=status)

    def sign_in(self, request: Request, form: dict[str, str], browser: str) -> Response:
        """Check a password. Wrong ones are counted by where they come from, and by whose they would be.

        They come from a browser in which that user's password was right before, or else from an address. So
        the wrong passwords of strangers, which may seem to come from the same address behind a proxy, keep no
        user out. One password is checked at a time: the next try finds the one before counted.

        Raises:
          CsrfError: the form is not from a page of the dashboard.
          EngineError: it could not be written down who signed in.
        """
        self._csrf.check(request, token=form.get("token", ""), who=NOBODY)
        name, next_ = form.get("name", "").strip(), safe_target(form.get("next", ""))
        again = partial(self.form, browser, next_=next_, name=name)
        try:
            return self._checked(request, name, form.get("password", ""), next_, again)
        except RecordsUnreadable as error:
            logger.warning("users of the dashboard cannot sign in: their file cannot be read", why=str(error))
            trouble = gettext("The file of users cannot be read. The log of the API says why.")
            return again(trouble=trouble, status=503)

    def _checked(
        self, request: Request, name: str, password: str, next_: str, again: Callable[..., Response]
    ) -> Response:
        address, key = self._authentication.address_of(request), key_of(name)
        known_browser = self._known_browser(request, key)
        if wait_s := self._throttle.wait_s(address, known_browser, name=key):
            trouble = gettext("Too many wrong passwords. Try again in {seconds} s.", seconds=wait_s)
            answer = again(trouble=trouble, status=429)
            answer.headers["Retry-After"] = str(wait_s)
            return answer
        account = self._authentication.account_of(name, password)
        if account is None:
            self._throttle.failed(address, known_browser, name=key)
            logger.warning("wrong password for the dashboard", audit=True, address=address)
            wrong = (
                gettext("That name and that password do not belong together.")
                if name
                else gettext("That is not the password.")
            )
            return again(trouble=wrong, status=401)
        who, role = (account, account) if isinstance(account, str) else (account.name, account.role)
        entry = self._audit.record("sign in", role, who=who, address=address)
        self._audit.record_progress(entry, done=1, outcome="done")
        answer = RedirectResponse(next_, 303)
        self.set_cookie(request, answer, SESSION_COOKIE, self._sessions.issue(account), max_age_s=SESSION_S)
        is_promoted = known_browser is not None and (known_browser.account, account) == ("viewer", "operator")
        if known_browser is None or is_promoted:  # a viewer's browser waits for the failures of all viewers
            vouched = self._sessions.vouch(account)
            self.set_cookie(request, answer, VOUCHED_COOKIE, vouched, max_age_s=VOUCHED_S)
        return answer

    def _known_browser(self, request: Request, key: str) -> KnownBrowser | None:
        """Return the browser, if the password of the user whose name was given was right in it before.

        Another user's browser is a stranger's: its user could make it known again and again, to guess on.
        """
        found = self._sessions.vouched(request.cookies.get(VOUCHED_COOKIE, ""))
        if found is None:
            return None
        is_shared = found.account in SHARED and self._authentication.has_shared_passwords
        is_theirs = found.account == key if key else is_shared
        return found if is_theirs else None

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
