"""Keeps the users of the dashboard in a file: their names, roles and digests of passwords."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from brokers.clock import now_ms

from .record_file import RecordFile
from .roles import ROLES, Role

#: Users who are in no file, and what they may do: those of the two passwords in the settings, and browsers of
#: this machine where nobody has to sign in. No user of the file has one of these names.
SHARED: Mapping[str, Role] = {"operator": "admin", "viewer": "reader", "local": "admin"}

#: The longest name, and the shortest password, in characters.
MAX_NAME, MIN_PASSWORD = 64, 8

#: scrypt's cost: 16 MB and a quarter of a second for each password. OWASP's Password Storage Cheat Sheet
#: names it beside those that take more memory.
_LOG_N, _R, _P = 14, 8, 5

_SALT_BYTES, _HASH_BYTES = 16, 32

_DIGEST = re.compile(r"\$scrypt\$ln=14,r=8,p=5\$([A-Za-z0-9+/]{22})\$([A-Za-z0-9+/]{43})")

#: The digest of no password. It is compared where there is no user of a name, so that it takes as long.
_NOBODYS = "$scrypt$ln=14,r=8,p=5$" + "A" * 22 + "$" + "A" * 43


class UserExists(Exception):
    """There is a user of that name already."""


class UnfitForUser(ValueError):
    """A name or a password cannot be a user's. The text says why."""


@dataclass(frozen=True, slots=True)
class KeptUser:
    """Describes a user.

    Attributes:
      name: as the user writes it; for the audit log, and beside what the user writes.
      role: what the user may do.
      password: the digest of the password, by scrypt, with its salt and costs.
      created_at: in milliseconds since the epoch.
    """

    name: str
    role: Role
    password: str
    created_at: int

    @property
    def key(self) -> str:
        """Return what the user is found by."""
        return key_of(self.name)


class UserFile:
    """Reads and writes the file of users. The API and the command line share it.

    Parameters:
      path: the file; created with the first user.
      clock: milliseconds since the epoch.
    """

    def __init__(self, path: Path, *, clock: Callable[[], int] = now_ms) -> None:
        self._file = RecordFile(path, "users", _parsed)
        self._clock = clock

    def users(self) -> Sequence[KeptUser]:
        """Return every user, in the order in which they were made.

        Raises:
          RecordsUnreadable: the file is there, and it cannot be read.
        """
        return self._file.read()

    def find(self, name: str) -> KeptUser | None:
        """Return the user of a name, however it is capitalised.

        Raises:
          RecordsUnreadable: as of `users`.
        """
        key = key_of(name)
        return next((each for each in self.users() if each.key == key), None)

    def verify(self, name: str, password: str) -> KeptUser | None:
        """Return the user whose name and password these are.

        It takes a quarter of a second, as long for a name that is nobody's as for a wrong password.

        Raises:
          RecordsUnreadable: as of `users`.
        """
        user = self.find(name)
        is_right = _matches(_NOBODYS if user is None else user.password, password)
        return user if is_right else None

    def create(self, name: str, role: Role, password: str) -> None:
        """Make a user.

        Raises:
          UnfitForUser, UserExists, RecordsUnreadable: nothing was changed.
          OSError: the file cannot be written.
        """
        name = check_name(name)
        user = KeptUser(name, role, _digest(check_password(password)), self._clock())
        with self._file.locked():
            users = self.users()
            if any(each.key == user.key for each in users):
                raise UserExists(f"There is a user {name} already: choose another name.")
            self._file.write([*users, user])

    def delete(self, name: str) -> bool:
        """Delete a user. False when there is none of that name.

        Raises:
          RecordsUnreadable, OSError: as of `create`.
        """
        return self._change(name, lambda _: None)

    def set_password(self, name: str, password: str) -> bool:
        """Give a user another password. False when there is no user of that name.

        Raises:
          UnfitForUser, RecordsUnreadable, OSError: as of `create`.
        """
        digest = _digest(check_password(password))
        return self._change(name, lambda user: replace(user, password=digest))

    def set_role(self, name: str, role: Role) -> bool:
        """Give a user another role. False when there is no user of that name.

        Raises:
          RecordsUnreadable, OSError: as of `create`.
        """
        return self._change(name, lambda user: replace(user, role=role))

    def _change(self, name: str, change: Callable[[KeptUser], KeptUser | None]) -> bool:
        with self._file.locked():
            user = self.find(name)
            if user is None:
                return False
            changed = [change(each) if each is user else each for each in self.users()]
            self._file.write([each for each in changed if each is not None])
        return True


def key_of(name: str) -> str:
    """Return what makes two names the same: neither capitals nor the way an accent is stored count."""
    return unicodedata.normalize("NFC", name.strip()).casefold()


def check_name(name: str) -> str:
    """Return a name as it is kept.

    Raises:
      UnfitForUser: no user can have it.
    """
    name = unicodedata.normalize("NFC", name.strip())
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise UnfitForUser(f"{name!r} is no name for a user: 1 to {MAX_NAME} characters that can be printed.")
    if key_of(name) in SHARED:
        raise UnfitForUser(f"{name} is the name of those who come in without one: choose another.")
    return name


def check_password(password: str) -> str:
    """Return a password that is long enough.

    Raises:
      UnfitForUser: it is too short.
    """
    if len(password) < MIN_PASSWORD:
        raise UnfitForUser(f"A password has {MIN_PASSWORD} characters or more.")
    return password


def _digest(password: str) -> str:
    salt = secrets.token_bytes(_SALT_BYTES)
    return f"$scrypt$ln={_LOG_N},r={_R},p={_P}${_text(salt)}${_text(_scrypt(password, salt))}"


def _matches(digest: str, password: str) -> bool:
    found = _DIGEST.fullmatch(digest)
    salt, expected = ("", "") if found is None else found.groups()
    return hmac.compare_digest(_text(_scrypt(password, _bytes(salt))), expected)


def _scrypt(password: str, salt: bytes) -> bytes:
    plain = unicodedata.normalize("NFC", password).encode(errors="surrogateescape")
    return hashlib.scrypt(plain, salt=salt, n=2**_LOG_N, r=_R, p=_P, dklen=_HASH_BYTES)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4))


def _parsed(fields: Mapping[str, Any]) -> KeptUser:
    """Read what the file has of a user.

    Raises:
      ValueError, TypeError, KeyError: it is not what `UserFile` writes.
    """
    user = KeptUser(**{**fields, "name": str(fields["name"]), "password": str(fields["password"])})
    if user.role not in ROLES:
        raise ValueError(f"{user.role!r} is no role; the roles are {', '.join(ROLES)}")
    if not _DIGEST.fullmatch(user.password):
        raise ValueError(f"the digest of {user.name}'s password is none")
    check_name(user.name)
    return user
