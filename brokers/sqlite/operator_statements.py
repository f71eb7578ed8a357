"""The statements of the operators' side: count, list, replay, discard.

Times are milliseconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Iterable

# -- counting. Texts are read as bytes and numbers as integers: whatever is in a row, it is shown ------

#: Read each queue's name, whether it is paused, and its counters.
LIST_QUEUES = """
SELECT CAST(name AS BLOB), CAST(paused AS INTEGER), CAST(done AS INTEGER), CAST(live AS INTEGER)
FROM queue ORDER BY name
"""

#: Count the messages that `queue.live` does not count yet, by queue.
COUNT_UNCOUNTED = (
    "SELECT CAST(queue AS BLOB), count(*) FROM message_queue"
    " WHERE id > (SELECT CAST(up_to AS INTEGER) FROM counted) GROUP BY queue"
)

#: Count a queue's delayed messages.
COUNT_DELAYED = "SELECT count(*) FROM message_queue WHERE state = 'delayed' AND queue = ?"

#: Count running messages by queue: they are few, and not indexed by queue, so one pass counts all.
COUNT_RUNNING = (
    "SELECT CAST(queue AS BLOB), count(*) FROM message_queue WHERE state = 'running' GROUP BY queue"
)

#: Count a queue's dead letters.
COUNT_DEAD = "SELECT count(*) FROM dead_letter WHERE queue = ?"

#: Read how many messages of a queue became dead letters since the beginning, by reason.
DEATHS_BY_REASON = "SELECT CAST(reason AS BLOB), CAST(count AS INTEGER) FROM died WHERE queue = ?"

#: Read since when the message waits that has waited longest: the head of each priority, found by hopping
#: along the index, and the delayed messages that are due.
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

#: Read when the oldest message was enqueued that was tried before. The condition is the index's own, to
#: the letter.
OLDEST_TRIED = """
SELECT CAST(min(enqueued_at) AS INTEGER) FROM message_queue
WHERE deliveries > (state = 'running') AND queue = ?
"""

# -- listing -------------------------------------------------------------------------------------------

#: The columns of `StoredMessage`, of messages in a queue.
_LIVE = """
SELECT CAST(message_id AS BLOB), CAST(queue AS BLOB), CAST(actor AS BLOB), state,
       CAST(coalesce(q.payload, b.payload, x'') AS BLOB), CAST(priority AS INTEGER),
       CAST(deliveries AS INTEGER), CAST(crashes AS INTEGER), CAST(enqueued_at AS INTEGER),
       CAST(due_at AS INTEGER), CAST(last_error AS BLOB), NULL, NULL
FROM message_queue q LEFT JOIN message_body b ON b.id = q.id AND q.payload IS NULL
"""

#: The same, of dead letters.
_DEAD = """
SELECT CAST(message_id AS BLOB), CAST(queue AS BLOB), CAST(actor AS BLOB), 'dead', CAST(payload AS BLOB),
       CAST(priority AS INTEGER), CAST(deliveries AS INTEGER), CAST(crashes AS INTEGER),
       CAST(enqueued_at AS INTEGER), CAST(died_at AS INTEGER), CAST(last_error AS BLOB),
       CAST(reason AS BLOB), CAST(died_at AS INTEGER)
FROM dead_letter
"""


def _list(state: str, order: str) -> str:
    """Return the statement that reads a page of a queue's messages in one state.

    The messages before the page are skipped in the index alone. The state is a literal: with a bound value
    SQLite could not know that its partial index covers the query.
    """
    return (
        f"{_LIVE} WHERE q.id IN (SELECT id FROM message_queue WHERE state = '{state}' AND queue = ?"
        f" ORDER BY {order} LIMIT ? OFFSET ?) ORDER BY {order.replace('id', 'q.id')}"
    )


#: Read a page of a queue's messages, by state.
LIST = {
    "ready": _list("ready", "priority, due_at, id"),
    "delayed": _list("delayed", "due_at"),
    # With the plus SQLite sorts the messages of the state; without it, it would walk the whole table in
    # order.
    "running": _list("running", "+id"),
    "dead": _DEAD + "WHERE queue = ? ORDER BY died_at DESC, id DESC LIMIT ? OFFSET ?",
}

#: Read one message by its id.
GET_LIVE = _LIVE + "WHERE q.id = (SELECT id FROM known_id WHERE message_id = ?1) AND message_id = ?1"

#: Read one dead letter by its message's id.
GET_DEAD = _DEAD + "WHERE message_id = ?"

#: The condition of each field of a `DeadLetterFilter`. A statement has only those that narrow, so that
#: indexes serve.
_CONDITIONS = {
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
    conditions = [_CONDITIONS[name] for name in narrowing]
    return f" WHERE {' AND '.join(conditions)} " if conditions else " "


def dead_letters(narrowing: Iterable[str]) -> str:
    """Return the statement that reads a page of matching dead letters.

    It reads only the rows of the page whole; the others are sorted without their payloads.

    Parameters:
      narrowing: the names of the filter's fields that narrow.
    """
    return (
        f"{_DEAD} WHERE id IN (SELECT id FROM dead_letter {_where(narrowing)}"
        " ORDER BY died_at DESC, id DESC LIMIT :limit OFFSET :offset) ORDER BY died_at DESC, id DESC"
    )


def count_dead_letters(narrowing: Iterable[str]) -> str:
    """Return the statement that counts matching dead letters."""
    return "SELECT count(*) FROM dead_letter" + _where(narrowing)


def discard(narrowing: Iterable[str]) -> str:
    """Return the statement that deletes matching dead letters."""
    return "DELETE FROM dead_letter" + _where(narrowing)


# -- changing ------------------------------------------------------------------------------------------

#: Store a message as another engine had it.
INSERT_ADOPTED = """
INSERT INTO message_queue
    (message_id, queue, actor, priority, enqueued_at, deliveries, crashes, state, due_at, last_error, payload)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

#: Delete a message that another engine has now, unless a consumer has claimed it meanwhile.
DELETE_REMOVED = """
DELETE FROM message_queue
WHERE id = (SELECT id FROM known_id WHERE message_id = ?1) AND message_id = ?1 AND state = ?2
"""

#: Read a dead letter that is to be replayed. The replayed message gets a new row, and its counters start
#: afresh.
READ_DEAD_LETTER = "SELECT queue, actor, priority, enqueued_at, payload FROM dead_letter WHERE message_id = ?"

#: Delete a dead letter.
DELETE_DEAD_LETTER = "DELETE FROM dead_letter WHERE message_id = ?"

#: Pause a queue, or resume it.
SET_PAUSED = (
    "INSERT INTO queue (name, paused) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET paused = excluded.paused"
)

#: Delete all messages of a queue.
DELETE_MESSAGES_OF_QUEUE = "DELETE FROM message_queue WHERE queue = ?"

#: Delete all dead letters of a queue.
DELETE_DEAD_LETTERS_OF_QUEUE = "DELETE FROM dead_letter WHERE queue = ?"
