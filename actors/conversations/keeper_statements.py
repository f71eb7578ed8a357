"""The statements that export, erase, and delete what is old. Times are milliseconds since the epoch."""

from __future__ import annotations

from ..reply import OWED
from .schema import listed
from .usage import Sums

# -- what is kept of a contact ---------------------------------------------------------------------------

KEYS = """
SELECT key FROM conversation
WHERE instr(contact, :text) OR instr(writes_from, :text) OR instr(contact_id, :text)
ORDER BY last_at DESC, key
"""

OTHER_NAMES = "SELECT writes_from, contact_id FROM conversation WHERE key = ?"

CONVERSATION = """
SELECT key, account_sid, address, contact, channel, mode, coalesce(mode_reason, ''), mode_at, created_at,
       last_at, metadata, name, contact_id, writes_from
FROM conversation WHERE key = ?
"""

MESSAGES = """
SELECT account_sid || '.' || message_sid, message_sid, body, payload, received_at, reply_id,
       set_aside AND reply_id IS NULL
FROM inbound_message WHERE conversation = ? ORDER BY received_at, id
"""

REPLIES = """
SELECT reply_id, body, kind, state, tokens, received_at, written_at, sending_at, sent_at, sid,
       delivery_status, error, written_by, content, model, input_tokens, segments, cost, took_ms,
       nullif(prompt, ''), nullif(tool_calls, '')
FROM reply LEFT JOIN model_call USING (reply_id) WHERE conversation = ? ORDER BY id
"""

#: What was used in it, from a day on.
USED = f"""
SELECT day, {", ".join(Sums._fields)} FROM contact_usage WHERE conversation = ? AND day >= ? ORDER BY day
"""

# -- erasing it ------------------------------------------------------------------------------------------

ERASE_MESSAGES = """
DELETE FROM inbound_message WHERE id IN (SELECT id FROM inbound_message WHERE conversation = ? LIMIT ?)
RETURNING id, body
"""

ERASE_REPLIES = """
DELETE FROM reply WHERE id IN (SELECT id FROM reply WHERE conversation = ? LIMIT ?) RETURNING id, body
"""

ERASE_NOTES = "DELETE FROM note WHERE conversation = ?"

#: Remember an opt-out, without whose it is.
REMEMBER_OPT_OUT = """
INSERT INTO opt_out SELECT :digest, :now FROM conversation WHERE key = :key AND mode = 'nobody'
ON CONFLICT (digest) DO NOTHING
"""

#: The same of a contact of whom nothing is kept here.
NOTE_OPT_OUT = "INSERT INTO opt_out VALUES (:digest, :now) ON CONFLICT (digest) DO NOTHING"

ERASE_CONVERSATION = "DELETE FROM conversation WHERE key = ?"

# -- deleting what is old --------------------------------------------------------------------------------

#: Take the housekeeping on. A clock that was set back does not put it off for longer than it pauses anyway.
BEGIN_HOUSEKEEPING = """
INSERT INTO housekeeping VALUES (1, :now + :every)
ON CONFLICT (id) DO UPDATE SET next_at = excluded.next_at WHERE next_at <= :now OR next_at > :now + :every
"""

_MESSAGE_IS_OLD = f"""
received_at < :before AND (set_aside OR reply_id IS NOT NULL)
AND NOT EXISTS (SELECT 1 FROM conversation c WHERE c.key = inbound_message.conversation AND c.mode = 'person')
AND NOT EXISTS (
    SELECT 1 FROM reply r WHERE r.reply_id = inbound_message.reply_id AND r.state IN ({listed(OWED)})
)
"""

#: A page of messages, by number: which they are, when they came in, and whether they are old and at rest.
#: Numbers follow the time nearly, so that a page with nothing old is the last.
OLD_MESSAGES = f"""
SELECT id, received_at, {_MESSAGE_IS_OLD} FROM inbound_message WHERE id > :after ORDER BY id LIMIT :limit
"""

#: Delete them. That they are old and at rest is asked again: one may have been restored meanwhile.
DELETE_OLD_MESSAGES = f"""
DELETE FROM inbound_message WHERE id IN (SELECT value FROM json_each(:ids)) AND {_MESSAGE_IS_OLD}
RETURNING id, body
"""

_REPLY_IS_OLD = f"""
max(written_at, coalesce(sending_at, 0), coalesce(sent_at, 0)) < :before AND state NOT IN ({listed(OWED)})
AND NOT EXISTS (SELECT 1 FROM conversation c WHERE c.key = reply.conversation AND c.mode = 'person')
"""

OLD_REPLIES = f"SELECT id, written_at, {_REPLY_IS_OLD} FROM reply WHERE id > :after ORDER BY id LIMIT :limit"

DELETE_OLD_REPLIES = f"""
DELETE FROM reply WHERE id IN (SELECT value FROM json_each(:ids)) AND {_REPLY_IS_OLD} RETURNING id, body
"""

_IS_EMPTY = """
NOT EXISTS (SELECT 1 FROM inbound_message m WHERE m.conversation = conversation.key)
AND NOT EXISTS (SELECT 1 FROM reply r WHERE r.conversation = conversation.key)
"""

#: A page of conversations in which nothing was said since, the longest silent first, from one on.
SILENT_CONVERSATIONS = """
SELECT last_at, key FROM conversation
WHERE last_at >= :last_at AND (last_at > :last_at OR key > :key) AND last_at < :before
ORDER BY last_at, key LIMIT :limit
"""

#: Of those of them that are empty, what operators noted.
DELETE_NOTES_OF_EMPTY = f"""
DELETE FROM note WHERE conversation IN (
    SELECT key FROM conversation
    WHERE key IN (SELECT value FROM json_each(:keys)) AND last_at < :before AND mode <> 'person'
    AND {_IS_EMPTY}
)
"""

#: Delete those of them that are empty. That the contact opted out is remembered: that row stays.
DELETE_EMPTY_CONVERSATIONS = f"""
DELETE FROM conversation
WHERE key IN (SELECT value FROM json_each(:keys)) AND last_at < :before AND mode = 'assistant' AND {_IS_EMPTY}
"""

#: Of those that stay, what a responder of one's own kept.
CLEAR_METADATA = f"""
UPDATE conversation SET metadata = '{{}}'
WHERE key IN (SELECT value FROM json_each(:keys)) AND mode = 'nobody' AND metadata <> '{{}}' AND {_IS_EMPTY}
"""
