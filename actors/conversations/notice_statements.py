"""Every statement that the events people are told of need, named. Their tables are in `statements.py`."""

from __future__ import annotations

NOTE = """
INSERT INTO notice (receiver, event_id, at, waits, content) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (receiver, event_id) DO NOTHING
"""

RECEIVER = "SELECT not_before, failures FROM notice_receiver WHERE receiver = ?"

SET_RECEIVER = """
INSERT INTO notice_receiver (receiver, not_before, failures) VALUES (?, ?, ?)
ON CONFLICT (receiver) DO UPDATE SET not_before = excluded.not_before, failures = excluded.failures
"""

TOLD_SINCE = "SELECT DISTINCT told_at FROM notice WHERE receiver = ? AND told_at > ? ORDER BY told_at"

EXPIRE = "DELETE FROM notice WHERE receiver = ? AND told_at IS NULL AND at < ?"

#: An event that no other taker has, and that need not wait. One that was taken for longer than anybody takes
#: it was taken by a clock that was set back since.
_FREE = """
receiver = :receiver AND told_at IS NULL
AND (taken_until NOT BETWEEN :now + 1 AND :until OR taken_by = :taker)
AND NOT (waits AND :is_quiet)
"""

OLDEST = f"SELECT min(at) FROM notice WHERE {_FREE}"

TAKE = f"""
UPDATE notice SET taken_by = :taker, taken_until = :until WHERE {_FREE} RETURNING at, event_id, content
"""

WAITING = "SELECT count(*) FROM notice WHERE receiver = ? AND told_at IS NULL AND waits"

SETTLE = """
UPDATE notice SET told_at = ?
WHERE receiver = ? AND told_at IS NULL AND event_id IN (SELECT value FROM json_each(?))
"""

GIVE_BACK = """
UPDATE notice SET taken_by = NULL, taken_until = 0
WHERE receiver = ? AND taken_by = ? AND event_id IN (SELECT value FROM json_each(?))
"""

FORGET = "DELETE FROM notice WHERE at < ?"
