"""The statements for what people look at, named. Times are milliseconds since the epoch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from ..conversation import Mode
from ..reply import WANTS_ATTENTION
from .reader import Listed
from .schema import listed
from .search import MOST_NUMBERS

#: The end of it, newest first, unanswered messages before all. A limit of -1 is none.
THREAD = """
SELECT author, body, at, reply_id, message_id, sid, state, delivery_status, error, written_by, content,
       model, set_aside
FROM (
    SELECT 'contact' AS author, m.body AS body, m.received_at AS at, m.reply_id AS reply_id,
           m.account_sid || '.' || m.message_sid AS message_id, m.message_sid AS sid, NULL AS state,
           NULL AS delivery_status, NULL AS error, NULL AS written_by, NULL AS content,
           NULL AS model, m.set_aside AND m.reply_id IS NULL AS set_aside, coalesce(r.id, 1e18) AS turn,
           0 AS place, m.received_at AS id
    FROM inbound_message m LEFT JOIN reply r USING (reply_id) WHERE m.conversation = :key
    UNION ALL
    SELECT 'us', body, written_at, reply_id, NULL, sid, state, delivery_status, error, written_by, content,
           model, 0, id, 1, id
    FROM reply WHERE conversation = :key
)
ORDER BY turn DESC, place DESC, id DESC LIMIT :limit
"""

#: Last comes what waits for an answer, or else the newest reply, or else what the contact wrote: that was set
#: aside, or answered with silence.
_SUMMARY = """
SELECT c.key, c.contact, c.address, c.last_at,
       coalesce(m.account_sid || '.' || m.message_sid, 'reply.' || r.reply_id),
       CASE WHEN w.id IS NULL AND r.kind <> 'silence' THEN 'us' ELSE 'contact' END,
       coalesce(w.body, iif(r.kind = 'silence', NULL, r.body),
                (SELECT body FROM inbound_message WHERE conversation = c.key
                 ORDER BY received_at DESC, id DESC LIMIT 1)),
       (SELECT count(*) FROM inbound_message
        WHERE conversation = c.key AND reply_id IS NULL AND NOT set_aside),
       iif(r.kind = 'silence', NULL, r.state), iif(r.kind = 'silence', NULL, r.delivery_status),
       c.mode, c.mode_reason, c.channel, c.name, coalesce(c.heard_at > c.seen_at, 0)
FROM conversation c
LEFT JOIN inbound_message m ON m.id = (SELECT max(id) FROM inbound_message WHERE conversation = c.key)
LEFT JOIN reply r ON r.id = (SELECT max(id) FROM reply WHERE conversation = c.key)
LEFT JOIN inbound_message w ON w.id = (
    SELECT id FROM inbound_message WHERE conversation = c.key AND reply_id IS NULL AND NOT set_aside
    ORDER BY received_at DESC, id DESC LIMIT 1)
"""

#: A conversation that was begun, and in which nothing was said yet, is none to people.
_SAYS_SOMETHING = "(m.id IS NOT NULL OR r.kind <> 'silence')"

SUMMARY = _SUMMARY + f"WHERE c.key = ? AND {_SAYS_SOMETHING}"


#: The condition of each list of conversations. It stands in the statement as it stands in an index: only then
#: SQLite uses that index. The contact wrote last where nothing of ours came after: no reply, or a silence.
_LISTS: Mapping[Mode | Listed | None, str] = {
    None: "",
    **{mode: f"AND mode = '{mode}'" for mode in get_args(Mode)},
    "waiting": """
AND mode = 'person' AND (
    EXISTS (SELECT 1 FROM inbound_message m
            WHERE m.conversation = conversation.key AND m.reply_id IS NULL AND NOT m.set_aside)
    OR coalesce((SELECT r.kind = 'silence' FROM reply r WHERE r.conversation = conversation.key
                 ORDER BY r.id DESC LIMIT 1), 1)
)""",
    "unread": "AND heard_at > seen_at",
    "undelivered": f"""
AND key IN (SELECT r.conversation FROM reply r
            WHERE r.state IN ({listed(WANTS_ATTENTION)}) AND r.seen_by IS NULL)""",
}


def _page(condition: str) -> str:
    """Write a page of conversations. An index finds it, and only of its conversations more is read."""
    return f"""
WHERE c.key IN (SELECT key FROM conversation
                WHERE last_at > 0 AND last_at <= :until AND (last_at < :until OR key < :key)
                {condition}
                ORDER BY last_at DESC, key DESC LIMIT :limit OFFSET :offset)
