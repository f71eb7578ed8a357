"""Reads a request as pages need it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.requests import Request

from api.bodies import MOST_DIGITS, BodyTooLarge, BrokenBody, read_body

from .access.permissions import POSTS
from .access.user import User
from .language.catalogue import gettext

#: How many messages or entries are on a page. Templates get it as `page_size`.
PAGE_SIZE = 50

#: The greatest number that is read: no page begins beyond this many entries.
MAX_NUMBER = 100_000_000


class NotFound(Exception):
    """Tells that there is no such thing; the text says what."""


class NotAllowed(Exception):
    """Refuses a user something that other roles may do. The text says which."""


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Holds a request to the dashboard, and the user whom it is from.

    Attributes:
      user: the user whom the request is from.
      path, query: of the URL; the path within the whole API.
      fields: the fields of the form, or of the query where there is no form, in order.
      parts: the parts of the path that the route names.
      token: the CSRF token for the forms of the page.
      address: the user's address.
      in_part: htmx asks for a part of a page.
      method: how the page was asked for.
    """

    user: User
    path: str
    query: str
    fields: Sequence[tuple[str, str]]
    parts: dict[str, str]
    token: str
    address: str
    in_part: bool = False
    method: str = "GET"

    @property
    def place(self) -> str:
        """Return the address of the page; of one that answers a form, that of the page above it."""
        if self.method != "GET":
            return self.path.rpartition("/")[0]
        return f"{self.path}?{self.query}" if self.query else self.path

    def get(self, name: str, default: str = "") -> str:
        """Return a field, without the space around it."""
        values = self.all(name)
        return values[0].strip() if values else default

    def all(self, name: str) -> list[str]:
        """Return every value of a field that may be there several times."""
        return [value for field_name, value in self.fields if field_name == name]

    def number(self, name: str, default: int = 0, *, most: int = MAX_NUMBER) -> int:
        """Return a field that is a whole number and not below zero, and `most` when it is greater."""
        value = self.get(name)
        if not (value.isascii() and value.isdigit()):
            return default
        # Python refuses to read thousands of digits, and no number below `most` has as many.
        return min(int(value), most) if len(value) <= MOST_DIGITS else most

    def may(self, route: str) -> bool:
        """Tell whether the user may send a form to an address of `POSTS`."""
        return self.user.may(POSTS[route])

    def text(self) -> str:
        """Return what is searched for in the text of messages.

        Raises:
          NotAllowed: a reader searches for what is masked, and so could find it out.
        """
        wanted = self.get("text")
        if not self.user.sees_people and any(each.isdigit() or each == "@" for each in wanted):
            raise NotAllowed(
                gettext(
                    "Readers cannot search for digits or an @: that would tell them masked numbers and "
                    "addresses."
                )
            )
        return wanted


async def form_of(request: Request) -> list[tuple[str, str]]:
    """Read the fields of a form.

    Raises:
      BrokenBody: the body is no form, or too large.
      ClientGone: the client hung up.
    """
    if request.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
        raise BrokenBody(gettext("a form has to be application/x-www-form-urlencoded"))
    try:
        body = await read_body(request)
        return parse_qsl(body.decode(), keep_blank_values=True)
    except BodyTooLarge as error:
        raise BrokenBody(gettext("the form is too large")) from error
    except ValueError as error:
        raise BrokenBody(str(error)) from error
