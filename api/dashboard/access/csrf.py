"""Checks that a change was asked for on a page of the dashboard, and not on another site's page."""

from __future__ import annotations

import hmac
import secrets
from urllib.parse import SplitResult, urlsplit

from starlette.requests import HTTPConnection

from ...addresses import split_address
from ..language.catalogue import gettext
from .sessions import Sessions

#: The cookie that knows the browser, signed in or not.
BROWSER_COOKIE = "recado_browser"


class CsrfError(Exception):
    """Refuses a request that did not come from a page of the dashboard."""


class Csrf:
    """Makes and checks CSRF tokens.

    Parameters:
      sessions: signs tokens.
      public_origin: scheme and host under which browsers may know the API, beside what they say themselves.
    """

    def __init__(self, sessions: Sessions, public_origin: str | None) -> None:
        self._sessions = sessions
        self._public_origin = None if public_origin is None else _origin(urlsplit(public_origin))

    def new_browser(self) -> str:
        """Make a value for the cookie of a browser that has none."""
        return secrets.token_urlsafe(18)

    def token(self, browser: str, who: str) -> str:
        """Make the token that every form of a page sends: good in this browser only, and for this user."""
        return self._sessions.sign("csrf", f"{browser}\0{who}")

    def check(self, request: HTTPConnection, *, token: str, who: str) -> None:
        """Check a request that would change something.

        Raises:
          CsrfError: it has no good token, or its browser says that it comes from another site.
        """
        if not self._is_same_origin(request):
            raise CsrfError(gettext("the browser says that the request comes from another site"))
        browser = request.cookies.get(BROWSER_COOKIE, "")
        if not browser or not hmac.compare_digest(token.encode(), self.token(browser, who).encode()):
            raise CsrfError(gettext("the page it comes from is too old, or of another visitor"))

    def _is_same_origin(self, request: HTTPConnection) -> bool:
        """Compare origins. Browsers send Origin with every form, and Sec-Fetch-Site over safe connections."""
        fetch_site = request.headers.get("sec-fetch-site")
        if fetch_site is not None:
            return fetch_site == "same-origin"
        origin = split_address(request.headers.get("origin", ""))
        if origin is None or not origin.netloc:
            return False
        return origin.netloc == request.headers.get("host", "") or _origin(origin) == self._public_origin


def _origin(address: SplitResult) -> str:
    return f"{address.scheme}://{address.netloc}"
