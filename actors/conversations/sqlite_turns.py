"""The turns of conversations in a SQLite file: who may answer, what is unanswered, and its answer."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import apsw

from brokers.sqlite.storage import Database

from ..answer import Usage
from ..conversation import decoded
from ..model_call import NO_CALL, ModelCall
from ..reply import NOTHING_ELSE, Content, Reply, ReplyKind, ReplyState
from . import reply_statements, sqlite_usage, statements
from .shared_calls import paused_ms
from .sqlite_replies import next_to_send, reply_of
from .turn import Answered, Hold, HoldLost, Rest, Turn, Utterance, answered_with


class SQLiteTurns:
    """The verbs of `SQLiteConversationStore` by which a holder answers."""

    _database: Database
    _clock: Callable[[], int]

    def unanswered(self, conversation: str) -> Sequence[Utterance]:
        return _utterances(self._database.read(lambda c: _unanswered(c, conversation)))

    def hold(self, conversation: str, holder: str, *, is_live: Callable[[str], bool]) -> Hold | None:
        def take(void: str | None) -> Hold | None:
            return self._database.write(lambda c: hold_of(c, conversation, holder, void=void))

        hold = take(None)
        if hold is None:
            other: Any = self._database.read(
                lambda c: c.execute(statements.HOLDER, (conversation,)).fetchone()
            )
            # Let go of meanwhile, or held for a message that will never look again.
            if other is not None and (other[0] is None or not is_live(other[0])):
                hold = take(other[0])
        return hold

    def turn(self, hold: Hold, *, history_limit: int) -> Turn:
        now = self._clock()

        def apply(connection: apsw.Connection) -> Turn:
            rows = _unanswered(connection, hold.conversation)
            about: Any = connection.execute(statements.ABOUT, (hold.conversation,)).fetchone()
            if about is None:
                raise HoldLost(hold.conversation)
            history: Any = connection.execute(
                statements.HISTORY, {"key": hold.conversation, "limit": history_limit}
            ).fetchall()
            return Turn(
                channel=about[0],
                history=[Utterance._make(row) for row in reversed(history)],
                unanswered=_utterances(rows),
                metadata=decoded(about[1]),
                mode=about[2],
                calls_paused_ms=paused_ms(about[3], now),
            )

        return self._database.read(apply)

    def answer(
        self,
        hold: Hold,
        turn: Turn,
        *bodies: str,
        kind: ReplyKind,
        content: Content = NOTHING_ELSE,
        usage: Usage | None = None,
        call: ModelCall = NO_CALL,
        metadata: Mapping[str, Any] | None = None,
        hand_over: str | None = None,
        finish: bool = False,
    ) -> Answered:
        now, key = self._clock(), hold.conversation
        state: ReplyState = "cancelled" if kind == "silence" else "pending"
        replies = [(uuid.uuid4().hex, body) for body in bodies]
        shown = {utterance.message_id for utterance in turn.unanswered}
        kept = None if metadata is None else json.dumps(dict(metadata), ensure_ascii=False)
        prompt, tool_calls = call.kept_prompt, call.kept_tool_calls
        model = None if usage is None else usage.model

        def apply(connection: apsw.Connection) -> Answered:
            fence: Any = connection.execute(statements.FENCE, (key,)).fetchone()
            if fence is None or fence[0] != hold.fence:
                raise HoldLost(key)
            # What came in since the turn was read is not answered by this.
            answered = [row for row in _unanswered(connection, key) if row[3] in shown]
            received_at = min((row[2] for row in answered), default=now)
            for reply_id, body in replies:
                connection.execute(
                    reply_statements.WRITE_REPLY, (reply_id, key, body, kind, state, received_at, now, model)
                )
            first = replies[0][0]
            if content != NOTHING_ELSE or usage is not None:
                paid = (None, None) if usage is None else (usage.input_tokens, usage.tokens)
                took = (*paid, call.cost, call.took_ms)
                connection.execute(reply_statements.COMPLETE_REPLY, (str(content) or None, *took, first))
            if prompt or tool_calls:
                connection.execute(reply_statements.KEEP_MODEL_CALL, (first, prompt, tool_calls))
            if usage is not None:
                used = answered_with(usage, call)
                sqlite_usage.count(connection, key, usage.model, used, now=now)
            connection.execute(
                reply_statements.MARK_ANSWERED, (first, json.dumps([row[0] for row in answered]))
            )
            connection.execute(statements.TOUCH, (now, key))
            if kept is not None:
                connection.execute(statements.SET_METADATA, (kept, key))
            if hand_over is not None:
                to_person = {"mode": "person", "reason": hand_over, "now": now, "key": key, "opts_in": False}
                connection.execute(statements.SET_MODE, to_person)
            reply = cast(Reply, reply_of(connection, first))  # it was just written
            return Answered(reply, _finish(connection, hold) if finish else None)

        return self._database.write(apply)

    def finish(self, hold: Hold) -> Rest:
        return self._database.write(lambda c: _finish(c, hold))

    def release(self, hold: Hold) -> None:
        self._database.write(lambda c: _release(c, hold))


def hold_of(
    connection: apsw.Connection, conversation: str, holder: str, *, void: str | None = None
) -> Hold | None:
    """Take a conversation that nobody holds, or this holder, or a void one; return None when another does."""
    bindings = {"key": conversation, "holder": holder, "void": void}
    row: Any = connection.execute(statements.HOLD, bindings).fetchone()
    return None if row is None else Hold(conversation, row[0])


def _finish(connection: apsw.Connection, hold: Hold) -> Rest:
    key = hold.conversation
    fence: Any = connection.execute(statements.FENCE, (key,)).fetchone()
    is_held = fence is not None and fence[0] == hold.fence
    goes_on = is_held and connection.execute(statements.UNANSWERED, (key,)).fetchone() is not None
    if is_held and not goes_on:
        _release(connection, hold)
    return Rest(not goes_on, next_to_send(connection, key))


def _unanswered(connection: apsw.Connection, conversation: str) -> Any:
    return connection.execute(statements.UNANSWERED, (conversation,)).fetchall()


def _utterances(rows: Sequence[Any]) -> Sequence[Utterance]:
    return [Utterance("contact", *row[1:]) for row in rows]


def _release(connection: apsw.Connection, hold: Hold) -> None:
    connection.execute(statements.RELEASE, (hold.conversation, hold.fence))
