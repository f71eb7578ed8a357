"""The statements of the queue engine: enqueue, claim, settle, recover.

Times are milliseconds since the epoch.
"""

from __future__ import annotations

# -- enqueue -------------------------------------------------------------------------------------------

#: Store a message, unless a message with its id is there already (a trigger ignores the row).
ENQUEUE = """
INSERT INTO message_queue (message_id, queue, actor, state, priority, due_at, enqueued_at, payload)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""

#: Store many messages in one statement. Bound are the payloads end to end, and a JSON array with the
#: fields of each message, and where its payload begins and how long it is, in bytes.
ENQUEUE_ALL = """
INSERT INTO message_queue (message_id, queue, actor, state, priority, due_at, enqueued_at, payload)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
       substr(?, value ->> 7, value ->> 8)
FROM json_each(?)
"""

#: Read the message ids of rows after one row, up to another.
IDS_BETWEEN = "SELECT message_id FROM message_queue WHERE id > ? AND id <= ?"

#: Store a large payload beside its row.
STORE_BODY = """
INSERT INTO message_body (id, payload) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET payload = excluded.payload
"""

#: Delete the payload beside a row, because the row has a small one now.
DELETE_BODY = "DELETE FROM message_body WHERE id = ?"

#: Read the id of the message that has a unique key at a time.
UNIQUE_KEY_HOLDER = "SELECT message_id FROM unique_key WHERE key = ? AND expires_at > ?"

#: Give a unique key to a message, until a time.
STORE_UNIQUE_KEY = """
INSERT INTO unique_key VALUES (?, ?, ?)
ON CONFLICT (key) DO UPDATE SET message_id = excluded.message_id, expires_at = excluded.expires_at
"""

#: Delete a few expired unique keys: to store one key never costs the deletion of thousands.
DELETE_EXPIRED_KEYS = (
    "DELETE FROM unique_key WHERE key IN (SELECT key FROM unique_key WHERE expires_at <= ? LIMIT 10)"
)

# -- claim ---------------------------------------------------------------------------------------------

#: Make a queue's delayed messages ready whose time has come, a bounded number of them.
PROMOTE = """
UPDATE message_queue SET state = 'ready' WHERE id IN (
    SELECT id FROM message_queue WHERE state = 'delayed' AND queue = :queue AND due_at <= :now
    ORDER BY due_at LIMIT :limit
)
"""

#: Find a delayed message that was enqueued later than it can have been: the clock was set back since.
DELAYED_BY_A_LATER_CLOCK = """
SELECT 1 FROM message_queue WHERE state = 'delayed' AND enqueued_at > :now LIMIT 1
"""

#: Have such messages wait from now on for as long as they were to wait when they were enqueued. One whose
#: delay was set since, by the clock of now, keeps it.
BEGIN_DELAYS_ANEW = """
UPDATE message_queue SET
    due_at = CASE WHEN due_at < enqueued_at THEN due_at ELSE :now + due_at - enqueued_at END,
    enqueued_at = :now
WHERE state = 'delayed' AND enqueued_at > :now + :tolerance
"""

#: Read the next messages to run: one walk along the head of the index of ready messages. The result is a
#: single row, with the fields as JSON and the payloads end to end: for every row more this process's writer
#: would have to win the GIL back from busy worker threads (150 rows: 15 ms instead of 2). The row also says
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

#: Claim the messages that NEXT_READY has read. Bound is its JSON.
CLAIM = """
UPDATE message_queue SET state = 'running', owner = :owner, token = :token, deliveries = deliveries + 1
WHERE id IN (SELECT json_extract(value, '$[0]') FROM json_each(:heads))
"""

#: Find and claim the very next message, and read whether it is the queue's last ready one. The statement
#: claims none while a delayed message is due: PROMOTE makes the delayed message ready, which may then go
#: first.
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

#: Read the payload beside a row.
READ_BODY = "SELECT CAST(payload AS BLOB) FROM message_body WHERE id = ?"

#: Give back all messages of one claim, as if it had not happened.
RELEASE_CLAIM = """
UPDATE message_queue
SET state = 'ready', owner = NULL, token = NULL, deliveries = deliveries - 1
WHERE state = 'running' AND owner = ? AND token = ?
"""

# -- settle: under a stale token each changes nothing --------------------------------------------------

#: Delete a message.
ACK = "DELETE FROM message_queue WHERE id = ? AND token IS ?"

#: Delete many messages of one claim. Their rows are bound as a JSON array.
ACK_ALL = "DELETE FROM message_queue WHERE id IN (SELECT value FROM json_each(?)) AND token = ?"

#: Count finished messages of a queue.
COUNT_DONE = """
INSERT INTO queue (name, done) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET done = done + excluded.done
"""

#: Give a delivery back as if it had not happened.
RELEASE = """
UPDATE message_queue
SET state = ?, due_at = max(due_at, ?), owner = NULL, token = NULL, deliveries = deliveries - 1
WHERE id = ? AND token IS ?
"""

#: Put a message back in place, with another payload.
RETRY = """
UPDATE message_queue
SET state = ?, due_at = ?, queue = ?, payload = ?, last_error = ?, owner = NULL, token = NULL, crashes = 0
WHERE id = ? AND token = ?
"""

#: Make a dead letter of a running message. ACK then deletes its row.
COPY_TO_DEAD_LETTERS = """
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

#: Count one more dead letter of the queue that a running message is in.
COUNT_DEATH_OF_MESSAGE = """
INSERT INTO died SELECT queue, ?, 1 FROM message_queue WHERE id = ? AND token IS ?
ON CONFLICT (queue, reason) DO UPDATE SET count = count + 1
"""

