"""Every statement the queue engine runs, named. Times are milliseconds since the epoch."""

from __future__ import annotations

from collections.abc import Iterable

#: Store a message unless one of that id is there already.
ENQUEUE = """
INSERT INTO message_queue (message_id, queue, actor, state, priority, due_at, enqueued_at, payload)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""

#: Store many at once: payloads end to end, and of each message its fields, and where its payload begins and
#: how long it is.
ENQUEUE_ALL = """
INSERT INTO message_queue (message_id, queue, actor, state, priority, due_at, enqueued_at, payload)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
       substr(?, value ->> 7, value ->> 8)
FROM json_each(?)
"""

IDS_BETWEEN = "SELECT message_id FROM message_queue WHERE id > ? AND id <= ?"

#: Who has a unique key now.
HOLDER_OF_KEY = "SELECT message_id FROM unique_key WHERE key = ? AND expires_at > ?"

TAKE_KEY = """
INSERT INTO unique_key VALUES (?, ?, ?)
ON CONFLICT (key) DO UPDATE SET message_id = excluded.message_id, expires_at = excluded.expires_at
"""

#: A few at a time, so that taking one key never pays for thousands of old ones.
EXPIRE_KEYS = (
    "DELETE FROM unique_key WHERE key IN (SELECT key FROM unique_key WHERE expires_at <= ? LIMIT 10)"
)

#: Keep a large payload beside its row.
KEEP_BODY = """
INSERT INTO message_body (id, payload) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET payload = excluded.payload
"""

FORGET_BODY = "DELETE FROM message_body WHERE id = ?"

#: Have a queue listed that has only dead letters. Where there are messages a trigger does it.
KNOW_QUEUE = "INSERT INTO queue (name) VALUES (?) ON CONFLICT (name) DO NOTHING"

#: A queue's delayed messages whose time has come, a bounded number of them.
PROMOTE = """
UPDATE message_queue SET state = 'ready' WHERE id IN (
    SELECT id FROM message_queue WHERE state = 'delayed' AND queue = :queue AND due_at <= :now
    ORDER BY due_at LIMIT :limit
)
"""

#: The next messages to run: one walk along the head of the index of ready ones. They come as a single
#: row, their heads as JSON and their payloads end to end, because for every row this process's writer
#: would have to win the GIL back from its busy workers (150 rows: 15 ms instead of 2). With them comes
#: when the queue's next delayed message is due.
NEXT_READY = """
SELECT json_group_array(json_array(id, message_id, deliveries + 1, enqueued_at, due_at, crashes,
                                   octet_length(payload))
                        ORDER BY priority, due_at, id),
       CAST(group_concat(payload, '' ORDER BY priority, due_at, id) AS BLOB),
       (SELECT min(due_at) FROM message_queue WHERE state = 'delayed' AND queue = :queue)
FROM (
    SELECT id, message_id, deliveries, enqueued_at, due_at, crashes, priority, payload
    FROM message_queue
    WHERE state = 'ready' AND queue = :queue
      AND NOT EXISTS (SELECT 1 FROM queue WHERE name = :queue AND paused)
    ORDER BY priority, due_at, id LIMIT :limit
)
"""

#: What NEXT_READY named, as it named it.
CLAIM = """
UPDATE message_queue SET state = 'running', owner = :owner, token = :token, deliveries = deliveries + 1
WHERE id IN (SELECT json_extract(value, '$[0]') FROM json_each(:heads))
"""

#: The very next message, found and taken; whether it is the last one comes with it. None while a delayed
#: message is due: it has to be promoted first, and may go before.
CLAIM_ONE = """
UPDATE message_queue SET state = 'running', owner = :owner, token = :token, deliveries = deliveries + 1
WHERE id = (
        SELECT id FROM message_queue
        WHERE state = 'ready' AND queue = :queue
          AND NOT EXISTS (SELECT 1 FROM queue WHERE name = :queue AND paused)
        ORDER BY priority, due_at, id LIMIT 1
    )
    AND NOT EXISTS (SELECT 1 FROM message_queue WHERE state = 'delayed' AND queue = :queue AND due_at <= :now)
RETURNING json_array(id, message_id, deliveries, enqueued_at, due_at, crashes, octet_length(payload)),
    CAST(payload AS BLOB),
    NOT EXISTS (
        SELECT 1 FROM message_queue other
        WHERE other.state = 'ready' AND other.queue = :queue AND other.id != message_queue.id
    )
