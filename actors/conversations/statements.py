"""The statements on conversations and messages, named. Times are milliseconds since the epoch."""

from __future__ import annotations

#: Add a conversation. Its fence begins with the time: a hold on one of the same key that was erased, and that
#: a worker still relies on, is none on this one.
KNOW_CONVERSATION = """
INSERT INTO conversation (key, channel, account_sid, address, contact, created_at, fence)
VALUES (:key, :channel, :account, :address, :contact, :now, :now)
ON CONFLICT (key) DO NOTHING
"""

#: Note that the contact said something, from which address, and their name where the channel tells it.
HEARD = """
UPDATE conversation
SET writes_from = iif(:received_at >= coalesce(heard_at, 0), nullif(:sender, contact), writes_from),
    last_at = max(last_at, :now), heard_at = max(coalesce(heard_at, 0), :received_at),
    name = coalesce(:name, name), called = coalesce(:called, called)
WHERE key = :key
"""

#: Have nobody answer in a new conversation whose contact had opted out when an earlier one was erased.
HEED_OPT_OUT = """
UPDATE conversation SET mode = 'nobody', mode_reason = :reason, mode_at = :now
WHERE key = :key AND EXISTS (SELECT 1 FROM opt_out WHERE digest = :digest)
"""

#: The contact has opted in.
FORGET_OPT_OUT = "DELETE FROM opt_out WHERE digest = ?"

#: The conversation with a contact whose address may have changed.
KNOWN_AS = """
SELECT contact FROM conversation WHERE account_sid = ? AND address = ? AND contact_id = ?
"""

#: Note the channel's id of a contact. A number that went to somebody else keeps the id that it had first.
IDENTIFY = "UPDATE conversation SET contact_id = ? WHERE key = ? AND contact_id IS NULL"

CONTACT_ID = (
    "SELECT account_sid, address, contact_id FROM conversation WHERE key = ? AND contact_id IS NOT NULL"
)

#: Note that something was said.
TOUCH = "UPDATE conversation SET last_at = max(last_at, ?) WHERE key = ?"

#: Add a message. A channel may repeat it: the same id is the same message.
APPEND = """
INSERT INTO inbound_message (conversation, account_sid, message_sid, body, payload, received_at)
VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (account_sid, message_sid) DO NOTHING
"""

#: Take the conversation when nobody holds it, when this holder did already, or from a void holder.
HOLD = """
UPDATE conversation SET holder = :holder, fence = fence + 1
WHERE key = :key AND (holder IS NULL OR holder = :holder OR holder = :void)
RETURNING fence
"""

HOLDER = "SELECT holder FROM conversation WHERE key = ?"

FENCE = "SELECT fence FROM conversation WHERE key = ? AND holder IS NOT NULL"

RELEASE = "UPDATE conversation SET holder = NULL WHERE key = ? AND fence = ?"

_UNANSWERED = """
FROM inbound_message WHERE conversation = ? AND reply_id IS NULL AND NOT set_aside ORDER BY received_at, id
"""

#: What waits for an answer: row, and what an utterance has of it.
UNANSWERED = "SELECT id, body, received_at, account_sid || '.' || message_sid, payload" + _UNANSWERED

#: Which channel a conversation is in, and what the responder keeps with it.
#: What is known of a conversation, and until when the model takes no call.
ABOUT = """
SELECT channel, metadata, mode, (SELECT until FROM calls_paused) FROM conversation WHERE key = ?
"""

MODE = "SELECT mode FROM conversation WHERE key = ?"

#: Decide who answers. Out of `nobody` it goes only when the contact says so.
SET_MODE = """
UPDATE conversation SET mode = :mode, mode_reason = :reason, mode_at = :now
WHERE key = :key AND (mode <> 'nobody' OR :opts_in)
"""

#: Let the assistant answer again, where a person was to, for that reason if one is named, and has done
#: nothing since then.
HAND_BACK = """
UPDATE conversation SET mode = 'assistant', mode_reason = ''
WHERE key = :key AND mode = 'person' AND mode_at < :since AND (:reason IS NULL OR mode_reason = :reason)
"""

#: How many answers, and what they cost. The assistant's latest thousand are looked at.
ANSWERS_SINCE = """
SELECT count(*), coalesce(sum(tokens), 0) FROM (
    SELECT kind, tokens, written_at FROM reply WHERE conversation = ? ORDER BY id DESC LIMIT 1000
) WHERE written_at >= ? AND kind IN ('answer', 'hand_over')
"""

#: Note that a person took part.
TAKE_PART = "UPDATE conversation SET mode_at = ? WHERE key = ?"

SET_METADATA = "UPDATE conversation SET metadata = ? WHERE key = ?"

QUARANTINE = "UPDATE inbound_message SET set_aside = ? WHERE account_sid = ? AND message_sid = ?"

#: Say in other words what a contact said.
DESCRIBE = "UPDATE inbound_message SET body = ? WHERE account_sid = ? AND message_sid = ?"

#: What it said before.
DESCRIBED = "SELECT id, body FROM inbound_message WHERE account_sid = ? AND message_sid = ?"

#: What was said, newest first: answered messages where their answer stands, then the answer itself.
HISTORY = """
SELECT author, body, at, message_id, payload, state FROM (
    SELECT 'contact' AS author, m.body AS body, m.received_at AS at,
           m.account_sid || '.' || m.message_sid AS message_id, m.payload AS payload,
           NULL AS state, r.id AS turn, 0 AS place, m.received_at AS id
    FROM inbound_message m JOIN reply r USING (reply_id) WHERE m.conversation = :key
    UNION ALL
    SELECT 'us', body, written_at, reply_id, NULL, state, id, 1, id FROM reply
    WHERE conversation = :key AND kind <> 'silence'
)
ORDER BY turn DESC, place DESC, id DESC LIMIT :limit
"""

ADD_NOTE = """
INSERT INTO note (note_id, conversation, text, written_by, written_at)
SELECT :note_id, key, :text, :by, :now FROM conversation WHERE key = :key
ON CONFLICT (note_id) DO NOTHING
"""

DELETE_NOTE = "DELETE FROM note WHERE conversation = ? AND note_id = ?"

#: Note that operators have seen all that the contact said.
SEE = "UPDATE conversation SET seen_at = heard_at WHERE key = ? AND heard_at > seen_at"

DISMISS_REPLY = """
UPDATE reply SET seen_by = ?
WHERE reply_id = ? AND state IN ('undelivered', 'failed', 'unknown') AND seen_by IS NULL
"""

DISMISS_MESSAGE = """
UPDATE inbound_message SET seen_by = ?
WHERE account_sid = ? AND message_sid = ? AND set_aside AND seen_by IS NULL
"""

#: Take the next turn to send from an address of ours; return how long it is until then, in milliseconds. The
#: last turn seems taken later than now when the clock was set back since: turns then go on from now.
PACE = """
INSERT INTO pace (sender, next_at, taken_at) VALUES (:sender, :now + :interval, :now)
ON CONFLICT (sender) DO UPDATE SET
    next_at = max(iif(taken_at > :now + :tolerance, next_at - taken_at + :now, next_at), :now) + :interval,
    taken_at = :now
RETURNING next_at - :interval - :now
"""

TEXT_OF = """
SELECT body FROM reply JOIN conversation c ON c.key = reply.conversation
WHERE sid = :id AND c.account_sid = :account
UNION ALL
SELECT body FROM inbound_message WHERE account_sid = :account AND message_sid = :id
LIMIT 1
"""

IS_KNOWN = "SELECT 1 FROM reply WHERE sid = ? LIMIT 1"
