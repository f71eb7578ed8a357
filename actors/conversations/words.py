"""The words of what was said, in a SQLite file, so that texts are found by them.

Searches and housekeeping put them in some time after the text: no message waits for that. Up to which ids
they are in stands in `words_indexed`. They go in the transaction in which their text goes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

import apsw

#: Whose words: of contacts' messages, or of replies. The columns of `words_indexed`.
Texts = Literal["messages", "replies"]

#: How many texts a transaction adds at most: about ten milliseconds, for which other writers wait.
STEP = 500


class _TextTable(NamedTuple):
    """Where texts and their words are."""

    table: str
    words: str


_PLACES: dict[Texts, _TextTable] = {
    "messages": _TextTable("inbound_message", "message_words"),
    "replies": _TextTable("reply", "reply_words"),
}

#: Take the words of a text out. The text has to be the one that was put in.
_FORGET = {
    texts: f"""
INSERT INTO {place.words} ({place.words}, rowid, body)
SELECT 'delete', :id, :body FROM words_indexed WHERE {texts} >= :id
"""
    for texts, place in _PLACES.items()
}

#: Put in the words of a text whose id was passed already.
_ADD = {
    texts: f"""
INSERT INTO {place.words} (rowid, body) SELECT :id, :body FROM words_indexed WHERE {texts} >= :id
"""
    for texts, place in _PLACES.items()
}

#: The id with which the next step ends; null when there is none.
_NEXT = {
    texts: f"""
SELECT max(id) FROM (
    SELECT id FROM {place.table} WHERE id > (SELECT {texts} FROM words_indexed) ORDER BY id LIMIT {STEP}
)
"""
    for texts, place in _PLACES.items()
}

_INDEX = {
    texts: f"""
INSERT INTO {place.words} (rowid, body)
SELECT id, body FROM {place.table}
WHERE id > (SELECT {texts} FROM words_indexed) AND id <= ? ORDER BY id
"""
    for texts, place in _PLACES.items()
}

_PASS = {texts: f"UPDATE words_indexed SET {texts} = ?" for texts in _PLACES}

#: An id beyond the greatest is given again.
_DRAW_BACK = """
UPDATE words_indexed
SET messages = min(messages, coalesce((SELECT max(id) FROM inbound_message), 0)),
    replies = min(replies, coalesce((SELECT max(id) FROM reply), 0))
"""

#: How many ids were not passed: no fewer than there are texts to put in.
WAITING = """
SELECT max(0, coalesce((SELECT max(id) FROM inbound_message), 0) - messages)
     + max(0, coalesce((SELECT max(id) FROM reply), 0) - replies)
FROM words_indexed
"""


def forget(connection: apsw.Connection, texts: Texts, rows: Iterable[tuple[int, str]]) -> None:
    """Take out the words of texts, as ids and bodies, as far as they were put in."""
    connection.executemany(_FORGET[texts], ({"id": number, "body": body} for number, body in rows))


def add(connection: apsw.Connection, texts: Texts, rows: Iterable[tuple[int, str]]) -> None:
    """Put in the words of texts that were changed, as ids and bodies. Later ones have their turn."""
    connection.executemany(_ADD[texts], ({"id": number, "body": body} for number, body in rows))


def draw_back(connection: apsw.Connection) -> None:
    """Follow the greatest ids, after texts were deleted: SQLite gives an id again when none is greater."""
    connection.execute(_DRAW_BACK)


def index_step(connection: apsw.Connection) -> bool:
    """Put in the words of the next texts; return whether there may be more."""
    is_more = False
    for texts in _PLACES:
        row: Any = connection.execute(_NEXT[texts]).fetchone()
        if row[0] is not None:
            connection.execute(_INDEX[texts], row)
            connection.execute(_PASS[texts], row)
            is_more = True
    return is_more
