"""The statements on replies, from written to delivered, named. Times are milliseconds since the epoch."""

from __future__ import annotations

from ..reply import OWED, REPLY_STATES, ReplyState
from .schema import listed

WRITE_REPLY = """
INSERT INTO reply (reply_id, conversation, body, kind, state, received_at, written_at, model)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""

#: Note what else the first reply to a turn carries, and what the answer took.
COMPLETE_REPLY = """
UPDATE reply SET content = ?, input_tokens = ?, tokens = ?, cost = ?, took_ms = ? WHERE reply_id = ?
"""

KEEP_MODEL_CALL = "INSERT INTO model_call (reply_id, prompt, tool_calls) VALUES (?, ?, ?)"

#: Add a reply outside of a turn, once.
WRITE = """
INSERT INTO reply (reply_id, conversation, body, kind, state, received_at, written_at, written_by, content)
SELECT :reply_id, key, :body, :kind, :state,
       coalesce(
           (SELECT received_at FROM inbound_message WHERE account_sid = :account AND message_sid = :id), :now
       ),
       :now, :written_by, :content
FROM conversation WHERE key = :key
ON CONFLICT (reply_id) DO NOTHING
"""

ANSWERED_BY = """
UPDATE inbound_message SET reply_id = ? WHERE account_sid = ? AND message_sid = ? AND reply_id IS NULL
"""

MARK_ANSWERED = "UPDATE inbound_message SET reply_id = ? WHERE id IN (SELECT value FROM json_each(?))"

_REPLY = """
SELECT reply_id, r.conversation, c.channel, c.account_sid, coalesce(c.writes_from, c.contact), c.address,
       r.body, r.kind, r.state, r.received_at, r.written_at, r.sending_at, r.sid, r.delivery_status,
       r.error, c.mode, c.mode_reason, r.written_by, r.content, r.times_sent_again, c.heard_at
FROM reply r JOIN conversation c ON c.key = r.conversation
"""

REPLY = _REPLY + "WHERE r.reply_id = ?"

CONVERSATION = "SELECT conversation FROM reply WHERE reply_id = ?"

#: The oldest reply that is owed, and its state. The index `reply_unsent` has these states.
NEXT_TO_SEND = f"""
SELECT reply_id, state FROM reply WHERE conversation = ? AND state IN ({listed(OWED)}) ORDER BY id LIMIT 1
"""


def _before(state: ReplyState) -> str:
    """The states that a reply may come from."""
    return listed(REPLY_STATES[state].follows)


# A dismissal (`seen_by`) holds for the state in which it was made. Each statement that leads out of a state
# clears the name, so that a person is shown the next trouble of the same reply.

#: Bring a reply into `sending`; or into a new attempt of it, when no call was made under the one before.
BEGIN_SENDING = f"""
UPDATE reply SET state = 'sending', sending_at = ?, error = NULL, seen_by = NULL
WHERE reply_id = ? AND (
    state IN ({_before("sending")})
    OR (state = 'sending' AND sending_at IN (SELECT value FROM json_each(?)))
)
"""

#: What the channel told of the delivery before was about another sending of it.
_BECOMES_SENT = """
state = 'sent', sid = :sid, sent_at = :now, error = NULL, seen_by = NULL, open_since = :now,
delivery_status = iif(sid IS :sid, delivery_status, NULL),
delivery_rank = iif(sid IS :sid, delivery_rank, NULL)
"""

#: Note that the channel has a reply, and that this is counted under its id.
SENT = f"""
UPDATE reply SET {_BECOMES_SENT}, counted_as = :sid, segments = :segments
WHERE reply_id = :reply_id AND state IN ({_before("sent")})
"""

#: Note that a reply arrived of which the channel had told that it did not.
ARRIVED = f"""
UPDATE reply SET {_BECOMES_SENT} WHERE reply_id = :reply_id AND state IN ({_before("sent")})
"""

#: Bring a reply into a state in which it is not sent, with the reason. By the state. A reply that was
#: sent, or perhaps was, counts as sent again: the channel may still tell of its first sending.
NOT_SENT = {
    state: f"""
UPDATE reply SET state = '{state}', error = ?, seen_by = NULL,
    times_sent_again = times_sent_again + (state IN ('undelivered', 'unknown'))
WHERE reply_id = ? AND state IN ({_before(state)})
"""
    for state in REPLY_STATES
}


def _by_hand(state: ReplyState) -> str:
    return f"reply_id = :reply_id AND state IN ({listed(REPLY_STATES[state].by_hand)}) AND kind <> 'silence'"


#: Do what a person decided about a reply: it is sent again, in their name; or it was sent. By its new state.
DECIDED = {
    "pending": f"""
UPDATE reply
SET state = 'pending', kind = 'person', written_by = :by, error = NULL, seen_by = NULL,
    times_sent_again = times_sent_again + 1
WHERE {_by_hand("pending")}
""",
    "sent": f"""
UPDATE reply SET state = 'sent', sent_at = :now, error = NULL, seen_by = NULL WHERE {_by_hand("sent")}
""",
}

#: Note that the channel could not deliver a reply. What else is known stays.
UNDELIVERED = f"""
UPDATE reply SET state = 'undelivered', seen_by = NULL
WHERE reply_id = ? AND state IN ({_before("undelivered")})
"""

DELIVERY_STATE = "SELECT state, sid, delivery_rank, times_sent_again FROM reply WHERE reply_id = ?"

#: Note what the channel said last. Of a delivery that has come to its end it is not asked. A reply that a
#: person said was sent gets the channel's id: a late callback can then be told from one of the next sending.
DELIVERY = """
UPDATE reply
SET sid = coalesce(sid, :sid), delivery_status = :status, delivery_rank = :rank,
    error = coalesce(:error, error),
    open_since = iif(:is_final, NULL, open_since)
WHERE reply_id = :reply_id
"""

# -- which replies the channel is asked about --------------------------------------------------------------

#: Take it on to ask. A clock that was set back does not put it off for longer than it pauses anyway.
BEGIN_DELIVERY_CHECK = """
INSERT INTO delivery_check VALUES (1, :now + :every)
ON CONFLICT (id) DO UPDATE SET next_at = excluded.next_at WHERE next_at <= :now OR next_at > :now + :every
"""

#: Note a look at the reply that has waited longest, and when the first look is that is still to come, if any.
TAKE_OPEN = """
UPDATE reply
SET open_since = sent_at - :first + (SELECT min(value) FROM json_each(:looks) WHERE sent_at + value > :now)
WHERE id = (
    SELECT id FROM reply
    WHERE open_since IS NOT NULL AND state = 'sent' AND open_since BETWEEN :oldest AND :now - :first
    ORDER BY open_since LIMIT 1
)
RETURNING reply_id
"""

#: Have a reply looked at again that was not sent too long ago.
PUT_BACK_OPEN = """
UPDATE reply SET open_since = iif(sent_at >= :oldest, :since, NULL)
WHERE reply_id = :reply_id AND state = 'sent'
"""

CLOSE_OPEN = "UPDATE reply SET open_since = NULL WHERE reply_id = ?"
