"""Conversations on a Redis server."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Literal, TypeVar

from brokers.redis.commands import Command
from brokers.redis.database import Database
from brokers.redis.durability import Durability
from brokers.redis.scripts import Argument, Script, new_call
from brokers.redis.server import Address

from ..messages import InboundMessage
from . import scripts
from .store import DELIVERY_RANK, Author, Entry, Hold, HoldLost, Line, Reply, ReplyState, Summary, Turn

T = TypeVar("T")

#: Looking at so many conversations holds up the server for a millisecond or two.
FIND_PAGE = 1_000


class RedisConversationStore:
    """A `ConversationStore` on a Redis or Valkey server, shared by any number of machines.

    Parameters:
      url: see `brokers.redis.database.Database`, as for all that is not explained here.
      namespace: everything is kept under this name, which nothing else may use.
      retention_s: for how many seconds to keep what has come to rest. What is owed is kept until it is
        settled: messages without an answer, replies that are not sent.
      clock: milliseconds since the epoch, where that is not the server's time.
    """

    def __init__(
        self,
        url: str,
        *,
        namespace: str = "recado-conversations",
        retention_s: float = 30 * 86_400,
        durability: Durability = "wait",
        sentinels: Iterable[Address] = (),
        sentinel_master: str = "mymaster",
        timeout_s: float = 5.0,
        clock: Callable[[], int] | None = None,
    ) -> None:
        self._database = Database(
            url,
            namespace=namespace,
            durability=durability,
            sentinels=sentinels,
            sentinel_master=sentinel_master,
            timeout_s=timeout_s,
        )
        self._retention_ms = int(retention_s * 1000)
        self._clock = clock

    # -- what comes in ------------------------------------------------------------------------------

    def append(self, message: InboundMessage, *, received_at: int) -> bool:
        arguments = (
            *(new_call(), message.message_id, message.conversation),
            *(message.account_sid, message.contact, message.address, message.message_sid),
            *(message.body, json.dumps(dict(message.payload), ensure_ascii=False), received_at),
        )
        return self._change(scripts.APPEND, *arguments, read=bool)

    def set_aside(self, message: InboundMessage) -> None:
        self._change(scripts.SET_ASIDE, message.message_id, 1, read=_nothing)

    def take_up(self, message: InboundMessage) -> None:
        self._change(scripts.SET_ASIDE, message.message_id, 0, read=_nothing)

    def unanswered(self, conversation: str) -> Sequence[InboundMessage]:
        payloads: list[bytes] = self._ask(scripts.UNANSWERED, conversation, read=list)
        return [InboundMessage.from_twilio(json.loads(payload)) for payload in payloads]

    # -- answering ----------------------------------------------------------------------------------

    def hold(self, conversation: str, holder: str, *, is_live: Callable[[str], bool]) -> Hold | None:
        def take(void: str | bytes) -> Any:
            return self._change(scripts.HOLD, conversation, holder, void, read=_as_it_is)

        answer = take(void=holder)
        if isinstance(answer, bytes) and not is_live(_text(answer)):
            answer = take(void=answer)
        return Hold(conversation, answer) if isinstance(answer, int) else None

    def turn(self, hold: Hold, *, history_limit: int) -> Turn:
        return self._ask(scripts.TURN, hold.conversation, history_limit, read=_turn)

    def answer(
        self,
        hold: Hold,
        turn: Turn,
        body: str,
        *,
        kind: Literal["answer", "fallback"],
        tokens: int | None = None,
    ) -> Reply:
        arguments = (
            *(hold.conversation, hold.fence, uuid.uuid4().hex),
            *(body, kind, "" if tokens is None else tokens, *turn.keys),
        )
        reply = self._change(scripts.ANSWER, *arguments, read=_reply)
        if reply is None:
            raise HoldLost(hold.conversation)
        return reply

    def release(self, hold: Hold, *, unless_more: bool) -> bool:
        return self._change(scripts.RELEASE, hold.conversation, hold.fence, int(unless_more), read=bool)

    # -- sending ------------------------------------------------------------------------------------

    def next_to_send(self, conversation: str) -> Reply | None:
        return self._ask(scripts.NEXT_TO_SEND, conversation, read=_reply)

    def begin_sending(
        self, reply_id: str, *, attempt: int | None = None, void: Sequence[int] = ()
    ) -> Reply | None:
        named = "" if attempt is None else attempt
        return self._change(scripts.BEGIN_SENDING, new_call(), reply_id, named, *void, read=_reply)

    def record_sent(self, reply_id: str, sid: str) -> None:
        self._change(scripts.RECORD_SENT, reply_id, sid, read=_nothing)

    def record_not_sent(self, reply_id: str, error: str, *, final: bool) -> None:
        before: Sequence[ReplyState] = ("pending", "sending", "unknown")
        self._record_failure(reply_id, "failed" if final else "pending", error, before=before)

    def record_unknown(self, reply_id: str, error: str) -> None:
        self._record_failure(reply_id, "unknown", error, before=("sending",))

    def _record_failure(
        self, reply_id: str, state: ReplyState, error: str, *, before: Sequence[ReplyState]
    ) -> None:
        self._change(scripts.RECORD_FAILURE, new_call(), reply_id, state, error, *before, read=_nothing)

    def record_delivery(self, reply_id: str, *, sid: str, status: str, error: str | None) -> bool:
        arguments = (new_call(), reply_id, sid, status, DELIVERY_RANK.get(status, 0))
        errors = () if error is None else (error,)
        return self._change(scripts.RECORD_DELIVERY, *arguments, *errors, read=_is_one)

    def reply(self, reply_id: str) -> Reply | None:
        return self._ask(scripts.REPLY, reply_id, read=_reply)

    def thread(self, conversation: str, *, limit: int | None = None) -> Sequence[Entry]:
        return self._ask(scripts.THREAD, conversation, "" if limit is None else limit, read=_thread)

    def conversations(
        self, *, contact: str | None = None, limit: int = 50, offset: int = 0
    ) -> Sequence[Summary]:
        page = list(islice(self._found(contact or ""), offset, offset + limit))
        return self._ask(scripts.SUMMARIES, *page, read=_summaries) if page else []

    def summary(self, conversation: str) -> Summary | None:
        found = self._ask(scripts.SUMMARIES, conversation, read=_summaries)
        return found[0] if found else None

    def conversation_of(self, message_id: str) -> str | None:
        return self._ask(scripts.CONVERSATION_OF, message_id, read=_optional)

    def _found(self, contact: str) -> Iterator[bytes]:
        """The keys of conversations with contacts like that, latest first."""
        offset = 0
        while True:
            looked_at, *keys = self._ask(scripts.FIND_CONVERSATIONS, offset, FIND_PAGE, contact, read=list)
            yield from keys
            offset += looked_at
            if looked_at < FIND_PAGE:
                return

    def knows_sid(self, sid: str) -> bool:
        return self._ask(scripts.KNOWS_SID, sid, read=bool)

    def close(self) -> None:
        self._database.close()

    def _ask(self, script: Script, *arguments: Argument, read: Callable[[Any], T]) -> T:
        return self._database.ask(Command(script, self._complete(arguments), read=read))

    def _change(self, script: Script, *arguments: Argument, read: Callable[[Any], T]) -> T:
        return self._database.store(Command(script, self._complete(arguments), read=read))

    def _complete(self, arguments: Iterable[Argument]) -> Sequence[Argument]:
        """With what every script is called with. Half a surrogate pair, which is in no encoding, is kept."""
        now = "" if self._clock is None else self._clock()
        texts_encoded = (
            each.encode(errors="surrogatepass") if isinstance(each, str) else each for each in arguments
        )
        return (now, self._retention_ms, *texts_encoded)


def _as_it_is(answer: Any) -> Any:
    return answer


def _nothing(_: Any) -> None:
    return None


def _is_one(answer: int | bytes) -> bool:
    return int(answer) == 1


def _text(value: bytes) -> str:
    """Fit for everyone: half a surrogate pair, which no service takes, reads as a replacement character."""
    return value.decode(errors="replace")


def _optional(value: bytes | None) -> str | None:
    return None if value is None else _text(value)


def _turn(answer: list[list[bytes]]) -> Turn:
    unanswered, history = answer
    return Turn(
        history=list(reversed(_lines(zip(history[::2], history[1::2], strict=True)))),
        unanswered=_lines((b"contact", body) for body in unanswered[1::2]),
        keys=unanswered[::2],
    )


def _lines(said: Iterable[tuple[bytes, bytes]]) -> list[Line]:
    return [Line(_author(author), _text(text)) for author, text in said]


def _reply(answer: list[Any] | None) -> Reply | None:
    if answer is None:
        return None
    *texts, received_at, written_at, sending_at, sid, delivery_status, error = answer
    return Reply._make(
        (
            *map(_text, texts),
            *(int(received_at), int(written_at), None if sending_at is None else int(sending_at)),
            *map(_optional, (sid, delivery_status, error)),
        )
    )


def _thread(answer: list[list[Any]]) -> list[Entry]:
    return [
        Entry._make((_author(author), _text(text), int(at), *map(_optional, optional), set_aside == b"1"))
        for author, text, at, *optional, set_aside in answer
    ]


def _summaries(answer: list[list[Any]]) -> list[Summary]:
    return [_summary(fields) for fields in answer]


def _summary(fields: list[Any]) -> Summary:
    key, contact, address, last_at, message_id, author, text, unanswered, *of_reply = fields
    return Summary._make(
        (
            *(_text(key), _text(contact), _text(address), int(last_at), _text(message_id)),
            *(_author(author), _text(text), unanswered, *map(_optional, of_reply)),
        )
    )


def _author(author: bytes) -> Author:
    return "us" if author == b"us" else "contact"
