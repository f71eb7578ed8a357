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

from .sign_outs import SignOuts
from .user import Role

#: How long a session lasts, in seconds: a long working day.
SESSION_S = 12 * 3_600

#: scrypt's cost: 16 MB and some 50 ms, once in a process. The holder of a cookie could otherwise guess
#: passwords as fast as a machine can hash.
_COST = {"n": 2**14, "r": 8, "p": 1}


class Session(NamedTuple):
    """Names the role of a session, its end in seconds since the epoch, and its id."""

    role: Role
    expires_at: int
    session_id: str


class KnownBrowser(NamedTuple):
    """Names a browser from which the password of a role was right."""

    role: Role
    name: str


class Sessions:
    """Makes and reads cookies. Every API process with the same secrets reads those of the others.

    Parameters:
      secrets_: what the key is derived from, the passwords first: when one is changed, no cookie of before
        is worth anything.
      sign_outs: sessions that were ended; None where none can be.
      clock: seconds since the epoch.
    """

    def __init__(
        self,
        secrets_: Sequence[str],
        *,
        sign_outs: SignOuts | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._secrets = secrets_
        self._sign_outs = sign_outs
        self._clock = clock

    @cached_property
    def _key(self) -> bytes:
        joined = "\0".join(self._secrets).encode()
        return hashlib.scrypt(joined, salt=b"recado dashboard", **_COST)

    def issue(self, role: Role) -> str:
        """Make the cookie of a new session."""
        body = f"{role}.{int(self._clock()) + SESSION_S}.{secrets.token_urlsafe(9)}"
        return f"{body}.{self.sign('session', body)}"

    def read(self, cookie: str) -> Session | None:
        """Return the session of a cookie; None when it is forged, too old, or of a session that was ended.

        Raises:
          EngineError: it cannot be told whether the session was ended.
        """
        body, _, signature = cookie.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self.sign("session", body).encode()):
            return None
        role, expires_at, session_id = body.split(".", 2)
        session = Session("operator" if role == "operator" else "viewer", int(expires_at), session_id)
        if session.expires_at <= self._clock():
            return None
        was_ended = self._sign_outs is not None and session_id in self._sign_outs
        return None if was_ended else session

    def end(self, cookie: str) -> None:
        """End the session of a cookie, wherever else the cookie is.

        Raises:
          EngineError: it cannot be written down, and the session goes on.
        """
        session = self.read(cookie)
        if session is not None and self._sign_outs is not None:
            self._sign_outs.add(session.session_id, session.expires_at)

    def vouch(self, role: Role) -> str:
        """Make a cookie for a browser from which the password of a role was right."""
        body = f"{role}.{secrets.token_urlsafe(18)}"
        return f"{body}.{self.sign('browser', body)}"

    def vouched(self, cookie: str) -> KnownBrowser | None:
        """Return the browser that `vouch` made a cookie for; None when the cookie is forged."""
        body, _, signature = cookie.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self.sign("browser", body).encode()):
            return None
        role, name = body.split(".", 1)
        return KnownBrowser("operator" if role == "operator" else "viewer", name)

    def sign(self, purpose: str, text: str) -> str:
        """Make what proves that a process with the same secrets has said this.

        Parameters:
          purpose: what is signed for one purpose proves nothing for another.
          text: what is said.
        """
        digest = hmac.digest(self._key, f"{purpose}\0{text}".encode(), "sha256")
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def same(one: str, other: str) -> bool:
    """Tell whether two secrets are the same, in a time that tells nothing about either."""
    digests = [hashlib.sha256(each.encode()).digest() for each in (one, other)]
    return hmac.compare_digest(*digests)
