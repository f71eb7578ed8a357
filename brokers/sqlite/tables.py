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

-- One small index for each state, so that what lies in one state never slows down another.
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

-- With the queue in it, counting the delayed messages of each queue reads nothing but this.
DROP INDEX message_delayed;
CREATE INDEX message_delayed ON message_queue (due_at, queue) WHERE state = 'delayed';
"""

_VERSION_3 = """
-- Which row has a message id. An index of SQLite's own would cost each ack a page to read, change and log:
-- ids are random, and with a million messages waiting no two of a batch share a page. The entry of a
-- message that is gone says nothing, and can stay until many are deleted together: see id_cleanup.py.
CREATE TABLE known_id (
    message_id  TEXT PRIMARY KEY,
    id          INTEGER NOT NULL
) WITHOUT ROWID;

-- Numbers are never used twice: a sweep deletes those up to one, whatever another has deleted meanwhile.
CREATE TABLE spent_id (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id  TEXT
);

-- How many messages each queue has, of those up to a certain id; and how many there were in all when that was
-- counted. Messages after it, not many, are counted when somebody asks: if each message that comes were
-- counted at once, its commit would write a page more.
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

-- A message of an id that is there already does not come.
CREATE TRIGGER message_is_known BEFORE INSERT ON message_queue
WHEN EXISTS (
    SELECT 1 FROM known_id known JOIN message_queue live USING (id)
    WHERE known.message_id = new.message_id AND live.message_id = new.message_id
)
BEGIN
    SELECT RAISE(IGNORE);
END;

-- It gets the id after the last, which may have been counted for a message that is gone.
CREATE TRIGGER message_comes AFTER INSERT ON message_queue
BEGIN
    INSERT INTO known_id VALUES (new.message_id, new.id)
    ON CONFLICT (message_id) DO UPDATE SET id = excluded.id;
    INSERT INTO queue (name) VALUES (new.queue) ON CONFLICT (name) DO NOTHING;
    UPDATE counted SET up_to = new.id - 1 WHERE up_to >= new.id AND new.id % 1000 != 0;
END;

-- Beside the one above, in whatever order.
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

-- No statement in here may break a constraint: a delete that could fail halfway would keep a copy of every
-- page that it changes, and a queue of a million may be flushed. While there are few messages, their ids
-- share pages, and go at once.
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

#: Created where it is missing. It changes nothing for older code, which can open the file still.
_INDEXES = """
-- Messages that were tried before: one that runs has had one delivery more. Those that were not, nearly all,
-- never touch this index.
CREATE INDEX IF NOT EXISTS message_tried ON message_queue (queue, enqueued_at)
WHERE deliveries > (state = 'running');
"""

SCHEMA = Schema("queue", (_VERSION_1, _VERSION_2, _VERSION_3), indexes=_INDEXES)
