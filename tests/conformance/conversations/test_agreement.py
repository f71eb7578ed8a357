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

from actors.answer import Usage
from actors.channels import InboundMessage
from actors.conversations import (
    ConversationReader,
    ConversationStore,
    Hold,
    HoldLost,
    KeptConversation,
    KeptMessage,
    KeptReply,
    SQLiteConversationStore,
    Summary,
    ThreadEntry,
    Turn,
    Utterance,
)
from actors.conversations.reader import Attention
from actors.conversations.redis import RedisConversationStore
from actors.reply import DecidedState, Reply, ReplyKind
from tests.support.conversations import CONTACT, delivery, inbound
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
            case list():
                return [self.comparable(each) for each in value]
            case Utterance(author="us"):
                return value._replace(message_id=self.place_of(value.message_id))
            case Reply() | ThreadEntry() | KeptReply() | KeptMessage():
                return value._replace(reply_id=self.place_of(value.reply_id))
            case KeptConversation():
                said = (self.comparable(list(each)) for each in (value.messages, value.replies))
                return (*value[:-2], *said)
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
            self.release(0, True)

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
    )
    def answer(self, pick: int, which: int, text: str, count: int = 1, kind: ReplyKind = "answer") -> None:
        self.now += 1
        holds, turns = self.holds[-1 - pick % len(self.holds)], self.turns[-1 - which % len(self.turns)]

        def answered(store: ConversationStore, hold: Hold, turn: Turn) -> Reply | None:
            try:
                return store.answer(
                    hold,
                    turn,
                    *(("",) if kind == "silence" else (text, "B")[:count]),
                    kind=kind,
                    usage=Usage("m", len(text), 1) if text else None,
                    metadata=None if count == 1 else {"said": text},
                )
            except HoldLost:
                return None

        replies = Twice(
            answered(self.ours, holds.ours, turns.ours), answered(self.theirs, holds.theirs, turns.theirs)
        )
        if None not in replies:
            self.replies.append(Twice(replies.ours.reply_id, replies.theirs.reply_id))
        self.agreed(replies)

    @precondition(lambda self: self.holds)
    @rule(pick=picks, unless_more=st.booleans())
    def release(self, pick: int, unless_more: bool) -> None:
        ours, theirs = self.holds[-1 - pick % len(self.holds)]
        released = [
            self.ours.release(ours, unless_more=unless_more),
            self.theirs.release(theirs, unless_more=unless_more),
        ]
        self.agreed(Twice(*released))

    # -- sending ------------------------------------------------------------------------------------

    @precondition(lambda self: self.replies)
    @rule(pick=picks)
    def begin_sending(self, pick: int) -> None:
        self.now += 1
        self.told(pick, lambda store, reply_id: store.begin_sending(reply_id))

    @precondition(lambda self: self.replies)
    @rule(pick=picks, sid=sids)
    def record_sent(self, pick: int, sid: str) -> None:
        self.told(pick, lambda store, reply_id: store.record_sent(reply_id, sid))

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

    def has_sent_again(self) -> bool:
        replies = (self.theirs.reply(ids.theirs) for ids in self.replies)
        return any(reply is not None and reply.times_sent_again for reply in replies)

    @rule()
    def they_keep_the_same(self) -> None:
        """What would take too long after each step: now and then, and in the end."""
        for conversation in CONVERSATIONS:
            self.kept(conversation)
            self.both(methodcaller("mode", conversation))
        self.read(methodcaller("payloads", [message.message_id for message in self.messages[-5:]]))
        if not self.has_erased:  # an address of ours stays on the server for a while
            self.read(methodcaller("addresses"))
        self.read(lambda reader: sorted(reader.attention(), key=lambda each: (each.at, each.text)))

    @invariant()
    def they_show_the_same(self) -> None:
        for conversation in CONVERSATIONS:
            for question in ("unanswered", "next_to_send"):
                self.both(methodcaller(question, conversation))
            for question in ("thread", "summary"):
                self.read(methodcaller(question, conversation))
            for limit in (1, 4):
                self.read(methodcaller("thread", conversation, limit=limit))
        self.read(methodcaller("conversations"))
        self.read(methodcaller("conversations", limit=1, offset=1))
        for contact in CONTACTS:
            self.read(methodcaller("conversations", contact=contact[-4:]))
        for place in range(len(self.replies)):
            self.told(place, lambda store, reply_id: store.reply(reply_id))
        for sid in ("SM1", "SM2", "SM3"):
            # Here, and not with a channel, several replies have one id; and a server goes on knowing the id
            # of a sending that was repeated.
            if not self.has_erased and not self.has_sent_again():
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
