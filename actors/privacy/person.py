"""A person, as a number or another address names them, in whatever form a channel writes it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from ..masking import masked
from ..subject import subject_of

#: Characters that people put between the digits of a number.
_SEPARATORS = re.compile(r"[\s().\-]")

_NUMBER = re.compile(r"\+?\d+")

#: So many digits at the end are the same in a number with and without Brazil's ninth digit.
_SAME_END = 8

#: No shorter name is looked for in texts: it would stand in some that are about nobody.
_LEAST_FOUND = 6

#: Fields that carry what somebody wrote or is called, and not whom a message is about.
_WRITTEN = frozenset({"body", "buttontext", "profilename", "text"})


@dataclass(frozen=True, slots=True)
class Person:
    """One contact, at whatever addresses of ours and in whatever channels.

    Only the very same number is the same person: a digit more or less is somebody else, perhaps.

    Attributes:
      name: a number's digits, or another channel's name of the contact.
      others: what else they are known by, in the same form.
    """

    name: str
    others: frozenset[str] = frozenset()

    @classmethod
    def read(cls, address: str) -> Person:
        """Read a number as people write it, or an address as channels do.

        Raises:
          ValueError: nothing in it names anybody.
        """
        name = _name(address.strip())
        plain = _SEPARATORS.sub("", name)
        if _NUMBER.fullmatch(plain):
            name = plain
        if not any(each.isalnum() for each in name):
            raise ValueError(f"{address!r} is no number, and no other address of a contact.")
        return cls(_digits(name))

    def known_as(self, addresses: Iterable[str]) -> Person:
        """Return the person with these as further names."""
        names = {_digits(_name(address)) for address in addresses}
        return replace(self, others=self.others | names - {self.name})

    @property
    def masked(self) -> str:
        """The name, fit for logs."""
        return masked(f"+{self.name}" if self.is_number else self.name)

    @property
    def is_number(self) -> bool:
        """Tell whether a number names them."""
        return _NUMBER.fullmatch(self.name) is not None

    @property
    def end(self) -> str:
        """How numbers end that may be theirs too."""
        return self.name[-_SAME_END:]

    def has(self, address: str) -> bool:
        """Tell whether an address is theirs: with or without a channel before the number, or a plus."""
        name = _digits(_name(address))
        return name == self.name or name in self.others

    def is_meant_by(self, payload: bytes) -> bool:
        """Tell whether a queue message is about them.

        Another contact's message that mentions their number is not. One that cannot be read is, if the number
        stands in it: no worker can run it.
        """
        subject = subject_of(payload)
        if subject is not None:
            return self.has(subject.contact)
        try:
            return self._is_named_in(json.loads(payload))
        except (ValueError, RecursionError):
            return self.occurs_in(payload.decode(errors="replace"))

    def occurs_in(self, text: str) -> bool:
        """Tell whether a name of theirs stands in a text, and not only as a part of a longer one."""
        return any(len(name) >= _LEAST_FOUND and _found(name).search(text) for name in self._names)

    def hidden_in(self, text: str, *, by: str) -> str:
        """Return a text in which something else stands for their names."""
        for name in self._names:
            text = _found(name).sub(lambda _: by, text)
        return text

    @property
    def _names(self) -> Iterable[str]:
        return (self.name, *sorted(self.others))

    def _is_named_in(self, value: Any, *, field: str = "") -> bool:
        if isinstance(value, dict):
            return any(self._is_named_in(each, field=str(name)) for name, each in value.items())
        if isinstance(value, list):
            return any(self._is_named_in(each, field=field) for each in value)
        return isinstance(value, str) and field.lower() not in _WRITTEN and self.has(value)


def _found(name: str) -> re.Pattern[str]:
    edge = r"\d" if _NUMBER.fullmatch(name) else r"\w"
    return re.compile(rf"(?<!{edge})\+?{re.escape(name)}(?!{edge})")


def _name(address: str) -> str:
    return address.rpartition(":")[2]


def _digits(name: str) -> str:
    return name.lstrip("+") if _NUMBER.fullmatch(name) else name