"""

BODY = "SELECT CAST(payload AS BLOB) FROM message_body WHERE id = ?"

ACK = "DELETE FROM message_queue WHERE id = ? AND token IS ?"

#: Ids as a JSON array, all claimed under one token.
ACK_ALL = "DELETE FROM message_queue WHERE id IN (SELECT value FROM json_each(?)) AND token = ?"

COUNT_DONE = """
INSERT INTO queue (name, done) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET done = done + excluded.done
"""

#: Give a delivery back as if it had not happened.
RELEASE = """
UPDATE message_queue
SET state = ?, due_at = max(due_at, ?), owner = NULL, token = NULL, deliveries = deliveries - 1
WHERE id = ? AND token IS ?
"""

#: Give back whatever a claim took.
UNCLAIM = """
UPDATE message_queue
SET state = 'ready', owner = NULL, token = NULL, deliveries = deliveries - 1
WHERE state = 'running' AND owner = ? AND token = ?
"""

#: Put a message back in place, changed.
RETRY = """
UPDATE message_queue
SET state = ?, due_at = ?, queue = ?, payload = ?, last_error = ?, owner = NULL, token = NULL, crashes = 0
WHERE id = ? AND token = ?
"""

#: A running message becomes a dead letter; its row goes with the DELETE that follows.
BURY = """
INSERT INTO dead_letter
    (message_id, queue, actor, priority, enqueued_at, deliveries, crashes, died_at, reason, last_error,
     payload)
SELECT message_id, queue, actor, priority, enqueued_at, deliveries, crashes, ?, ?, coalesce(?, last_error),
       coalesce(message_queue.payload, (SELECT payload FROM message_body b WHERE b.id = message_queue.id))
FROM message_queue WHERE id = ? AND token IS ?
ON CONFLICT (message_id) DO UPDATE SET
    deliveries = excluded.deliveries, crashes = excluded.crashes, died_at = excluded.died_at,
    reason = excluded.reason, last_error = excluded.last_error, payload = excluded.payload
"""

#: One more dead letter of the queue that the running message is in.
COUNT_DIED = """
INSERT INTO died SELECT queue, ?, 1 FROM message_queue WHERE id = ? AND token IS ?
ON CONFLICT (queue, reason) DO UPDATE SET count = count + 1
"""

#: A queue's next messages, so that damage to a row can be seen: whether its fields have their types, and its
#: texts as they are.
LOOK_AT_HEAD = """
SELECT id,
       typeof(message_id) = 'text' AND typeof(actor) = 'text' AND typeof(priority) = 'integer'
       AND typeof(due_at) = 'integer' AND typeof(enqueued_at) = 'integer' AND typeof(deliveries) = 'integer'
       AND typeof(crashes) = 'integer' AND typeof(payload) IN ('blob', 'null'),
       CAST(message_id AS BLOB), CAST(actor AS BLOB)
FROM message_queue WHERE state = 'ready' AND queue = ?
ORDER BY priority, due_at, id LIMIT ?
"""

#: Messages that no claim finds, because their queue is no text, or their time no number or thousands of
#: years away; and messages that no recovery finds, because they run for nobody. Each part is one look into an
#: index: in SQLite's order numbers come before texts, and texts before blobs.
STRAY = """
SELECT id FROM message_queue WHERE state = 'ready' AND queue >= x''
UNION SELECT id FROM message_queue WHERE state = 'delayed' AND queue >= x''
UNION SELECT delayed.id FROM queue
      JOIN message_queue delayed
      ON delayed.state = 'delayed' AND delayed.queue = name AND delayed.due_at >= 100000000000000
UNION SELECT id FROM message_queue WHERE state = 'running' AND owner IS NULL
"""

QUEUE_NAMES = "SELECT CAST(name AS BLOB) FROM queue"

#: What waits in a queue whose name is no text.
IN_QUEUE = """
SELECT id FROM message_queue WHERE state = 'ready' AND queue = CAST(? AS TEXT)
UNION SELECT id FROM message_queue WHERE state = 'delayed' AND queue = CAST(? AS TEXT)
"""

#: As much of a row as there is, in types that can be read.
REMAINS = """
SELECT CAST(message_id AS BLOB), CAST(queue AS BLOB), CAST(actor AS BLOB),
       CAST(coalesce(payload, (SELECT payload FROM message_body b WHERE b.id = q.id), x'') AS BLOB),
       CAST(priority AS INTEGER), CAST(enqueued_at AS INTEGER), CAST(deliveries AS INTEGER),
       CAST(crashes AS INTEGER)
