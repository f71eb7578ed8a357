"""Every statement the SQLite conversation store runs, named. Times are milliseconds since the epoch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import get_args

from brokers.sqlite.storage import Schema

from ..conversation import Mode
from ..reply import OWED, REPLY_STATES, ReplyState


def listed(states: Iterable[str]) -> str:
    return ", ".join(f"'{state}'" for state in states)


_VERSION_1 = """
CREATE TABLE conversation (
    key          TEXT PRIMARY KEY,
    account_sid  TEXT NOT NULL,
    contact      TEXT NOT NULL,
    address      TEXT NOT NULL,
    holder       TEXT,                          -- the queue message on whose behalf it is held
    fence        INTEGER NOT NULL DEFAULT 0,    -- goes up with every hold
    created_at   INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE inbound_message (
    id            INTEGER PRIMARY KEY,
    conversation  TEXT NOT NULL REFERENCES conversation,
    account_sid   TEXT NOT NULL,
    message_sid   TEXT NOT NULL,
    body          TEXT NOT NULL,
    payload       TEXT NOT NULL,                -- all of Twilio's parameters, as JSON
    received_at   INTEGER NOT NULL,
    reply_id      TEXT,                         -- what answered it
    set_aside     INTEGER NOT NULL DEFAULT 0,   -- 1: could not be answered, a person has its dead letter
    UNIQUE (account_sid, message_sid)
);
CREATE INDEX inbound_of_conversation ON inbound_message (conversation, id);
CREATE INDEX inbound_unanswered ON inbound_message (conversation, received_at, id)
    WHERE reply_id IS NULL AND NOT set_aside;

CREATE TABLE reply (
    id               INTEGER PRIMARY KEY,
    reply_id         TEXT NOT NULL UNIQUE,
    conversation     TEXT NOT NULL REFERENCES conversation,
    body             TEXT NOT NULL,
    kind             TEXT NOT NULL CHECK (kind IN ('answer', 'fallback')),
    tokens           INTEGER,
    state            TEXT NOT NULL CHECK (state IN ('pending', 'sending', 'sent', 'failed', 'unknown')),
    received_at      INTEGER NOT NULL,          -- when the oldest message it answers came in
    written_at       INTEGER NOT NULL,
    sending_at       INTEGER,
    sent_at          INTEGER,
    sid              TEXT,
    delivery_status  TEXT,
    error            TEXT
);
CREATE INDEX reply_of_conversation ON reply (conversation, id);
CREATE INDEX reply_unsent ON reply (conversation, id) WHERE state IN ('pending', 'sending');
CREATE INDEX reply_by_sid ON reply (sid) WHERE sid IS NOT NULL;
"""

_VERSION_2 = """
-- When something was last said. With the contact in it, the index alone is read to search for one.
ALTER TABLE conversation ADD COLUMN last_at INTEGER NOT NULL DEFAULT 0;
UPDATE conversation SET last_at = max(
    created_at,
    coalesce((SELECT max(received_at) FROM inbound_message WHERE conversation = conversation.key), 0),
    coalesce((SELECT max(written_at) FROM reply WHERE conversation = conversation.key), 0)
);
CREATE INDEX conversation_by_activity ON conversation (last_at, contact);
"""

_VERSION_3 = """
ALTER TABLE conversation ADD COLUMN channel TEXT NOT NULL DEFAULT 'twilio';
ALTER TABLE conversation ADD COLUMN metadata TEXT NOT NULL DEFAULT '{}';  -- the responder's own, as JSON
ALTER TABLE conversation ADD COLUMN mode TEXT NOT NULL DEFAULT 'assistant';  -- who answers
ALTER TABLE conversation ADD COLUMN mode_reason TEXT;

-- Which states and kinds there are is in actors/reply.py, and no longer in the table: SQLite drops a CHECK
-- only with the table.
CREATE TABLE new_reply (
    id               INTEGER PRIMARY KEY,
    reply_id         TEXT NOT NULL UNIQUE,
    conversation     TEXT NOT NULL REFERENCES conversation,
    body             TEXT NOT NULL,
    kind             TEXT NOT NULL,
    tokens           INTEGER,
    state            TEXT NOT NULL,
    received_at      INTEGER NOT NULL,          -- when the oldest message it answers came in
    written_at       INTEGER NOT NULL,
    sending_at       INTEGER,
    sent_at          INTEGER,
    sid              TEXT,                      -- the channel's id of it
    delivery_status  TEXT,                      -- the channel's last word
    delivery_rank    INTEGER,                   -- how far along that is
    error            TEXT
);
INSERT INTO new_reply
SELECT id, reply_id, conversation, body, kind, tokens, state, received_at, written_at, sending_at, sent_at,
       sid, delivery_status,
       CASE delivery_status
           WHEN 'accepted' THEN 1 WHEN 'scheduled' THEN 1 WHEN 'queued' THEN 2 WHEN 'sending' THEN 3
           WHEN 'sent' THEN 4 WHEN 'partially_delivered' THEN 5 WHEN 'delivered' THEN 6
           WHEN 'undelivered' THEN 6 WHEN 'failed' THEN 6 WHEN 'canceled' THEN 6 WHEN 'read' THEN 7
           ELSE iif(delivery_status IS NULL, NULL, 0)
       END,
       error
FROM reply;
DROP TABLE reply;
ALTER TABLE new_reply RENAME TO reply;
CREATE INDEX reply_of_conversation ON reply (conversation, id);
CREATE INDEX reply_unsent ON reply (conversation, id) WHERE state IN ('pending', 'sending');
CREATE INDEX reply_by_sid ON reply (sid) WHERE sid IS NOT NULL;
"""

_VERSION_4 = """
ALTER TABLE conversation ADD COLUMN mode_at INTEGER NOT NULL DEFAULT 0;  -- when a person last took part
ALTER TABLE reply ADD COLUMN written_by TEXT;                            -- the person who wrote it
CREATE INDEX conversation_with_person ON conversation (last_at) WHERE mode = 'person';
"""

_VERSION_5 = """
ALTER TABLE conversation ADD COLUMN name TEXT;                  -- the contact's, as the channel tells it
ALTER TABLE conversation ADD COLUMN heard_at INTEGER;           -- when the contact last wrote
UPDATE conversation
SET heard_at = (SELECT max(received_at) FROM inbound_message WHERE conversation = conversation.key);
ALTER TABLE reply ADD COLUMN content TEXT;                      -- media and template, as JSON
ALTER TABLE reply ADD COLUMN times_sent_again INTEGER NOT NULL DEFAULT 0;
ALTER TABLE reply ADD COLUMN segments INTEGER;                  -- as the channel counts them
ALTER TABLE reply ADD COLUMN model TEXT;
ALTER TABLE reply ADD COLUMN input_tokens INTEGER;
ALTER TABLE reply ADD COLUMN seen_by TEXT;                      -- the person who dismissed its trouble
ALTER TABLE inbound_message ADD COLUMN seen_by TEXT;            -- likewise
CREATE INDEX reply_wants_attention ON reply (written_at)
    WHERE state IN ('undelivered', 'failed', 'unknown') AND seen_by IS NULL;
CREATE INDEX inbound_wants_attention ON inbound_message (received_at)
    WHERE set_aside AND reply_id IS NULL AND seen_by IS NULL;

CREATE TABLE pace (
    sender   TEXT PRIMARY KEY,
    next_at  REAL NOT NULL                                      -- when it may send again
) WITHOUT ROWID;

-- The events that people are told of, one row for each receiver (notices.py).
CREATE TABLE notice (
    receiver     TEXT NOT NULL,                 -- the place of its URL in NOTIFY_URLS
    event_id     TEXT NOT NULL,
    at           INTEGER NOT NULL,              -- when it happened
    waits        INTEGER NOT NULL,              -- 1: not in quiet hours
    content      TEXT NOT NULL,                 -- what to tell, as JSON
    taken_by     TEXT,                          -- the queue message that tells it
    taken_until  INTEGER NOT NULL DEFAULT 0,
    told_at      INTEGER,
    PRIMARY KEY (receiver, event_id)
) WITHOUT ROWID;
CREATE INDEX notice_untold ON notice (receiver, at) WHERE told_at IS NULL;
CREATE INDEX notice_told ON notice (receiver, told_at) WHERE told_at IS NOT NULL;

CREATE TABLE notice_receiver (
    receiver    TEXT PRIMARY KEY,
    not_before  INTEGER NOT NULL,               -- when to try again one that refused
    failures    INTEGER NOT NULL                -- how often it did, in a row
) WITHOUT ROWID;

-- The opt-outs of conversations that were erased: by opt_out_digest of actors/keys.py, and when that was.
CREATE TABLE opt_out (
    digest  TEXT PRIMARY KEY,
    at      INTEGER NOT NULL
) WITHOUT ROWID;

-- Before when no process deletes old conversations again.
CREATE TABLE housekeeping (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    next_at  INTEGER NOT NULL
);
"""

SCHEMA = Schema("conversations", (_VERSION_1, _VERSION_2, _VERSION_3, _VERSION_4, _VERSION_5))

#: Add a conversation. Its fence begins with the time: a hold on one of the same key that was erased, and that
#: a worker still relies on, is none on this one.
KNOW_CONVERSATION = """
INSERT INTO conversation (key, channel, account_sid, address, contact, created_at, fence)
VALUES (:key, :channel, :account, :address, :contact, :now, :now)
ON CONFLICT (key) DO NOTHING
"""

#: Note that the contact said something, and their name where the channel tells it.
HEARD = """
UPDATE conversation
SET last_at = max(last_at, :now), heard_at = max(coalesce(heard_at, 0), :received_at),
    name = coalesce(:name, name)
WHERE key = :key
"""

#: Have nobody answer in a new conversation whose contact had opted out when an earlier one was erased.
HEED_OPT_OUT = """
UPDATE conversation SET mode = 'nobody', mode_reason = :reason, mode_at = :now
WHERE key = :key AND EXISTS (SELECT 1 FROM opt_out WHERE digest = :digest)
"""

#: The contact has opted in.
FORGET_OPT_OUT = "DELETE FROM opt_out WHERE digest = ?"

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
ABOUT = "SELECT channel, metadata, mode FROM conversation WHERE key = ?"

MODE = "SELECT mode FROM conversation WHERE key = ?"

#: Decide who answers. Out of `nobody` it goes only when the contact says so.
SET_MODE = """
UPDATE conversation SET mode = :mode, mode_reason = :reason, mode_at = :now
WHERE key = :key AND (mode <> 'nobody' OR :opts_in)
"""

#: Let the assistant answer again, where a person was to and has done nothing since then.
HAND_BACK = """
UPDATE conversation SET mode = 'assistant', mode_reason = '' WHERE key = ? AND mode = 'person' AND mode_at < ?
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

#: What was said, newest first: answered messages where their answer stands, then the answer itself.
HISTORY = """
SELECT author, body, at, message_id, payload FROM (
    SELECT 'contact' AS author, m.body AS body, m.received_at AS at,
           m.account_sid || '.' || m.message_sid AS message_id, m.payload AS payload,
           r.id AS turn, 0 AS place, m.received_at AS id
    FROM inbound_message m JOIN reply r USING (reply_id) WHERE m.conversation = :key
    UNION ALL
    SELECT 'us', body, written_at, reply_id, NULL, id, 1, id FROM reply
    WHERE conversation = :key AND kind <> 'silence'
)
ORDER BY turn DESC, place DESC, id DESC LIMIT :limit
"""

#: The end of it, newest first, unanswered messages before all. A limit of -1 is none.
THREAD = """
SELECT author, body, at, reply_id, message_id, sid, state, delivery_status, error, written_by, content,
       set_aside
FROM (
    SELECT 'contact' AS author, m.body AS body, m.received_at AS at, m.reply_id AS reply_id,
           m.account_sid || '.' || m.message_sid AS message_id, m.message_sid AS sid, NULL AS state,
           NULL AS delivery_status, NULL AS error, NULL AS written_by, NULL AS content,
           m.set_aside AND m.reply_id IS NULL AS set_aside, coalesce(r.id, 1e18) AS turn, 0 AS place,
           m.received_at AS id
    FROM inbound_message m LEFT JOIN reply r USING (reply_id) WHERE m.conversation = :key
    UNION ALL
    SELECT 'us', body, written_at, reply_id, NULL, sid, state, delivery_status, error, written_by, content, 0,
           id, 1, id
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
       c.mode, c.mode_reason, c.channel, c.name
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


def _page(mode: Mode | None) -> str:
    """Write a page of conversations. An index finds it, and only of its conversations more is read.

    The mode stands in the statement: only then SQLite uses the index of those that a person answers.
    """
    of_mode = "" if mode is None else f"AND mode = '{mode}'"
    return f"""
WHERE c.key IN (SELECT key FROM conversation
                WHERE last_at > 0 AND last_at <= :until AND (last_at < :until OR key < :key)
                AND (:contact IS NULL OR instr(contact, :contact)) {of_mode}
                ORDER BY last_at DESC, key DESC LIMIT :limit OFFSET :offset)
AND {_SAYS_SOMETHING}
ORDER BY c.last_at DESC, c.key DESC
"""


#: By who answers in them; None for all.
CONVERSATIONS: Mapping[Mode | None, str] = {mode: _SUMMARY + _page(mode) for mode in (None, *get_args(Mode))}

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

DISMISS_REPLY = """
UPDATE reply SET seen_by = ?
WHERE reply_id = ? AND state IN ('undelivered', 'failed', 'unknown') AND seen_by IS NULL
"""

DISMISS_MESSAGE = """
UPDATE inbound_message SET seen_by = ?
WHERE account_sid = ? AND message_sid = ? AND set_aside AND seen_by IS NULL
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

WRITE_REPLY = """
INSERT INTO reply (reply_id, conversation, body, kind, state, received_at, written_at)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""

#: Note what else the first reply to a turn carries, and what the answer cost.
COMPLETE_REPLY = "UPDATE reply SET content = ?, model = ?, input_tokens = ?, tokens = ? WHERE reply_id = ?"

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
SELECT reply_id, r.conversation, c.channel, c.account_sid, c.contact, c.address, r.body, r.kind, r.state,
       r.received_at, r.written_at, r.sending_at, r.sid, r.delivery_status, r.error, c.mode, c.mode_reason,
       r.written_by, r.content, r.times_sent_again, c.heard_at
FROM reply r JOIN conversation c ON c.key = r.conversation
"""

REPLY = _REPLY + "WHERE r.reply_id = ?"

#: The oldest reply that is owed. The index `reply_unsent` has these states.
NEXT_TO_SEND = _REPLY + f"WHERE r.conversation = ? AND r.state IN ({listed(OWED)}) ORDER BY r.id LIMIT 1"


def _before(state: ReplyState) -> str:
    """The states that a reply may come from."""
    return listed(REPLY_STATES[state].follows)


#: Bring a reply into `sending`; or into a new attempt of it, when no call was made under the one before.
BEGIN_SENDING = f"""
UPDATE reply SET state = 'sending', sending_at = ?, error = NULL
WHERE reply_id = ? AND (
    state IN ({_before("sending")})
    OR (state = 'sending' AND sending_at IN (SELECT value FROM json_each(?)))
)
"""

#: Note that the channel has a reply. What it told of the delivery before was about another sending of it.
SENT = f"""
UPDATE reply
SET state = 'sent', sid = :sid, sent_at = :now, error = NULL, segments = coalesce(:segments, segments),
    delivery_status = iif(sid IS :sid, delivery_status, NULL),
    delivery_rank = iif(sid IS :sid, delivery_rank, NULL)
WHERE reply_id = :reply_id AND state IN ({_before("sent")})
"""

#: Bring a reply into a state in which it is not sent, with the reason. By the state.
NOT_SENT = {
    state: f"""
UPDATE reply SET state = '{state}', error = ?, times_sent_again = times_sent_again + (state = 'undelivered')
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
UPDATE reply SET state = 'undelivered' WHERE reply_id = ? AND state IN ({_before("undelivered")})
"""

DELIVERY_STATE = "SELECT state, sid, delivery_rank, times_sent_again FROM reply WHERE reply_id = ?"

DELIVERY = (
    "UPDATE reply SET delivery_status = ?, delivery_rank = ?, error = coalesce(?, error) WHERE reply_id = ?"
)

#: Take the next turn to send from an address of ours; return how long it is until then, in milliseconds.
PACE = """
INSERT INTO pace VALUES (:sender, :now + :interval)
ON CONFLICT (sender) DO UPDATE SET next_at = max(next_at, :now) + :interval
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
