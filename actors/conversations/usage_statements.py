"""Every statement that counts what is used, named. Its tables are in `statements.py`."""

from __future__ import annotations

from .usage import Sums

_COLUMNS = ", ".join(Sums._fields)
_VALUES = ", ".join(f":{name}" for name in Sums._fields)
_ADDED = ", ".join(f"{name} = {name} + excluded.{name}" for name in Sums._fields)
_TOTALS = ", ".join(f"sum({name}) AS {name}" for name in Sums._fields)

#: Add to the sums of a day.
COUNT = f"""
INSERT INTO usage (day, address, model, {_COLUMNS}) VALUES (:day, :address, :model, {_VALUES})
ON CONFLICT (day, address, model) DO UPDATE SET {_ADDED}
"""

#: Add to those of a conversation, while there is one.
COUNT_CONTACT = f"""
INSERT INTO contact_usage (day, conversation, {_COLUMNS})
SELECT :day, key, {_VALUES} FROM conversation WHERE key = :key
ON CONFLICT (conversation, day) DO UPDATE SET {_ADDED}
"""

#: What is to be known of a reply to count its sending.
SENDING = "SELECT conversation, coalesce(model, ''), counted_as, segments FROM reply WHERE reply_id = ?"

#: Note under which of the channel's ids the sending of a reply was counted, and with how many segments.
COUNTED = "UPDATE reply SET counted_as = ?, segments = ? WHERE reply_id = ?"

DAYS = (
    f"SELECT day, address, model, {_COLUMNS} FROM usage WHERE day BETWEEN :since AND :until ORDER BY 1, 2, 3"
)

CONTACTS = f"""
SELECT conversation, {_TOTALS} FROM contact_usage WHERE day BETWEEN :since AND :until
GROUP BY conversation
ORDER BY sum(model_cost + channel_cost) DESC, sum(input_tokens + output_tokens) DESC, sum(replies) DESC,
         conversation
LIMIT :limit OFFSET :offset
"""

#: Delete what is older than it may be.
FORGET_DAYS = "DELETE FROM usage WHERE day < ?"
FORGET_CONTACT_DAYS = "DELETE FROM contact_usage WHERE day < ?"