FROM message_queue q WHERE id = ?
"""

DELETE_ROW = "DELETE FROM message_queue WHERE id = ?"

#: One more dead letter of a queue.
COUNT_DEATH = """
INSERT INTO died VALUES (?, ?, 1) ON CONFLICT (queue, reason) DO UPDATE SET count = count + 1
"""

#: All that a process holds: with the death of the process, what it held.
HELD_BY = "SELECT id, token, crashes FROM message_queue WHERE state = 'running' AND owner = ?"

#: Owners that hold messages, found by hopping along the index instead of reading it all.
OWNERS = """
WITH RECURSIVE hop (owner) AS (
    SELECT min(owner) FROM message_queue WHERE state = 'running'
    UNION ALL
    SELECT (SELECT min(owner) FROM message_queue WHERE state = 'running' AND owner > hop.owner)
    FROM hop WHERE hop.owner IS NOT NULL
)
SELECT owner FROM hop WHERE owner IS NOT NULL
"""

#: The message was running when its process died: ready again, with one more crash to its name.
RECOVER_STARTED = """
UPDATE message_queue
SET state = 'ready', owner = NULL, token = NULL, crashes = crashes + 1, last_error = ?
WHERE id = ? AND token IS ?
"""

#: The numbers of the first and the last spent id, when they are a quarter as many as the messages, or many.
WORTH_SWEEPING = """
SELECT first, last
FROM (SELECT (SELECT min(number) FROM spent_id) AS first, (SELECT max(number) FROM spent_id) AS last)
WHERE last - first >= min(:many, (SELECT sum(live) FROM queue) / 4)
"""

#: Spent ids up to a number, in their order, as JSON arrays of so many.
SPENT_IN_ORDER = """
SELECT json_group_array(message_id)
FROM (
    SELECT message_id, row_number() OVER (ORDER BY message_id) - 1 AS place FROM spent_id
    WHERE number <= :last
)
GROUP BY place / :step
"""

#: Take ids out, unless a message has one again.
FORGET_IDS = """
DELETE FROM known_id
WHERE message_id IN (SELECT value FROM json_each(?)) AND NOT EXISTS (
    SELECT 1 FROM message_queue live WHERE live.id = known_id.id AND live.message_id = known_id.message_id
)
"""

SWEPT = "DELETE FROM spent_id WHERE number <= ?"

#: How many messages there are: if few are left, the ids of those that go are no longer kept for a sweep.
COUNT_TOTAL = "UPDATE counted SET total = (SELECT sum(live) FROM queue)"

#: Texts for people are read as bytes, and numbers as numbers: whatever is in a row, it is shown.
QUEUES = """
SELECT CAST(name AS BLOB), CAST(paused AS INTEGER), CAST(done AS INTEGER), CAST(live AS INTEGER)
FROM queue ORDER BY name
"""

#: The messages that `live` does not count yet.
COUNT_UNCOUNTED = (
    "SELECT CAST(queue AS BLOB), count(*) FROM message_queue"
    " WHERE id > (SELECT CAST(up_to AS INTEGER) FROM counted) GROUP BY queue"
)

COUNT_DELAYED = "SELECT count(*) FROM message_queue WHERE state = 'delayed' AND queue = ?"

#: Running messages are few, and not indexed by queue: one pass counts them for all queues.
COUNT_RUNNING = (
    "SELECT CAST(queue AS BLOB), count(*) FROM message_queue WHERE state = 'running' GROUP BY queue"
)

COUNT_DEAD = "SELECT count(*) FROM dead_letter WHERE queue = ?"
DIED = "SELECT CAST(reason AS BLOB), CAST(count AS INTEGER) FROM died WHERE queue = ?"

#: The longest wait: the head of each priority, again by hopping, and what is due and was not yet made ready.
OLDEST_DUE = """
WITH RECURSIVE hop (priority) AS (
    SELECT min(priority) FROM message_queue WHERE state = 'ready' AND queue = :queue
    UNION ALL
    SELECT (SELECT min(priority) FROM message_queue
            WHERE state = 'ready' AND queue = :queue AND priority > hop.priority)
    FROM hop WHERE hop.priority IS NOT NULL
)
SELECT CAST(min(due_at) AS INTEGER) FROM (
    SELECT (SELECT min(due_at) FROM message_queue
            WHERE state = 'ready' AND queue = :queue AND priority = hop.priority) AS due_at
    FROM hop WHERE priority IS NOT NULL
    UNION ALL
    SELECT min(due_at) FROM message_queue WHERE state = 'delayed' AND queue = :queue AND due_at <= :now
)
"""

#: When the oldest message came in that was tried before. The condition is the index's own, to the letter.
OLDEST_TRIED = """
SELECT CAST(min(enqueued_at) AS INTEGER) FROM message_queue
WHERE deliveries > (state = 'running') AND queue = ?
"""

_LIVE = """
SELECT CAST(message_id AS BLOB), CAST(queue AS BLOB), CAST(actor AS BLOB), state,
       CAST(coalesce(q.payload, b.payload, x'') AS BLOB), CAST(priority AS INTEGER),
       CAST(deliveries AS INTEGER), CAST(crashes AS INTEGER), CAST(enqueued_at AS INTEGER),
       CAST(due_at AS INTEGER), CAST(last_error AS BLOB), NULL, NULL
