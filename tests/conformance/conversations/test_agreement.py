"""The whole contract at once: in any order of events, every store agrees with the one in a file."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable
from contextlib import closing
from operator import methodcaller
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from actors.answer import ToolCall, Usage
from actors.channels import InboundMessage
from actors.conversations import (
    Answered,
    ConversationReader,
    ConversationStore,
    Hold,
    HoldLost,
    KeptConversation,
    KeptMessage,
    KeptReply,
    Rest,
    SQLiteConversationStore,
    Summary,
    ThreadEntry,
    Turn,
    Utterance,
)
from actors.conversations.reader import Attention
from actors.conversations.redis import RedisConversationStore
from actors.conversations.usage import DAY_MS, day_of
from actors.model_call import ModelCall
from actors.reply import DecidedState, Reply, ReplyKind
from tests.support.conversations import CONTACT, delivery, inbound, next_reply
from tests.support.redis_server import RedisServer

from .conftest import SERVERS

CONTACTS = (CONTACT, "whatsapp:+5511900005678")
CONVERSATIONS = tuple(inbound(contact=contact).conversation for contact in CONTACTS)

picks = st.integers(min_value=0, max_value=1_000)
conversations = st.sampled_from(CONVERSATIONS)
holders = st.sampled_from(["message-1", "message-2", "message-3"])
sids = st.sampled_from(["SM1", "SM2", "SM3"])
statuses = st.sampled_from(["queued", "sent", "delivered", "failed", "read", "something new"])
texts = st.sampled_from(["Oi", "Alô?\x00 👋", ""])
errors = st.sampled_from([None, "", "an error"])


class Twice(NamedTuple):
    """The same thing in both stores."""

    ours: Any
    theirs: Any


class Conversations(RuleBasedStateMachine):
    """What happens to two stores, in any order."""

    server: RedisServer

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_700_000_000_000
        self._directory = tempfile.TemporaryDirectory()
        self.ours: ConversationStore = RedisConversationStore(
            self.server.url, namespace=secrets.token_hex(4), clock=lambda: self.now
        )
        self.theirs: ConversationStore = SQLiteConversationStore(
            Path(self._directory.name) / "conversations.db", clock=lambda: self.now
        )
        self.messages: list[InboundMessage] = []
        self.holds: list[Twice] = []  # most of them lost
        self.turns: list[Twice] = []
        self.replies: list[Twice] = []
        self.has_erased = False

    def teardown(self) -> None:
        with closing(self.ours), closing(self.theirs):
            self.they_keep_the_same()
            self._directory.cleanup()

    def both(self, act: Callable[[ConversationStore], Any]) -> Any:
        """What both stores say, which must be the same."""
        return self.agreed(Twice(act(self.ours), act(self.theirs)))

    def read(self, question: Callable[[ConversationReader], Any]) -> Any:
        """What people see in both stores, which must be the same."""
        return self.both(lambda store: question(store.reader))

    def agreed(self, said: Twice) -> Any:
        ours, theirs = (self.comparable(each) for each in said)
        assert ours == theirs
        return ours

    def comparable(self, value: Any) -> Any:  # noqa: PLR0911  a case each
        """Without the names that each store chose for itself."""
        match value:
            case Hold():
                return value.conversation
            case Turn():
                return (
                    value.channel,
                    self.comparable(list(value.history)),
                    list(value.unanswered),
                    value.metadata,
                )
            case Rest():
                return value._replace(to_send=self.place_of(value.to_send))
            case Answered():
                return [self.comparable(value.reply), self.comparable(value.rest)]
            case list():
                return [self.comparable(each) for each in value]
            case Utterance(author="us"):
                return value._replace(message_id=self.place_of(value.message_id))
            case Reply() | ThreadEntry() | KeptReply() | KeptMessage():
                return value._replace(reply_id=self.place_of(value.reply_id))
            case KeptConversation():
                said = (self.comparable(list(each)) for each in (value.messages, value.replies))
                return (*value[:-3], *said, list(value.notes))
            case Summary():  # named by some message of it
                names = {m.message_id for m in self.messages if m.conversation == value.conversation}
                # Where nothing came in, it is a reply of it, perhaps a further one of an answer.
                assert value.message_id in names or (not names and value.message_id.startswith("reply."))
                return value._replace(message_id="")
            case Attention(state=str()):
                return value._replace(entry_id=self.place_of(value.entry_id))
            case _:
                return value

    def place_of(self, reply_id: str | None) -> str:
        return str([place for place, ids in enumerate(self.replies) if reply_id in ids])

    def told(self, pick: int, act: Callable[[ConversationStore, str], Any]) -> Any:
        """`both`, about some reply."""
        ours, theirs = self.replies[pick % len(self.replies)]
        return self.agreed(Twice(act(self.ours, ours), act(self.theirs, theirs)))

    # -- what comes in ------------------------------------------------------------------------------

    @rule(contact=st.sampled_from(CONTACTS), text=texts, before_s=st.integers(0, 5))
    def append(self, contact: str, text: str, before_s: int) -> None:
        self.now += 1
        message = inbound(text, contact=contact)
        self.messages.append(message)
        assert self.both(lambda store: store.append(message, received_at=self.now - 1_000 * before_s))

    @rule(contact=st.sampled_from(CONTACTS), text=texts, holder=holders)
    def append_and_hold(self, contact: str, text: str, holder: str) -> None:
        self.now += 1
        message = inbound(text, contact=contact)
        self.messages.append(message)
        (is_new, ours), (is_new_there, theirs) = (
            store.append_and_hold(message, received_at=self.now, holder=holder)
            for store in (self.ours, self.theirs)
        )
        assert is_new
        assert is_new_there
        if self.agreed(Twice(ours, theirs)) is not None:
            self.holds.append(Twice(ours, theirs))

    @precondition(lambda self: self.messages)
    @rule(pick=picks)
    def append_again(self, pick: int) -> None:
        message = self.messages[pick % len(self.messages)]
        assert not self.both(lambda store: store.append(message, received_at=self.now))

    @precondition(lambda self: self.messages)
    @rule(pick=picks, aside=st.booleans())
    def set_aside_or_take_up(self, pick: int, aside: bool) -> None:
        message = self.messages[pick % len(self.messages)]
        self.both(lambda store: store.quarantine(message) if aside else store.restore(message))

    @precondition(lambda self: self.messages)
    @rule(pick=picks, text=texts)
    def describe(self, pick: int, text: str) -> None:
        message = self.messages[pick % len(self.messages)]
        self.both(lambda store: store.describe(message.message_id, text))

    # -- answering ----------------------------------------------------------------------------------

    @rule(conversation=conversations, holder=holders, live=st.booleans())
    def hold(self, conversation: str, holder: str, live: bool) -> None:
        asked: list[str] = []

        def is_live(other: str) -> bool:
            asked.append(other)
            return live

        taken = Twice(*(s.hold(conversation, holder, is_live=is_live) for s in (self.ours, self.theirs)))
        if self.agreed(taken) is not None:
            self.holds.append(taken)
        assert asked[: len(asked) // 2] == asked[len(asked) // 2 :]

    @rule(conversation=conversations, text=texts)
    def hold_and_answer(self, conversation: str, text: str) -> None:
        """What happens most, and what the rest needs to have happened."""
        self.hold(conversation, "message-1", True)
        if self.holds and self.holds[-1].ours.conversation == conversation:
            self.turn(len(self.holds) - 1, 5)
            if self.turns:
                self.answer(0, 0, text)
            self.let_go(0, True)

    @precondition(lambda self: self.holds)
    @rule(pick=picks, limit=st.integers(0, 5))
    def turn(self, pick: int, limit: int) -> None:
        ours, theirs = self.holds[pick % len(self.holds)]

        def turn_of(store: ConversationStore, hold: Hold) -> Turn | None:
            try:
                return store.turn(hold, history_limit=limit)
            except HoldLost:
                return None

        turn = Twice(turn_of(self.ours, ours), turn_of(self.theirs, theirs))
        if self.agreed(turn) is not None:
            self.turns.append(turn)

    @precondition(lambda self: self.turns)
    @rule(
        pick=picks,
        which=picks,
        text=texts,
        count=st.integers(1, 2),
        kind=st.sampled_from(["answer", "answer", "fallback", "silence"]),
        finish=st.booleans(),
    )
    def answer(  # noqa: PLR0917  hypothesis names them
        self,
        pick: int,
        which: int,
        text: str,
        count: int = 1,
        kind: ReplyKind = "answer",
        finish: bool = False,
    ) -> None:
        self.now += 1
        holds, turns = self.holds[-1 - pick % len(self.holds)], self.turns[-1 - which % len(self.turns)]

        def answered(store: ConversationStore, hold: Hold, turn: Turn) -> Answered | None:
            try:
                return store.answer(
                    hold,
                    turn,
                    *(("",) if kind == "silence" else (text, "B")[:count]),
                    kind=kind,
                    usage=Usage("m", len(text), 1) if text else None,
                    call=ModelCall(3, len(text) or None, text, [ToolCall("f", text)] * (count - 1)),
                    metadata=None if count == 1 else {"said": text},
                    finish=finish,
                )
            except HoldLost:
                return None

        replies = Twice(
            answered(self.ours, holds.ours, turns.ours), answered(self.theirs, holds.theirs, turns.theirs)
        )
        if None not in replies:
            self.replies.append(Twice(*(each.reply.reply_id for each in replies)))
        self.agreed(replies)

    @precondition(lambda self: self.holds)
    @rule(pick=picks, finishes=st.booleans())
    def let_go(self, pick: int, finishes: bool) -> None:
        ours, theirs = self.holds[-1 - pick % len(self.holds)]
        if finishes:
            self.agreed(Twice(self.ours.finish(ours), self.theirs.finish(theirs)))
        else:
            self.ours.release(ours)
            self.theirs.release(theirs)

    # -- sending ------------------------------------------------------------------------------------

    @precondition(lambda self: self.replies)
    @rule(pick=picks)
    def begin_sending(self, pick: int) -> None:
        self.now += 1
        self.told(pick, lambda store, reply_id: store.begin_sending(reply_id))

    @precondition(lambda self: self.replies)
    @rule(pick=picks, sid=sids, segments=st.sampled_from([None, 1, 3]))
    def record_sent(self, pick: int, sid: str, segments: int | None) -> None:
        cost = 7 * (segments or 0)
        self.told(
            pick,
            lambda store, reply_id: Rest(
                False, store.record_sent(reply_id, sid, segments=segments, cost=cost)
            ),
        )

    @precondition(lambda self: self.replies)
    @rule(pick=picks, final=st.booleans())
    def record_not_sent(self, pick: int, final: bool) -> None:
        self.told(pick, lambda store, reply_id: store.record_not_sent(reply_id, "no", final=final))

    @precondition(lambda self: self.replies)
    @rule(pick=picks)
    def record_unknown(self, pick: int) -> None:
        self.told(pick, lambda store, reply_id: store.record_unknown(reply_id, "who knows"))

    @precondition(lambda self: self.replies)
    @rule(pick=picks, sid=sids, status=statuses, error=errors)
    def record_delivery(self, pick: int, sid: str, status: str, error: str | None) -> None:
        self.told(
            pick,
            lambda store, reply_id: store.record_delivery(
                reply_id, delivery(status, sid=sid, code=error or "")
            ),
        )

    @rule()
    def look_at_open_deliveries(self) -> None:
        """In an order that is the stores' own where several are due at once."""
        self.now += 1_000
        taken: Twice = Twice([], [])
        for store, ids in zip((self.ours, self.theirs), taken, strict=True):
            while (reply := store.delivery_checks.take((1_000, 60_000))) is not None:
                ids.append(self.place_of(reply.reply_id))
        assert sorted(taken.ours) == sorted(taken.theirs)

    @precondition(lambda self: self.replies)
    @rule(pick=picks)
    def put_back_an_open_delivery(self, pick: int) -> None:
        self.told(
            pick,
            lambda store, reply_id: store.delivery_checks.put_back(reply_id, (1_000, 60_000), delay_ms=500),
        )

    @precondition(lambda self: self.replies)
    @rule(pick=picks, state=st.sampled_from(["pending", "sent"]))
    def decide(self, pick: int, state: DecidedState) -> None:
        self.now += 1
        self.told(pick, lambda store, reply_id: store.decide(reply_id, state, by="Ana"))

    @precondition(lambda self: self.replies)
    @rule(pick=picks)
    def dismiss(self, pick: int) -> None:
        self.told(pick, lambda store, reply_id: store.dismiss(reply_id, by="Ana"))

    @rule(conversation=conversations)
    def begin(self, conversation: str) -> None:
        self.both(methodcaller("begin", conversation, "twilio"))

    # -- operators --------------------------------------------------------------------------------------

    @rule(conversation=conversations)
    def see(self, conversation: str) -> None:
        self.both(methodcaller("see", conversation))

    @rule(conversation=conversations, text=texts, number=st.integers(1, 3))
    def add_note(self, conversation: str, text: str, number: int) -> None:
        name = f"{number} {conversation}"
        self.both(methodcaller("add_note", conversation, name, text, by="Ana"))

    @rule(conversation=conversations, number=st.integers(0, 3))
    def delete_note(self, conversation: str, number: int) -> None:
        self.both(methodcaller("delete_note", conversation, f"{number} {conversation}"))

    @rule(wanted=st.sampled_from(["oi", "ALO", "b", "oi alo", "?"]))
    def search(self, wanted: str) -> None:
        def found(store: ConversationStore) -> list[tuple[Any, ...]]:
            texts = store.search.texts(wanted, limit=200).texts
            return sorted((each.at, each.author, each.text, each.conversation) for each in texts)

        self.both(found)

    @precondition(lambda self: self.now < 1_700_000_000_000 + 3 * DAY_MS)
    @rule()
    def tomorrow(self) -> None:
        self.now += DAY_MS

    @rule(conversation=conversations, days=st.integers(-1, 1), reason=st.sampled_from([None, "why"]))
    def hand_over_and_back(self, conversation: str, days: int, reason: str | None) -> None:
        self.both(lambda store: store.set_mode(conversation, "person", "why"))
        since = self.now + days * DAY_MS
        self.both(lambda store: store.hand_back(conversation, silent_since=since, reason=reason))

    @rule(conversation=conversations, is_over=st.booleans())
    def opt_out(self, conversation: str, is_over: bool) -> None:
        self.both(lambda store: store.set_mode(conversation, "nobody", "opted out"))
        if is_over:
            self.both(lambda store: store.set_mode(conversation, "assistant", "", opts_in=True))

    @rule()
    def index_what_an_earlier_version_stored(self) -> None:
        """Only a server's store has something to do: from then on a set lists those that nobody answers."""
        assert isinstance(self.ours, RedisConversationStore)
        for _ in self.ours.keeper._index_nobody():
            pass

    # -- erasing ------------------------------------------------------------------------------------

    @rule(conversation=conversations, has_opted_out=st.booleans())
    def erase(self, conversation: str, has_opted_out: bool) -> None:
        self.now += 1_000
        if has_opted_out:
            self.both(lambda store: store.set_mode(conversation, "nobody", "opted out"))
        self.both(lambda store: store.keeper.erase(conversation))
        self.messages = [message for message in self.messages if message.conversation != conversation]
        self.has_erased = True

    def kept(self, conversation: str) -> None:
        self.both(lambda store: store.keeper.kept(conversation))

    # -- always -------------------------------------------------------------------------------------

    def replies_with(self, sid: str) -> int:
        found = (self.ours.reply(ids.ours) for ids in self.replies)
        return sum(reply is not None and reply.external_id == sid for reply in found)

    def has_sent_again(self) -> bool:
        replies = (self.theirs.reply(ids.theirs) for ids in self.replies)
        return any(reply is not None and reply.times_sent_again for reply in replies)

    @rule()
    def they_keep_the_same(self) -> None:
        """What would take too long after each step: now and then, and in the end."""
        for conversation in CONVERSATIONS:
            self.kept(conversation)
            self.both(methodcaller("mode", conversation))
        for place in range(len(self.replies)):
            self.told(place, lambda store, reply_id: store.reader.model_call(reply_id))
        self.read(methodcaller("payloads", [message.message_id for message in self.messages[-5:]]))
        if not self.has_erased:  # an address of ours stays on the server for a while
            self.read(methodcaller("addresses"))
        self.read(lambda reader: sorted(reader.attention(), key=lambda each: (each.at, each.text)))

    @invariant()
    def they_show_the_same(self) -> None:
        for conversation in CONVERSATIONS:
            self.both(methodcaller("unanswered", conversation))
            self.both(lambda store, conversation=conversation: next_reply(store, conversation))  # type: ignore[misc]
            for question in ("thread", "summary"):
                self.read(methodcaller(question, conversation))
            for limit in (1, 4):
                self.read(methodcaller("thread", conversation, limit=limit))
        today = day_of(self.now)
        self.both(lambda store: store.usage.days(since=0, until=today))
        for since, until in ((0, today), (today, today), (0, today - 1)):
            self.both(lambda store, since=since, until=until: store.usage.contacts(since=since, until=until))  # type: ignore[misc]
        self.both(lambda store: store.usage.contacts(since=0, until=today, limit=1, offset=1))
        self.read(methodcaller("conversations"))
        self.read(methodcaller("conversations", limit=1, offset=1))
        for mode in ("person", "nobody"):
            self.read(methodcaller("conversations", mode=mode))
        for listed in ("waiting", "unread", "undelivered"):
            self.read(methodcaller("conversations", listed=listed))
        for conversation in CONVERSATIONS:
            self.read(methodcaller("facts", conversation))
        for contact in CONTACTS:
            self.read(methodcaller("conversations", contact=contact[-4:]))
        for place in range(len(self.replies)):
            self.told(place, lambda store, reply_id: store.reply(reply_id))
        for sid in ("SM1", "SM2", "SM3"):
            # Here, and not with a channel, several replies have one id; and a server goes on knowing the id
            # of a sending that was repeated.
            if not self.has_erased and not self.has_sent_again() and self.replies_with(sid) <= 1:
                self.both(methodcaller("is_known", sid))


@pytest.mark.parametrize("name", SERVERS)
def test_whatever_happens_the_stores_agree(name: str, server_of: Callable[[str], RedisServer]) -> None:
    machine = type("Machine", (Conversations,), {"server": server_of(name)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=20,
            stateful_step_count=80,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
