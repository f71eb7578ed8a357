"""The tables of the SQLite conversation store, version by version. Times are milliseconds since the epoch."""

from __future__ import annotations

from collections.abc import Iterable

from brokers.sqlite.storage import Schema


def listed(states: Iterable[str]) -> str:
    """Write the names of states as SQL lists them."""
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


def _unaccented(expression: str) -> str:
    """Write a name in small letters, without the accents of Western Europe: about what `folded` makes."""
    for letter, accented in (
        ("a", "áàâãäåÁÀÂÃÄÅ"),
        ("c", "çÇ"),
        ("e", "éèêëÉÈÊË"),
        ("i", "íìîïÍÌÎÏ"),
        ("n", "ñÑ"),
        ("o", "óòôõöÓÒÔÕÖ"),
        ("u", "úùûüÚÙÛÜ"),
    ):
        for each in accented:
            expression = f"replace({expression}, '{each}', '{letter}')"
    return f"lower({expression})"


_VERSION_6 = f"""
ALTER TABLE conversation ADD COLUMN called TEXT;                -- the name as it is searched for: `folded`
UPDATE conversation SET called = {_unaccented("name")} WHERE name IS NOT NULL;
ALTER TABLE conversation ADD COLUMN seen_at INTEGER NOT NULL DEFAULT 0;  -- the latest that operators saw
UPDATE conversation SET seen_at = coalesce(heard_at, 0);
DROP INDEX conversation_by_activity;
-- With the contact and the name in it, the index alone is read to search for them.
CREATE INDEX conversation_by_activity ON conversation (last_at, contact, called);
CREATE INDEX conversation_unread ON conversation (last_at) WHERE heard_at > seen_at;
CREATE INDEX conversation_with_nobody ON conversation (last_at) WHERE mode = 'nobody';

-- What operators note down about a contact.
CREATE TABLE note (
    id            INTEGER PRIMARY KEY,
    note_id       TEXT NOT NULL UNIQUE,
    conversation  TEXT NOT NULL REFERENCES conversation,
    text          TEXT NOT NULL,
    written_by    TEXT NOT NULL,
    written_at    INTEGER NOT NULL
);
CREATE INDEX note_of_conversation ON note (conversation, id);

-- The words of what was said, by the ids of messages and replies. The texts themselves are not kept twice.
CREATE VIRTUAL TABLE message_words USING fts5(body, content='', tokenize='unicode61 remove_diacritics 2');
CREATE VIRTUAL TABLE reply_words USING fts5(body, content='', tokenize='unicode61 remove_diacritics 2');
INSERT INTO message_words (message_words, rank) VALUES ('secure-delete', 1);
INSERT INTO reply_words (reply_words, rank) VALUES ('secure-delete', 1);

-- Up to which ids their words are in there.
CREATE TABLE words_indexed (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    messages  INTEGER NOT NULL,
    replies   INTEGER NOT NULL
);
INSERT INTO words_indexed VALUES (1, 0, 0);

ALTER TABLE reply ADD COLUMN cost INTEGER;                      -- of its tokens, in millionths
ALTER TABLE reply ADD COLUMN took_ms INTEGER;                   -- from asking the model to its answer
ALTER TABLE reply ADD COLUMN counted_as TEXT;                   -- the sid under which it was counted

-- What the model was asked, and which tools it called. Beside the reply and not in it: a reply is written
-- anew at each step of its sending.
CREATE TABLE model_call (
    reply_id    TEXT PRIMARY KEY,
    prompt      TEXT NOT NULL,
    tool_calls  TEXT NOT NULL                   -- as JSON; empty for none
) WITHOUT ROWID;
CREATE TRIGGER model_call_of_deleted_reply AFTER DELETE ON reply BEGIN
    DELETE FROM model_call WHERE reply_id = OLD.reply_id;
END;

-- What was used (usage.py): sums of a day, in days since the epoch. Those of a conversation go with it.
CREATE TABLE usage (
    day            INTEGER NOT NULL,
    address        TEXT NOT NULL,               -- ours
    model          TEXT NOT NULL,               -- empty: none
    replies        INTEGER NOT NULL,
    segments       INTEGER NOT NULL,
    input_tokens   INTEGER NOT NULL,
    output_tokens  INTEGER NOT NULL,
    model_cost     INTEGER NOT NULL,            -- costs are in millionths of the currency
    channel_cost   INTEGER NOT NULL,
    unpriced       INTEGER NOT NULL,            -- answers whose tokens had no price
    PRIMARY KEY (day, address, model)
) WITHOUT ROWID;
CREATE TABLE contact_usage (
    conversation   TEXT NOT NULL,
    day            INTEGER NOT NULL,
    replies        INTEGER NOT NULL,
    segments       INTEGER NOT NULL,
    input_tokens   INTEGER NOT NULL,
    output_tokens  INTEGER NOT NULL,
    model_cost     INTEGER NOT NULL,
    channel_cost   INTEGER NOT NULL,
    unpriced       INTEGER NOT NULL,
    PRIMARY KEY (conversation, day)
) WITHOUT ROWID;
CREATE TRIGGER usage_of_deleted_conversation AFTER DELETE ON conversation BEGIN
    DELETE FROM contact_usage WHERE conversation = OLD.key;
END;

-- The calls of the model that all workers share (shared_calls.py): those in flight, the addresses of ours
-- that wait for one, and until when the model takes none.
CREATE TABLE shared_call (
    holder   TEXT PRIMARY KEY,
    address  TEXT NOT NULL,
    until    INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE call_wanted (
    address  TEXT PRIMARY KEY,
    since    INTEGER NOT NULL,
    until    INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE calls_paused (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    until  INTEGER NOT NULL
);
INSERT INTO calls_paused VALUES (1, 0);
"""

_VERSION_7 = """
-- Since when no end of its delivery is known (delivery_checks.py): from its sending, and after a look later
-- by the time from the first look to the next one. NULL: the channel is not asked.
ALTER TABLE reply ADD COLUMN open_since INTEGER;
CREATE INDEX reply_open ON reply (open_since) WHERE open_since IS NOT NULL AND state = 'sent';

-- Before when no process asks the channel again.
CREATE TABLE delivery_check (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    next_at  INTEGER NOT NULL
);
"""

_VERSION_8 = """
ALTER TABLE conversation ADD COLUMN contact_id TEXT;            -- the channel's, which stays
ALTER TABLE conversation ADD COLUMN writes_from TEXT;           -- the contact now, where not from `contact`
CREATE UNIQUE INDEX conversation_by_contact_id ON conversation (account_sid, address, contact_id)
    WHERE contact_id IS NOT NULL;
"""

_VERSION_9 = """
ALTER TABLE pace ADD COLUMN taken_at REAL NOT NULL DEFAULT 0;   -- when the last turn was taken
"""

_VERSION_10 = """
-- With all that contacts are searched for by, so that the index alone is read.
DROP INDEX conversation_by_activity;
CREATE INDEX conversation_by_activity ON conversation (last_at, contact, called, writes_from);
"""

SCHEMA = Schema(
    "conversations",
    (
        *(_VERSION_1, _VERSION_2, _VERSION_3, _VERSION_4, _VERSION_5),
        *(_VERSION_6, _VERSION_7, _VERSION_8, _VERSION_9, _VERSION_10),
    ),
)
