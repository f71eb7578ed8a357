"""The queue engine's tables, indexes and triggers. Times are milliseconds since the epoch."""

from __future__ import annotations

from .storage.schema import Schema

_VERSION_1 = """
CREATE TABLE message_queue (
    id           INTEGER PRIMARY KEY,
    message_id   TEXT NOT NULL UNIQUE,
    queue        TEXT NOT NULL,
    actor        TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('ready', 'delayed', 'running')),
    priority     INTEGER NOT NULL,
    due_at       INTEGER NOT NULL,
    enqueued_at  INTEGER NOT NULL,
    deliveries   INTEGER NOT NULL DEFAULT 0,
    crashes      INTEGER NOT NULL DEFAULT 0,
    owner        INTEGER,           -- running: the process that has it
    token        INTEGER,           -- running: proves whose delivery it is
    last_error   TEXT,
    payload      BLOB               -- NULL: too large to drag through every claim, see message_body
);

-- One small index for each state: the messages of one state never slow down another state.
CREATE INDEX message_ready ON message_queue (queue, priority, due_at, id) WHERE state = 'ready';
CREATE INDEX message_delayed ON message_queue (due_at) WHERE state = 'delayed';
CREATE INDEX message_running ON message_queue (owner) WHERE state = 'running';

CREATE TABLE message_body (
    id       INTEGER PRIMARY KEY,
    payload  BLOB NOT NULL
);
CREATE TRIGGER message_body_goes_too AFTER DELETE ON message_queue WHEN old.payload IS NULL
BEGIN
    DELETE FROM message_body WHERE id = old.id;
END;

CREATE TABLE dead_letter (
    id           INTEGER PRIMARY KEY,
    message_id   TEXT NOT NULL UNIQUE,
    queue        TEXT NOT NULL,
    actor        TEXT NOT NULL,
    priority     INTEGER NOT NULL,
    enqueued_at  INTEGER NOT NULL,
    deliveries   INTEGER NOT NULL,
    crashes      INTEGER NOT NULL,
    died_at      INTEGER NOT NULL,
    reason       TEXT NOT NULL,
    last_error   TEXT,
    payload      BLOB NOT NULL
);
CREATE INDEX dead_letter_of_queue ON dead_letter (queue, died_at);

CREATE TABLE queue (
    name    TEXT PRIMARY KEY,
    paused  INTEGER NOT NULL DEFAULT 0,
    done    INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

CREATE TABLE unique_key (
    key         TEXT PRIMARY KEY,
    message_id  TEXT NOT NULL,
    expires_at  INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX unique_key_expiry ON unique_key (expires_at);

CREATE TABLE write_check (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    checked_at  INTEGER NOT NULL
);
"""

_VERSION_2 = """
-- How many messages died, since the beginning.
CREATE TABLE died (
    queue   TEXT NOT NULL,
    reason  TEXT NOT NULL,
    count   INTEGER NOT NULL,
    PRIMARY KEY (queue, reason)
) WITHOUT ROWID;

-- With the queue in this index, to count the delayed messages of each queue reads nothing else.
DROP INDEX message_delayed;
CREATE INDEX message_delayed ON message_queue (due_at, queue) WHERE state = 'delayed';
"""

