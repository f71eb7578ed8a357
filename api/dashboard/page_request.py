"""One request, as the pages see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.requests import Request

from api.bodies import MOST_DIGITS, BodyTooLarge, BrokenBody, read_body

from .access.user import User

#: How many messages or entries are on a page. Templates get it as `page_size`.
PAGE_SIZE = 50

#: A page that begins beyond this many entries does not exist.
FARTHEST = 100_000_000


class NotFound(Exception):
    """There is no such thing; the text says what."""


class NotAllowed(Exception):
    """A viewer may not do that."""


@dataclass(frozen=True, slots=True)
class PageRequest:
    """One request to the dashboard: by which user, and for what.

    Attributes:
      user: who asks.
      path, query: of the URL; the path within the whole API.
      fields: what the URL asks and a form sends, in order.
      parts: those of the path that the route names.
      token: for the forms of the page.
      address: where the user is.
      in_part: htmx asks for a part of a page.
    """

    user: User
    path: str
    query: str
    fields: Sequence[tuple[str, str]]
    parts: dict[str, str]
    token: str
    address: str
    in_part: bool = False

    def get(self, name: str, default: str = "") -> str:
        """A field, without the space around it."""
        values = self.all(name)
        return values[0].strip() if values else default

    def all(self, name: str) -> list[str]:
        """Every value of a field that may be there several times."""
        return [value for field_name, value in self.fields if field_name == name]

    def number(self, name: str, default: int = 0, *, most: int = FARTHEST) -> int:
        """Return a field that is a whole number and not below zero, and `most` when it is greater."""
        value = self.get(name)
        if not (value.isascii() and value.isdigit()):
            return default
        # Python refuses to read thousands of digits, and no number below `most` has as many.
        return min(int(value), most) if len(value) <= MOST_DIGITS else most

    def text(self) -> str:
        """Return what is searched for in the text of messages.

        Raises:
          NotAllowed: a viewer searches for what is masked, and so could find it out.
        """
        wanted = self.get("text")
        if not self.user.is_operator and any(each.isdigit() or each == "@" for each in wanted):
            raise NotAllowed(
                "Viewers cannot search for digits or an @: that would tell them masked numbers and addresses."
            )
        return wanted


async def form_of(request: Request) -> list[tuple[str, str]]:
    """The fields of a form.

    Raises:
      BrokenBody: it is none, or too large.
      ClientGone: the client hung up.
    """
    if request.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
        raise BrokenBody("a form has to be application/x-www-form-urlencoded")
    try:
        body = await read_body(request)
        return parse_qsl(body.decode(), keep_blank_values=True)
    except BodyTooLarge as error:
        raise BrokenBody("the form is too large") from error
    except ValueError as error:
        raise BrokenBody(str(error)) from error