AND {_SAYS_SOMETHING}
ORDER BY c.last_at DESC, c.key DESC
"""


def _writes(part: str) -> str:
    """Write the condition that a contact writes, or wrote at first, from an address with that part in it."""
    return f"instr(contact, :{part}) OR instr(writes_from, :{part})"


#: By which of them are listed; None for all.
CONVERSATIONS: Mapping[Mode | Listed | None, str] = {
    which: _SUMMARY + _page(f"AND (:contact IS NULL OR {_writes('contact')}) {condition}")
    for which, condition in _LISTS.items()
}

_IS_MEANT = " OR ".join(
    ["instr(called, :called)", *(_writes(f"number{place}") for place in range(MOST_NUMBERS))]
)

#: The conversations with contacts whose name or number has something in it.
CONTACTS = _SUMMARY + _page(f"AND ({_IS_MEANT})")

#: Messages and replies that have words, newest first: whether it is ours, its id, and what a `FoundText` has.
FOUND_MESSAGES = """
SELECT 0, m.id, m.account_sid || '.' || m.message_sid, m.conversation, c.contact, c.name, 'contact', m.body,
       m.received_at
FROM (SELECT rowid AS id FROM message_words WHERE message_words MATCH :query AND rowid < :before
      ORDER BY rowid DESC LIMIT :limit) AS found
JOIN inbound_message m USING (id) JOIN conversation c ON c.key = m.conversation
ORDER BY m.id DESC
"""

FOUND_REPLIES = """
SELECT 1, r.id, 'reply.' || r.reply_id, r.conversation, c.contact, c.name, 'us', r.body, r.written_at
FROM (SELECT rowid AS id FROM reply_words WHERE reply_words MATCH :query AND rowid < :before
      ORDER BY rowid DESC LIMIT :limit) AS found
JOIN reply r USING (id) JOIN conversation c ON c.key = r.conversation
ORDER BY r.id DESC
"""

#: When a contact was first and last heard of, and how much was said.
ABOUT_CONTACT = """
SELECT created_at, heard_at,
       (SELECT count(*) FROM inbound_message WHERE conversation = :key),
       (SELECT count(*) FROM reply WHERE conversation = :key AND kind <> 'silence')
FROM conversation WHERE key = :key
"""

NOTES = "SELECT note_id, text, written_by, written_at FROM note WHERE conversation = ? ORDER BY id"

#: What somebody has to decide about, newest first: replies that did not get through, and messages without an
#: answer. The states are those of the index.
ATTENTION = """
SELECT * FROM (
    SELECT r.reply_id AS id, r.conversation AS conversation, r.body AS text, r.written_at AS at,
           r.state AS state, r.error AS error
    FROM reply r WHERE r.state IN ('undelivered', 'failed', 'unknown') AND r.seen_by IS NULL
    ORDER BY r.written_at DESC LIMIT :limit
)
UNION ALL
SELECT * FROM (
    SELECT m.account_sid || '.' || m.message_sid, m.conversation, m.body, m.received_at, NULL, NULL
    FROM inbound_message m WHERE m.set_aside AND m.reply_id IS NULL AND m.seen_by IS NULL
    ORDER BY m.received_at DESC LIMIT :limit
)
ORDER BY at DESC LIMIT :limit
"""

CONVERSATION_OF = """
SELECT conversation FROM inbound_message WHERE account_sid = :account AND message_sid = :id
UNION ALL
SELECT conversation FROM reply WHERE reply_id = :id AND :account = 'reply'
"""

#: The addresses of ours that conversations are at, with their accounts and channels.
ADDRESSES = "SELECT DISTINCT account_sid, address, channel FROM conversation ORDER BY address, account_sid"

#: All that came with some messages, by their ids as `[account, external id]` in a JSON list.
PAYLOADS = """
SELECT account_sid || '.' || message_sid, payload
FROM json_each(?) AS id JOIN inbound_message ON account_sid = id.value ->> 0 AND message_sid = id.value ->> 1
"""

#: How a reply came about, where a model wrote it.
MODEL_CALL = """
SELECT model, input_tokens, tokens - input_tokens, cost, took_ms, coalesce(prompt, ''), tool_calls
FROM reply LEFT JOIN model_call USING (reply_id) WHERE reply_id = ? AND model IS NOT NULL
"""