#: Count one more dead letter of a queue.
COUNT_DEATH = """
INSERT INTO died VALUES (?, ?, 1) ON CONFLICT (queue, reason) DO UPDATE SET count = count + 1
"""

#: Store a dead letter, unless one with its id is there already.
INSERT_DEAD_LETTER = """
INSERT INTO dead_letter
    (message_id, queue, actor, priority, enqueued_at, deliveries, crashes, died_at, reason, last_error,
     payload)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (message_id) DO NOTHING
"""

#: List a queue that has only dead letters. A trigger lists the queues that have messages.
REGISTER_QUEUE = "INSERT INTO queue (name) VALUES (?) ON CONFLICT (name) DO NOTHING"

# -- damaged rows --------------------------------------------------------------------------------------

#: Read of a queue's next messages whether the fields have their types, and the texts as bytes.
CHECK_NEXT_READY = """
SELECT id,
       typeof(message_id) = 'text' AND typeof(actor) = 'text' AND typeof(priority) = 'integer'
       AND typeof(due_at) = 'integer' AND typeof(enqueued_at) = 'integer' AND typeof(deliveries) = 'integer'
       AND typeof(crashes) = 'integer' AND typeof(payload) IN ('blob', 'null'),
       CAST(message_id AS BLOB), CAST(actor AS BLOB)
FROM message_queue WHERE state = 'ready' AND queue = ?
ORDER BY priority, due_at, id LIMIT ?
"""

#: Find messages that no claim finds, because their queue is no text, or their time no number or thousands
#: of years away; and messages that no recovery finds, because they run without an owner. Each part is one
#: look into an index: in SQLite's order numbers come before texts, and texts before blobs.
FIND_UNREACHABLE = """
SELECT id FROM message_queue WHERE state = 'ready' AND queue >= x''
UNION SELECT id FROM message_queue WHERE state = 'delayed' AND queue >= x''
UNION SELECT delayed.id FROM queue
      JOIN message_queue delayed
      ON delayed.state = 'delayed' AND delayed.queue = name AND delayed.due_at >= 100000000000000
UNION SELECT id FROM message_queue WHERE state = 'running' AND owner IS NULL
"""

#: Read the names of all queues, as bytes.
QUEUE_NAMES = "SELECT CAST(name AS BLOB) FROM queue"

#: Find the messages that wait in a queue whose name is no text.
FIND_IN_MISNAMED_QUEUE = """
SELECT id FROM message_queue WHERE state = 'ready' AND queue = CAST(? AS TEXT)
UNION SELECT id FROM message_queue WHERE state = 'delayed' AND queue = CAST(? AS TEXT)
"""

#: Read all that is left of a row, in types that can be read.
READ_DAMAGED_ROW = """
SELECT CAST(message_id AS BLOB), CAST(queue AS BLOB), CAST(actor AS BLOB),
       CAST(coalesce(payload, (SELECT payload FROM message_body b WHERE b.id = q.id), x'') AS BLOB),
       CAST(priority AS INTEGER), CAST(enqueued_at AS INTEGER), CAST(deliveries AS INTEGER),
       CAST(crashes AS INTEGER)
FROM message_queue q WHERE id = ?
"""

#: Delete a row, whatever is in it.
DELETE_ROW = "DELETE FROM message_queue WHERE id = ?"

# -- recovery ------------------------------------------------------------------------------------------

#: Read the messages that a process has claimed.
CLAIMED_BY = "SELECT id, token, crashes FROM message_queue WHERE state = 'running' AND owner = ?"

#: Read the owners that have claimed messages, by hopping along the index instead of reading all of it.
OWNERS = """
WITH RECURSIVE hop (owner) AS (
    SELECT min(owner) FROM message_queue WHERE state = 'running'
    UNION ALL
    SELECT (SELECT min(owner) FROM message_queue WHERE state = 'running' AND owner > hop.owner)
    FROM hop WHERE hop.owner IS NOT NULL
)
SELECT owner FROM hop WHERE owner IS NOT NULL
"""

#: Make a message ready again that was running when its process died, with one crash more.
REQUEUE_CRASHED = """
UPDATE message_queue
SET state = 'ready', owner = NULL, token = NULL, crashes = crashes + 1, last_error = ?
WHERE id = ? AND token IS ?
"""

# -- cleanup of ids ------------------------------------------------------------------------------------

#: Read the numbers of the first and the last spent id, once there are a quarter as many as messages, or
#: many.
SPENT_ID_RANGE = """
SELECT first, last
FROM (SELECT (SELECT min(number) FROM spent_id) AS first, (SELECT max(number) FROM spent_id) AS last)
WHERE last - first >= min(:many, (SELECT sum(live) FROM queue) / 4)
"""

#: Read the spent ids up to a number, in the order of the ids, as JSON arrays of so many each.
SPENT_IDS_IN_ORDER = """
SELECT json_group_array(message_id)
FROM (
    SELECT message_id, row_number() OVER (ORDER BY message_id) - 1 AS place FROM spent_id
    WHERE number <= :last
)
GROUP BY place / :step
"""

#: Delete ids, bound as a JSON array, unless a message has one of them again.
DELETE_KNOWN_IDS = """
DELETE FROM known_id
WHERE message_id IN (SELECT value FROM json_each(?)) AND NOT EXISTS (
    SELECT 1 FROM message_queue live WHERE live.id = known_id.id AND live.message_id = known_id.message_id
)
"""

#: Delete the notes of spent ids up to a number.
DELETE_SPENT_IDS = "DELETE FROM spent_id WHERE number <= ?"

#: Note how many messages there are. If few are left, a trigger deletes the id of each finished message at
#: once.
UPDATE_TOTAL = "UPDATE counted SET total = (SELECT sum(live) FROM queue)"