_VERSION_3 = """
-- Which row has a message id. With an index of SQLite's own each ack would read, change and log a page:
-- ids are random, and with a million messages waiting no two acks of a batch share a page. The entry of a
-- message that is gone means nothing, and stays until many entries are deleted together: see id_cleanup.py.
CREATE TABLE known_id (
    message_id  TEXT PRIMARY KEY,
    id          INTEGER NOT NULL
) WITHOUT ROWID;

-- Ids in known_id whose messages are gone. Numbers are never used twice: a cleanup deletes all up to a
-- number, whatever another cleanup has deleted meanwhile.
CREATE TABLE spent_id (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id  TEXT
);

-- queue.live: how many messages the queue has, of the rows up to counted.up_to. counted.total: how many
-- there were in all when they were counted. The few rows after up_to are counted when the counts are
-- read: if each new message were counted at once, its commit would write one page more.
ALTER TABLE queue ADD COLUMN live INTEGER DEFAULT 0;
CREATE TABLE counted (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    up_to  INTEGER NOT NULL,
    total  INTEGER NOT NULL
);

CREATE TABLE message_queue_3 (
    id           INTEGER PRIMARY KEY,
    message_id   TEXT NOT NULL,
    queue        TEXT NOT NULL,
    actor        TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('ready', 'delayed', 'running')),
    priority     INTEGER NOT NULL,
    due_at       INTEGER NOT NULL,
    enqueued_at  INTEGER NOT NULL,
    deliveries   INTEGER NOT NULL DEFAULT 0,
    crashes      INTEGER NOT NULL DEFAULT 0,
    owner        INTEGER,           -- running: the process that has it
    token        INTEGER,           -- running: proves whose delivery it is
    last_error   TEXT,
    payload      BLOB               -- NULL: too large to drag through every claim, see message_body
);
INSERT INTO message_queue_3
SELECT id, message_id, queue, actor, state, priority, due_at, enqueued_at, deliveries, crashes, owner, token,
       last_error, payload
FROM message_queue;
DROP TABLE message_queue;
ALTER TABLE message_queue_3 RENAME TO message_queue;
CREATE INDEX message_ready ON message_queue (queue, priority, due_at, id) WHERE state = 'ready';
CREATE INDEX message_delayed ON message_queue (queue, due_at) WHERE state = 'delayed';
CREATE INDEX message_running ON message_queue (owner) WHERE state = 'running';

INSERT INTO known_id SELECT message_id, id FROM message_queue ORDER BY message_id;
INSERT INTO queue (name, live) SELECT queue, count(*) FROM message_queue WHERE true GROUP BY queue
ON CONFLICT (name) DO UPDATE SET live = excluded.live;
INSERT INTO counted SELECT 1, coalesce(max(id), 0), count(*) FROM message_queue;

-- Ignore a message whose id is there already.
CREATE TRIGGER message_is_known BEFORE INSERT ON message_queue
WHEN EXISTS (
    SELECT 1 FROM known_id known JOIN message_queue live USING (id)
    WHERE known.message_id = new.message_id AND live.message_id = new.message_id
)
BEGIN
    SELECT RAISE(IGNORE);
END;

-- Note the new message's id, and list its queue. Its row is the one after the last, which may have been
-- counted for a message that is gone.
CREATE TRIGGER message_comes AFTER INSERT ON message_queue
BEGIN
    INSERT INTO known_id VALUES (new.message_id, new.id)
    ON CONFLICT (message_id) DO UPDATE SET id = excluded.id;
    INSERT INTO queue (name) VALUES (new.queue) ON CONFLICT (name) DO NOTHING;
    UPDATE counted SET up_to = new.id - 1 WHERE up_to >= new.id AND new.id % 1000 != 0;
END;

-- Count, with each thousandth row. This trigger and the one before run in any order.
CREATE TRIGGER messages_are_counted AFTER INSERT ON message_queue WHEN new.id % 1000 = 0
BEGIN
    INSERT INTO queue (name, live)
    SELECT queue, count(*) FROM message_queue
    WHERE id > (SELECT min(up_to, new.id - 1) FROM counted) GROUP BY queue
    ON CONFLICT (name) DO UPDATE SET live = live + excluded.live;
    UPDATE counted SET up_to = new.id, total = (SELECT sum(live) FROM queue);
END;

CREATE TRIGGER message_changes_queue AFTER UPDATE OF queue ON message_queue WHEN new.queue != old.queue
BEGIN
    INSERT INTO queue (name) VALUES (new.queue) ON CONFLICT (name) DO NOTHING;
    UPDATE queue SET live = live + iif(name = new.queue, 1, -1)
    WHERE name IN (old.queue, new.queue) AND new.id <= (SELECT up_to FROM counted);
END;

-- No statement of this trigger may break a constraint: a DELETE that could fail halfway would keep a copy
-- of every page that it changes, and a queue of a million messages may be flushed. While there are few
-- messages, their ids share pages, and an id is deleted at once.
CREATE TRIGGER message_goes AFTER DELETE ON message_queue
BEGIN
    UPDATE queue SET live = live - 1 WHERE name = old.queue AND old.id <= (SELECT up_to FROM counted);
    DELETE FROM message_body WHERE id = old.id AND old.payload IS NULL;
    DELETE FROM known_id
    WHERE message_id = iif((SELECT total FROM counted) < 10000, old.message_id, NULL);
    INSERT INTO spent_id (message_id)
    SELECT old.message_id FROM counted WHERE total >= 10000;
END;
"""

#: The indexes that are created where they are missing. Older code can still open the file.
_INDEXES = """
-- The messages that were tried before: a running message has had one delivery more. The others, nearly
-- all, never touch this index.
CREATE INDEX IF NOT EXISTS message_tried ON message_queue (queue, enqueued_at)
WHERE deliveries > (state = 'running');
"""

SCHEMA = Schema("queue", (_VERSION_1, _VERSION_2, _VERSION_3), indexes=_INDEXES)
