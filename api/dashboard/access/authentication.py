"""Decides which user a request is from. A request is refused unless a setting admits it."""

from __future__ import annotations

from starlette.requests import HTTPConnection

from brokers.errors import EngineError
from ops.foundation.settings import Settings

from .client_address import LOOPBACK, forwarded_address, hostname, is_direct, is_in, peer_of
from .sessions import Sessions, same
from .user import Role, User

#: The cookie of a session.
SESSION_COOKIE = "recado_session"

#: The longest name a proxy may give a user, in characters.
MAX_NAME = 200


class SignInRequired(Exception):
    """Refuses a request without a session: a password would open the dashboard."""


class AccessDenied(Exception):
    """Refuses a request that no password would help. The text says how to open the dashboard.

    Attributes:
      status: of the answer.
    """

    status = 403


class SessionsUnreadable(AccessDenied):
    """Refuses a request because the file of ended sessions has not been read yet, and cannot be."""

    status = 503


class Authentication:
    """Decides which user a request is from.

    Parameters:
      settings: the passwords, or the header and from whom it is believed.
      sessions: reads the cookies of those who are signed in.
    """

    def __init__(self, settings: Settings, sessions: Sessions) -> None:
        self._sessions = sessions
        self._operator, self._viewer = map(
            _secret, (settings.dashboard_password, settings.dashboard_readonly_password)
        )
        self._header = settings.dashboard_auth_header
        self._proxies = settings.trusted_proxies
        self._operators = settings.operators
        self._own_hosts = {"localhost", settings.api_host.lower()}

    @property
    def has_passwords(self) -> bool:
        return self._operator is not None or self._viewer is not None

    def user(self, request: HTTPConnection) -> User:
        """Return the user that a request is from. It may wait for a file.

        Raises:
          SignInRequired: the user has to sign in first.
          AccessDenied: the user may not look at anything.
          SessionsUnreadable: a password is set, and the sessions that were ended are not known.
        """
        if self._header is not None and (user := self._named_by_a_proxy(request)) is not None:
            is_operator = not self._operators or user in self._operators
            return User(user, "operator" if is_operator else "viewer")
        if self.has_passwords:
            try:
                session = self._sessions.read(request.cookies.get(SESSION_COOKIE, ""))
            except EngineError as error:
                raise SessionsUnreadable(
                    f"The sessions that were ended cannot be read, so no cookie is accepted: {error}. "
                    "Repair DASHBOARD_AUDIT_PATH as docs/operations.md says. Meanwhile `recado queues` and "
                    "`recado dead` work."
                ) from error
            if session is None:
                raise SignInRequired
            return User(session.role, session.role, signed_in=True)
        if self._header is not None:
            raise AccessDenied(
                f"Come through the proxy that signs users in: this request has no header {self._header}, or "
                "did not come from an address in DASHBOARD_TRUSTED_PROXIES."
            )
        self._check_that_it_is_local(request)
        return User("local", "operator")

    def role_of(self, password: str) -> Role | None:
        """Return the role of a password. It is compared with both, whatever the first comparison says."""
        is_operator = self._operator is not None and same(password, self._operator)
        is_viewer = self._viewer is not None and same(password, self._viewer)
        return "operator" if is_operator else "viewer" if is_viewer else None

    def address_of(self, request: HTTPConnection) -> str:
        """Return the address of a request: what a trusted proxy says, or else the connection's."""
        return forwarded_address(request, self._proxies)

    def _named_by_a_proxy(self, request: HTTPConnection) -> str | None:
        if self._header is None or not is_in(peer_of(request), self._proxies):
            return None
        names = request.headers.getlist(self._header)
        if len(names) != 1:  # one from the proxy and one from a client cannot be told apart
            return None
        name = names[0].strip()
        return name if name and name.isprintable() and len(name) <= MAX_NAME else None

    def _check_that_it_is_local(self, request: HTTPConnection) -> None:
        if not is_direct(request):
            raise AccessDenied(
                "No password is set, so the dashboard answers only browsers on the machine that the API runs "
                "on, and directly. To open it to others, set DASHBOARD_PASSWORD, or DASHBOARD_AUTH_HEADER "
                "behind a proxy that signs users in."
            )
        host = hostname(request.headers.get("host", ""))
        if host not in self._own_hosts and not is_in(host, LOOPBACK):
            raise AccessDenied(
                f"No password is set, and the address {host!r} may be anybody's that was made to lead here. "
                "Open http://localhost, with the API's port, instead."
            )


def _secret(value: object) -> str | None:
    return None if value is None else str(value.get_secret_value())  # type: ignore[attr-defined]
