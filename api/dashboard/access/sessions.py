"""Makes and reads the signed cookies of sessions. The server keeps which were ended, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple

from api.users import KeptUser, UserFile

from .sign_outs import SignOuts
from .user import User

#: How long a session lasts, in seconds: a long working day.
SESSION_S = 12 * 3_600

#: scrypt's cost: 16 MB and some 50 ms, once in a process. The holder of a cookie could otherwise guess
#: passwords as fast as a machine can hash.
_COST = {"n": 2**14, "r": 8, "p": 1}


#: What the cookies of users with a name are signed for. A process of an earlier version takes none of them.
_SESSION, _BROWSER = "session of a user", "browser of a user"


class Session(NamedTuple):
    """Holds the user of a session, its end in seconds since the epoch, and its id."""

    user: User
    expires_at: int
    session_id: str


class KnownBrowser(NamedTuple):
    """Names a browser from which a password was right before.

    Attributes:
      account: whose password: `operator` or `viewer`, or the key of a user of the file.
      name: the browser's.
    """

    account: str
    name: str


class Sessions:
    """Makes and reads cookies. Every API process with the same secrets reads those of the others.

    Parameters:
      secrets_: what the key is derived from, the passwords first: when one is changed, no cookie of before
        is worth anything.
      users: the users with a name; None where there is no file of them.
      sign_outs: sessions that were ended; None where none can be.
      clock: seconds since the epoch.
    """

    def __init__(
        self,
        secrets_: Sequence[str],
        *,
        users: UserFile | None = None,
        sign_outs: SignOuts | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._secrets = secrets_
        self._users = users
        self._sign_outs = sign_outs
        self._clock = clock

    @cached_property
    def _key(self) -> bytes:
        joined = "\0".join(self._secrets).encode()
        return hashlib.scrypt(joined, salt=b"recado dashboard", **_COST)

    def issue(self, account: str | KeptUser) -> str:
        """Make the cookie of a new session.

        The cookie of a user of the file is signed with the digest of the password too: it is worth nothing
        after another password, and cannot be made by a stranger where no setting is a secret.

        Parameters:
          account: `operator` or `viewer`, or a user of the file.
        """
        ends = f"{int(self._clock()) + SESSION_S}.{secrets.token_urlsafe(9)}"
        if isinstance(account, KeptUser):
            return self._signed(_SESSION, f"{_encoded(account.name)}.{ends}", account)
        return f"{account}.{ends}.{self.sign('session', f'{account}.{ends}')}"

    def read(self, cookie: str) -> Session | None:
        """Return the session of a cookie.

        None when it is forged, too old, of a session that was ended, or of a user who is not there any more
        or has another password.

        Raises:
          EngineError: it cannot be told whether the session was ended.
          RecordsUnreadable: it cannot be told whether the user is there.
        """
        body, _, signature = cookie.rpartition(".")
        if hmac.compare_digest(signature.encode(), self.sign("session", body).encode()):
            account, expires_at, session_id = body.split(".", 2)
            user = User.shared("operator" if account == "operator" else "viewer", signed_in=True)
        elif (kept := self._signer(_SESSION, body, signature)) is not None:
            _, expires_at, session_id = body.split(".", 2)
            user = User(kept.name, kept.role, signed_in=True)
        else:
            return None
        session = Session(user, int(expires_at), session_id)
        if session.expires_at <= self._clock():
            return None
        was_ended = self._sign_outs is not None and session_id in self._sign_outs
        return None if was_ended else session

    def end(self, cookie: str) -> None:
        """End the session of a cookie, wherever else the cookie is.

        Raises:
          EngineError, RecordsUnreadable: it cannot be written down, and the session goes on.
        """
        session = self.read(cookie)
        if session is not None and self._sign_outs is not None:
            self._sign_outs.add(session.session_id, session.expires_at)

    def vouch(self, account: str | KeptUser) -> str:
        """Make a cookie for a browser from which a password was right.

        Parameters:
          account: as of `issue`.
        """
        browser = secrets.token_urlsafe(18)
        if isinstance(account, KeptUser):
            return self._signed(_BROWSER, f"{_encoded(account.name)}.{browser}", account)
        return f"{account}.{browser}.{self.sign('browser', f'{account}.{browser}')}"

    def vouched(self, cookie: str) -> KnownBrowser | None:
        """Return the browser that `vouch` made a cookie for; None when the cookie is forged.

        Raises:
          RecordsUnreadable: as of `read`.
        """
        body, _, signature = cookie.rpartition(".")
        if hmac.compare_digest(signature.encode(), self.sign("browser", body).encode()):
            account, name = body.split(".", 1)
            return KnownBrowser("operator" if account == "operator" else "viewer", name)
        kept = self._signer(_BROWSER, body, signature)
        return None if kept is None else KnownBrowser(kept.key, body.split(".", 1)[1])

    def _signed(self, purpose: str, body: str, user: KeptUser) -> str:
        return f"{body}.{self.sign(purpose, f'{body}|{user.password}')}"

    def _signer(self, purpose: str, body: str, signature: str) -> KeptUser | None:
        """Return the user of the file for whom `_signed` signed a body; None when it was signed for none."""
        name = _decoded(body.partition(".")[0])
        if self._users is None or name is None or (user := self._users.find(name)) is None:
            return None
        _, _, expected = self._signed(purpose, body, user).rpartition(".")
        return user if hmac.compare_digest(signature.encode(), expected.encode()) else None

    def sign(self, purpose: str, text: str) -> str:
        """Make what proves that a process with the same secrets has said this.

        Parameters:
          purpose: what is signed for one purpose proves nothing for another.
          text: what is said.
        """
        digest = hmac.digest(self._key, f"{purpose}\0{text}".encode(), "sha256")
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _encoded(name: str) -> str:
    """Write a name as a cookie can hold it."""
    return base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")


def _decoded(text: str) -> str | None:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode() or None
    except ValueError:  # it was made by somebody else
        return None


def same(one: str, other: str) -> bool:
    """Tell whether two secrets are the same, in a time that tells nothing about either."""
    digests = [hashlib.sha256(each.encode()).digest() for each in (one, other)]
    return hmac.compare_digest(*digests)
