"""Decides which user a request is from. A request is refused unless a setting admits it."""

from __future__ import annotations

from starlette.requests import HTTPConnection

from api.record_file import RecordsUnreadable
from api.roles import ROLES, Role
from api.users import KeptUser, UserFile
from brokers.errors import EngineError
from ops.foundation.settings import Settings

from ..language.catalogue import gettext
from .client_address import LOOPBACK, forwarded_address, hostname, is_direct, is_in, peer_of
from .sessions import Sessions, same
from .user import User

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
    """Refuses a request because the file of ended sessions, or that of users, cannot be read."""

    status = 503


class Authentication:
    """Decides which user a request is from.

    Parameters:
      settings: the passwords, or the header and from whom it is believed.
      sessions: reads the cookies of those who are signed in.
      users: the users with a name and a password of their own.
    """

    def __init__(self, settings: Settings, sessions: Sessions, users: UserFile) -> None:
        self._sessions = sessions
        self._users = users
        self._operator, self._viewer = map(
            _secret, (settings.dashboard_password, settings.dashboard_readonly_password)
        )
        shared = {"operator": self._operator, "viewer": self._viewer}
        self._void = frozenset(name for name, secret in shared.items() if secret is None)
        self._header = settings.dashboard_auth_header
        self._role_header = settings.dashboard_auth_role_header
        self._proxies = settings.trusted_proxies
        self._operators = settings.operators
        self._own_hosts = {"localhost", settings.api_host.lower()}

    @property
    def has_passwords(self) -> bool:
        """Tell whether somebody could sign in. It looks at a file."""
        return self.has_shared_passwords or self.has_users

    @property
    def has_shared_passwords(self) -> bool:
        """Tell whether a password opens the dashboard by itself, without a name."""
        return self._operator is not None or self._viewer is not None

    @property
    def has_users(self) -> bool:
        """Tell whether users have names. It looks at a file: one that cannot be read has users."""
        try:
            return bool(self._users.users())
        except RecordsUnreadable:
            return True

    def user(self, request: HTTPConnection) -> User:
        """Return the user that a request is from. It may wait for a file.

        Raises:
          SignInRequired: the user has to sign in first.
          AccessDenied: the user may not look at anything.
          SessionsUnreadable: a password is set, and the sessions that were ended are not known.
        """
        if self._header is not None and (name := self._named_by_a_proxy(request)) is not None:
            return User(name, self._role_by_a_proxy(request, name))
        if self.has_passwords:
            return self._signed_in(request.cookies.get(SESSION_COOKIE, ""))
        if self._header is not None:
            raise AccessDenied(
                gettext(
                    "Come through the proxy that signs users in: this request has no header {header}, or "
                    "did not come from an address in DASHBOARD_TRUSTED_PROXIES.",
                    header=self._header,
                )
            )
        self._check_that_it_is_local(request)
        return User.shared("local")

    def account_of(self, name: str, password: str) -> str | KeptUser | None:
        """Return whose password it is: a user's of the file, or, without a name, `operator` or `viewer`.

        It takes as long, and returns the same, for a name that is nobody's as for a wrong password. Without a
        name the password is compared with both, whatever the first comparison says.

        Raises:
          RecordsUnreadable: the file of users cannot be read.
        """
        if name:
            return self._users.verify(name, password)
        is_operator = self._operator is not None and same(password, self._operator)
        is_viewer = self._viewer is not None and same(password, self._viewer)
        return "operator" if is_operator else "viewer" if is_viewer else None

    def address_of(self, request: HTTPConnection) -> str:
        """Return the address of a request: what a trusted proxy says, or else the connection's."""
        return forwarded_address(request, self._proxies)

    def _signed_in(self, cookie: str) -> User:
        try:
            session = self._sessions.read(cookie)
        except EngineError as error:
            raise SessionsUnreadable(
                gettext(
                    "The sessions that were ended cannot be read, so no cookie is accepted: {why}. "
                    "Repair DASHBOARD_AUDIT_PATH as docs/operations.md says. Meanwhile `recado queues` "
                    "and `recado dead` work.",
                    why=error,
                )
            ) from error
        except RecordsUnreadable as error:
            raise SessionsUnreadable(gettext("Users with a name are not let in: {why}", why=error)) from error
        # Where no setting is a secret, anybody could make the cookie of a password that is not set.
        if session is None or session.user.name in self._void:
            raise SignInRequired
        return session.user

    def _role_by_a_proxy(self, request: HTTPConnection, name: str) -> Role:
        """Return the role that a proxy gives a user, or else DASHBOARD_OPERATORS.

        Raises:
          AccessDenied: the proxy has to name a role, and does not.
        """
        if self._role_header is None:
            return "admin" if not self._operators or name in self._operators else "reader"
        roles = request.headers.getlist(self._role_header)
        role = next((each for each in ROLES if roles == [each]), None)
        if role is None:
            raise AccessDenied(
                gettext(
                    "The proxy names the user {name} and no role: the header {header} has to be one of "
                    "{roles}.",
                    name=name,
                    header=self._role_header,
                    roles=", ".join(ROLES),
                )
            )
        return role

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
                gettext(
                    "No password is set, so the dashboard answers only browsers on the machine that the API "
                    "runs on, and directly. To open it to others, make users with `recado users create`, set "
                    "DASHBOARD_PASSWORD, or DASHBOARD_AUTH_HEADER behind a proxy that signs users in."
                )
            )
        host = hostname(request.headers.get("host", ""))
        if host not in self._own_hosts and not is_in(host, LOOPBACK):
            raise AccessDenied(
                gettext(
                    "No password is set, and the address {host} may be anybody's that was made to lead here. "
                    "Open http://localhost, with the API's port, instead.",
                    host=repr(host),
                )
            )


def _secret(value: object) -> str | None:
    return None if value is None else str(value.get_secret_value())  # type: ignore[attr-defined]
