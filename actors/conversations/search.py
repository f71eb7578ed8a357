"""What people search for in conversations: contacts by name and number, and texts by their words."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from ..conversation import Author
from .reader import PageStart, Summary

#: How many spellings of a number are looked for at once.
MOST_NUMBERS = 6

#: A word is found by its beginning when that is so long: a shorter one begins too many words.
LEAST_BEGINNING = 4

#: How many words of a query count.
MOST_WORDS = 10

#: What a search did not look at, for people.
ONLY_LATEST = "The latest {texts} texts of each of the latest {conversations} conversations were searched."
NOT_YET_ALL = "Up to {count:,} of the latest texts are not searched yet: their words are being put in."


class ContactQuery(NamedTuple):
    """Which contacts are looked for. One of these is enough.

    Attributes:
      name: a part of the name, `folded`; empty for none.
      numbers: parts of the address, to the letter; at most `MOST_NUMBERS` count.
    """

    name: str = ""
    numbers: Sequence[str] = ()


class TextsPlace(NamedTuple):
    """Where a page of texts ended, as the store counts."""

    first: int
    second: int


class FoundText(NamedTuple):
    """A text that was said."""

    message_id: str  # of the message; or `reply.` and the id of a reply
    conversation: str
    contact: str
    name: str | None  # the contact's
    author: Author
    text: str
    at: int  # in milliseconds since the epoch


class FoundTexts(NamedTuple):
    """A page of texts, newest first.

    Attributes:
      texts: the page.
      next_place: where the next page begins; None when there is none.
      bounds: for people, what was not looked at; empty when all was.
    """

    texts: Sequence[FoundText]
    next_place: TextsPlace | None
    bounds: str


class ConversationFinder(Protocol):
    """Finds contacts and texts. Thread-safe."""

    def contacts(
        self, query: ContactQuery, *, limit: int, after: PageStart | None = None
    ) -> Sequence[Summary]:
        """Return a page of conversations with such contacts, those in which something was said last first."""
        ...

    def texts(self, wanted: str, *, limit: int, after: TextsPlace | None = None) -> FoundTexts:
        """Return a page of the texts that have all the words that are wanted, whatever their accents.

        A word of four letters or more is also found as the beginning of a longer one.
        """
        ...

    def catch_up(self, *, within_s: float) -> bool:
        """Make what was said lately quick to find; return whether all is.

        Parameters:
          within_s: no step is begun after so many seconds.
        """
        ...


def folded(text: str) -> str:
    """Return a text as it is compared: small letters without accents."""
    apart = unicodedata.normalize("NFKD", text)
    return "".join(each for each in apart if not unicodedata.combining(each)).casefold()


def words_of(text: str) -> list[str]:
    """Return every word of a text, `folded`: what stands between other characters than letters and digits."""
    return "".join(each if each.isalnum() else " " for each in folded(text)).split()