FROM message_queue q LEFT JOIN message_body b ON b.id = q.id AND q.payload IS NULL
"""

_DEAD = """
SELECT CAST(message_id AS BLOB), CAST(queue AS BLOB), CAST(actor AS BLOB), 'dead', CAST(payload AS BLOB),
       CAST(priority AS INTEGER), CAST(deliveries AS INTEGER), CAST(crashes AS INTEGER),
       CAST(enqueued_at AS INTEGER), CAST(died_at AS INTEGER), CAST(last_error AS BLOB),
       CAST(reason AS BLOB), CAST(died_at AS INTEGER)
FROM dead_letter
"""


def _listed(state: str, order: str) -> str:
    """Those before the page are passed over in the index alone. The state must be a literal, or SQLite could
    not know that its partial index covers the query."""
    return (
        f"{_LIVE} WHERE q.id IN (SELECT id FROM message_queue WHERE state = '{state}' AND queue = ?"
        f" ORDER BY {order} LIMIT ? OFFSET ?) ORDER BY {order.replace('id', 'q.id')}"
    )


LIST = {
    "ready": _listed("ready", "priority, due_at, id"),
    "delayed": _listed("delayed", "due_at"),
    # With the plus, those of the state are sorted; without it, the whole table would be walked in order.
    "running": _listed("running", "+id"),
    "dead": _DEAD + "WHERE queue = ? ORDER BY died_at DESC, id DESC LIMIT ? OFFSET ?",
}

GET_LIVE = _LIVE + "WHERE q.id = (SELECT id FROM known_id WHERE message_id = ?1) AND message_id = ?1"
GET_DEAD = _DEAD + "WHERE message_id = ?"

#: What each field of a dead-letter filter asks for. Only what narrows is asked, so that indexes serve.
_ASKS = {
    "queue": "queue = :queue",
    "actor": "actor = :actor",
    "reason": "reason = :reason",
    "message_ids": "message_id IN (SELECT value FROM json_each(:message_ids))",
    "died_since": "died_at >= :died_since",
    "died_before": "died_at < :died_before",
    "text": "(instr(last_error, :text) OR instr(payload, CAST(:text AS BLOB))"
    " OR instr(payload, CAST(:text_in_json AS BLOB)))",
}


def _where(narrowing: Iterable[str]) -> str:
    asked = [_ASKS[name] for name in narrowing]
    return f" WHERE {' AND '.join(asked)} " if asked else " "


def dead_letters(narrowing: Iterable[str]) -> str:
    """A page of those that match. Only its own rows are read whole; others are sorted without payloads."""
    return (
        f"{_DEAD} WHERE id IN (SELECT id FROM dead_letter {_where(narrowing)}"
        " ORDER BY died_at DESC, id DESC LIMIT :limit OFFSET :offset) ORDER BY died_at DESC, id DESC"
    )


def count_dead_letters(narrowing: Iterable[str]) -> str:
    return "SELECT count(*) FROM dead_letter" + _where(narrowing)


def discard(narrowing: Iterable[str]) -> str:
    return "DELETE FROM dead_letter" + _where(narrowing)


#: A message as another engine had it.
ADOPT = """
INSERT INTO message_queue
    (message_id, queue, actor, priority, enqueued_at, deliveries, crashes, state, due_at, last_error, payload)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
ADOPT_DEAD = """
INSERT INTO dead_letter
    (message_id, queue, actor, priority, enqueued_at, deliveries, crashes, died_at, reason, last_error,
     payload)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (message_id) DO NOTHING
"""

#: A message that is somewhere else now, unless somebody took it up meanwhile.
REMOVE = """
DELETE FROM message_queue
WHERE id = (SELECT id FROM known_id WHERE message_id = ?1) AND message_id = ?1 AND state = ?2
"""

#: A dead letter on its way back. It gets a new row, and starts afresh.
DEAD_LETTER = "SELECT queue, actor, priority, enqueued_at, payload FROM dead_letter WHERE message_id = ?"
EXHUME = "DELETE FROM dead_letter WHERE message_id = ?"

PAUSE = (
    "INSERT INTO queue (name, paused) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET paused = excluded.paused"
)

FLUSH_LIVE = "DELETE FROM message_queue WHERE queue = ?"
FLUSH_DEAD = "DELETE FROM dead_letter WHERE queue = ?"
