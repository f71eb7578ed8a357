"""Every statement the SQLite conversation store runs, named. Times are milliseconds since the epoch."""

from __future__ import annotations

from brokers.sqlite.storage import Schema

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

SCHEMA = Schema("conversations", (_VERSION_1, _VERSION_2))

KNOW_CONVERSATION = """
INSERT INTO conversation (key, account_sid, contact, address, created_at) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (key) DO NOTHING
"""

#: Something was said.
WAS_SAID = "UPDATE conversation SET last_at = max(last_at, ?) WHERE key = ?"

#: Twilio repeats webhooks: the same MessageSid is the same message.
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

UNANSWERED = "SELECT id, body, received_at, payload" + _UNANSWERED

SET_ASIDE = "UPDATE inbound_message SET set_aside = ? WHERE account_sid = ? AND message_sid = ?"

#: What was said, newest first: answered messages where their answer stands, then the answer itself.
HISTORY = """
SELECT author, body FROM (
    SELECT 'contact' AS author, m.body AS body, r.id AS turn, 0 AS place, m.received_at AS id
    FROM inbound_message m JOIN reply r USING (reply_id) WHERE m.conversation = :key
    UNION ALL
    SELECT 'us', body, id, 1, id FROM reply WHERE conversation = :key
)
ORDER BY turn DESC, place DESC, id DESC LIMIT :limit
"""

#: The end of it, newest first, unanswered messages before all. A limit of -1 is none.
THREAD = """
SELECT author, body, at, reply_id, sid, state, delivery_status, error, set_aside FROM (
    SELECT 'contact' AS author, m.body AS body, m.received_at AS at, m.reply_id AS reply_id,
           m.message_sid AS sid, NULL AS state, NULL AS delivery_status, NULL AS error,
           m.set_aside AND m.reply_id IS NULL AS set_aside, coalesce(r.id, 1e18) AS turn, 0 AS place,
           m.received_at AS id
    FROM inbound_message m LEFT JOIN reply r USING (reply_id) WHERE m.conversation = :key
    UNION ALL
    SELECT 'us', body, written_at, reply_id, sid, state, delivery_status, error, 0, id, 1, id
    FROM reply WHERE conversation = :key
)
ORDER BY turn DESC, place DESC, id DESC LIMIT :limit
"""

#: Last comes what waits for an answer, or else the newest reply, or else what was set aside.
_SUMMARY = """
SELECT c.key, c.contact, c.address, c.last_at, m.account_sid || '.' || m.message_sid,
       CASE WHEN w.id IS NULL AND r.id IS NOT NULL THEN 'us' ELSE 'contact' END,
       coalesce(w.body, r.body, (SELECT body FROM inbound_message WHERE conversation = c.key
                                 ORDER BY received_at DESC, id DESC LIMIT 1)),
       (SELECT count(*) FROM inbound_message
        WHERE conversation = c.key AND reply_id IS NULL AND NOT set_aside),
       r.state, r.delivery_status
FROM conversation c
JOIN inbound_message m ON m.id = (SELECT max(id) FROM inbound_message WHERE conversation = c.key)
LEFT JOIN reply r ON r.id = (SELECT max(id) FROM reply WHERE conversation = c.key)
LEFT JOIN inbound_message w ON w.id = (
    SELECT id FROM inbound_message WHERE conversation = c.key AND reply_id IS NULL AND NOT set_aside
    ORDER BY received_at DESC, id DESC LIMIT 1)
"""

SUMMARY = _SUMMARY + "WHERE c.key = ?"

#: The index finds the page, and only of its conversations more is read.
_PAGE = """
WHERE c.key IN (SELECT key FROM conversation WHERE :contact IS NULL OR instr(contact, :contact)
                ORDER BY last_at DESC, key DESC LIMIT :limit OFFSET :offset)
ORDER BY c.last_at DESC, c.key DESC
"""

CONVERSATIONS = _SUMMARY + _PAGE

CONVERSATION_OF = "SELECT conversation FROM inbound_message WHERE account_sid = ? AND message_sid = ?"

WRITE_REPLY = """
INSERT INTO reply (reply_id, conversation, body, kind, tokens, state, received_at, written_at)
VALUES (?, ?, ?, ?, ?, 'pending', ?, ?)
"""

MARK_ANSWERED = "UPDATE inbound_message SET reply_id = ? WHERE id IN (SELECT value FROM json_each(?))"

_REPLY = """
SELECT reply_id, r.conversation, c.account_sid, c.contact, c.address, r.body, r.kind, r.state,
       r.received_at, r.written_at, r.sending_at, r.sid, r.delivery_status, r.error
FROM reply r JOIN conversation c ON c.key = r.conversation
"""

REPLY = _REPLY + "WHERE r.reply_id = ?"

#: The literal states are those of the index.
NEXT_TO_SEND = _REPLY + "WHERE r.conversation = ? AND r.state IN ('pending', 'sending') ORDER BY r.id LIMIT 1"

#: A failed reply was certainly not sent: replaying its dead letter sends it after all.
BEGIN_SENDING = """
UPDATE reply SET state = 'sending', sending_at = ?, error = NULL
WHERE reply_id = ? AND (
    state IN ('pending', 'failed')
    OR (state = 'sending' AND sending_at IN (SELECT value FROM json_each(?)))
)
"""

SENT = """
UPDATE reply SET state = 'sent', sid = ?, sent_at = ?, error = NULL WHERE reply_id = ? AND state <> 'sent'
"""

NOT_SENT = """
UPDATE reply SET state = ?, error = ? WHERE reply_id = ? AND state IN ('pending', 'sending', 'unknown')
"""

UNKNOWN = "UPDATE reply SET state = 'unknown', error = ? WHERE reply_id = ? AND state = 'sending'"

DELIVERY = "UPDATE reply SET delivery_status = ?, error = coalesce(?, error) WHERE reply_id = ?"

KNOWS_SID = "SELECT 1 FROM reply WHERE sid = ? LIMIT 1"
