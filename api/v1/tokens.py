"""Keeps the tokens of other programs in a file: their names, roles and digests, and no secret."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brokers.clock import now_ms

from ..record_file import RecordFile
from ..roles import ROLES, Role, includes

#: What each token begins with, so that people and scanners for leaked secrets know it.
PREFIX = "recado_"

#: How many random bytes a token has. So many cannot be guessed, and need no slow digest.
SECRET_BYTES = 32


class TokenExists(Exception):
    """There is a token of that name already."""


@dataclass(frozen=True, slots=True)
class Token:
    """Describes a token.

    Attributes:
      name: of the program that has it; for the audit log.
      role: what it may do.
      sha256: of its secret, in hexadecimal digits.
      created_at, expires_at: in milliseconds since the epoch; None: it does not expire.
    """

    name: str
    role: Role
    sha256: str
    created_at: int
    expires_at: int | None = None

    def may(self, role: Role) -> bool:
        """Tell whether the token may do what a role may."""
        return includes(self.role, role)


class TokenFile:
    """Reads and writes the file of tokens. The API and the command line share it.

    Parameters:
      path: the file; created with the first token.
      clock: milliseconds since the epoch.
    """

    def __init__(self, path: Path, *, clock: Callable[[], int] = now_ms) -> None:
        self._file = RecordFile(path, "tokens", _parsed)
        self._clock = clock

    def tokens(self) -> Sequence[Token]:
        """Return every token, in the order in which they were made.

        Raises:
          RecordsUnreadable: the file is there, and it cannot be read.
        """
        return self._file.read()

    def find(self, secret: str) -> Token | None:
        """Return the token of a secret, expired or not. The time it takes tells nothing about any secret.

        Raises:
          RecordsUnreadable: as of `tokens`.
        """
        digest = _digest(secret)
        matches = [each for each in self.tokens() if hmac.compare_digest(each.sha256, digest)]
        return matches[0] if matches else None

    def has_expired(self, token: Token) -> bool:
        """Tell whether a token's time is over."""
        return token.expires_at is not None and token.expires_at <= self._clock()

    def create(self, name: str, role: Role, *, expires_in_ms: int | None = None) -> str:
        """Make a token; return its secret, which is kept nowhere.

        Parameters:
          name: of the program that gets it.
          role: what it may do.
          expires_in_ms: for how long it is good, in milliseconds; None: until it is revoked.

        Raises:
          TokenExists: nothing was changed.
          RecordsUnreadable: nothing was changed.
          OSError: the file cannot be written.
        """
        with self._file.locked():
            tokens = self.tokens()
            if any(each.name == name for each in tokens):
                raise TokenExists(f"There is a token {name} already: revoke it, or choose another name.")
            secret, now = PREFIX + secrets.token_urlsafe(SECRET_BYTES), self._clock()
            expires_at = None if expires_in_ms is None else now + expires_in_ms
            self._file.write([*tokens, Token(name, role, _digest(secret), now, expires_at)])
        return secret

    def revoke(self, name: str) -> bool:
        """Delete a token. False when there is none of that name.

        Raises:
          RecordsUnreadable, OSError: as of `create`.
        """
        with self._file.locked():
            tokens = self.tokens()
            left = [each for each in tokens if each.name != name]
            if len(left) == len(tokens):
                return False
            self._file.write(left)
        return True


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogateescape")).hexdigest()


def _parsed(fields: Mapping[str, Any]) -> Token:
    """Read what the file has of a token.

    Raises:
      ValueError, TypeError: it is not what `TokenFile` writes.
    """
    token = Token(**fields)
    if token.role not in ROLES:
        raise ValueError(f"{token.role!r} is no role; the roles are {', '.join(ROLES)}")
    if not token.sha256.isascii():
        raise ValueError(f"the digest of {token.name} is none")
    return token
