"""Keeps the tokens of other programs in a file: their names, roles and digests, and no secret."""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

from brokers.clock import now_ms
from ops.foundation.private_files import private

#: What a token may do. Each role may do all that those before it may.
Role = Literal["reader", "agent", "operator", "admin"]

ROLES: tuple[Role, ...] = get_args(Role)

#: What each token begins with, so that people and scanners for leaked secrets know it.
PREFIX = "recado_"

#: How many random bytes a token has. So many cannot be guessed, and need no slow digest.
SECRET_BYTES = 32


class TokensUnreadable(Exception):
    """The file of tokens cannot be read, so no token is accepted. The text says why."""


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
        return ROLES.index(self.role) >= ROLES.index(role)


class TokenFile:
    """Reads and writes the file of tokens. The API and the command line share it.

    The API sees a change with the next request: it compares what `stat` says of the file. The file is
    replaced as a whole, so that no reader finds half of it.

    Parameters:
      path: the file; created with the first token.
      clock: milliseconds since the epoch.
    """

    def __init__(self, path: Path, *, clock: Callable[[], int] = now_ms) -> None:
        self._path = path
        self._clock = clock
        self._seen: tuple[int, int, int] | None = None
        self._tokens: Sequence[Token] = ()

    def tokens(self) -> Sequence[Token]:
        """Return every token, in the order in which they were made.

        Raises:
          TokensUnreadable: the file is there, and it cannot be read.
        """
        try:
            stat = self._path.stat()
            seen = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
            if seen != self._seen:
                self._tokens = _parsed(self._path.read_text())
                self._seen = seen
        except FileNotFoundError:
            self._tokens, self._seen = (), None
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise TokensUnreadable(
                f"The tokens in {self._path} cannot be read: {error}. Repair the file, or delete it and make "
                "the tokens anew."
            ) from error
        return self._tokens

    def find(self, secret: str) -> Token | None:
        """Return the token of a secret, expired or not. The time it takes tells nothing about any secret.

        Raises:
          TokensUnreadable: as of `tokens`.
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
          TokensUnreadable: nothing was changed.
          OSError: the file cannot be written.
        """
        with self._locked():
            tokens = self.tokens()
            if any(each.name == name for each in tokens):
                raise TokenExists(f"There is a token {name} already: revoke it, or choose another name.")
            secret, now = PREFIX + secrets.token_urlsafe(SECRET_BYTES), self._clock()
            expires_at = None if expires_in_ms is None else now + expires_in_ms
            self._write([*tokens, Token(name, role, _digest(secret), now, expires_at)])
        return secret

    def revoke(self, name: str) -> bool:
        """Delete a token. False when there is none of that name.

        Raises:
          TokensUnreadable, OSError: as of `create`.
        """
        with self._locked():
            tokens = self.tokens()
            left = [each for each in tokens if each.name != name]
            if len(left) == len(tokens):
                return False
            self._write(left)
        return True

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let no other process change the file meanwhile. The directory is locked: the file is replaced."""
        directory = os.open(self._path.absolute().parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(directory, fcntl.LOCK_EX)
            yield
            os.fsync(directory)
        finally:
            os.close(directory)

    def _write(self, tokens: Sequence[Token]) -> None:
        new = self._path.with_name(f"{self._path.name}.new")
        new.unlink(missing_ok=True)  # of a process that died: its mode may be anything
        with open(new, "w", opener=private) as file:
            json.dump({"tokens": [asdict(each) for each in tokens]}, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogateescape")).hexdigest()


def _parsed(text: str) -> Sequence[Token]:
    """Read the file's text.

    Raises:
      ValueError, TypeError, KeyError: it is not what `TokenFile` writes.
    """
    tokens = [Token(**fields) for fields in json.loads(text)["tokens"]]
    for token in tokens:
        if token.role not in ROLES:
            raise ValueError(f"{token.role!r} is no role; the roles are {', '.join(ROLES)}")
        if not token.sha256.isascii():
            raise ValueError(f"the digest of {token.name} is none")
    return tokens
