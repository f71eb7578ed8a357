"""The states of a reply: in any order of events none is forgotten, none sent twice without a rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from actors.conversations import ConversationStore, SQLiteConversationStore, reply_statements
from actors.reply import REPLY_STATES, WANTS_ATTENTION
from tests.support.conversations import OpenStore, answered, delivery
from tests.support.exploring import Broken, Explored, Step, explore, stranded, walks, written

from . import reply_model
from .reply_model import TOLD, TRANSITIONS, World


def searched(transitions: Mapping[str, Callable[..., World | None]] = TRANSITIONS) -> Explored[World]:
    return explore(
        World(),
        partial(reply_model.steps, transitions=transitions),
        broken=reply_model.broken,
        at_most=100_000,
    )


def test_every_order_of_events_keeps_what_is_promised_of_replies() -> None:
    explored = searched()
    print(f"{len(explored.edges):,} states, {explored.transitions:,} transitions")
    assert len(explored.edges) > 500
    assert {step[0] for edges in explored.edges.values() for step, _ in edges} == set(TRANSITIONS)
    left = stranded(explored, is_end=lambda world: not REPLY_STATES[world.state].is_owed)
    # A model that makes no third call cannot go on from here.
    assert {(world.state, world.calls) for world in left} <= {("pending", reply_model.MOST_CALLS)}


# -- rules that are wrong are found out -------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "follows", "promise"),
    [
        ("sending", ("pending", "failed", "unknown"), "a reply is sent again only"),
        ("sending", ("pending", "failed", "sending"), "a reply is sent again only"),
        ("sent", ("sending", "undelivered", "unknown"), "its state follows"),
        ("undelivered", (), "its state follows"),
    ],
)
def test_rules_that_are_wrong_break_a_promise(
    state: Any, follows: Any, promise: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = {**REPLY_STATES, state: replace(REPLY_STATES[state], follows=follows)}
    monkeypatch.setattr(reply_model, "REPLY_STATES", wrong)
    with pytest.raises(Broken, match=promise):
        searched()


# -- stores -----------------------------------------------------------------------------------------


class Disagreement(AssertionError):
    """A store did another thing than the model."""


class Replay:
    """Replies in a store, one after another, led by a model."""

    def __init__(self, store: ConversationStore) -> None:
        self._store = store
        self._world = World()
        self._reply = answered(store)
        self._trace: list[Step] = []
        self.steps = 0

    def walk(self, steps: Sequence[tuple[Step, World]]) -> None:
        """Take steps from the model's first state.

        Raises:
          Disagreement: what one of them gave is not what the model says.
        """
        self._another()
        self._world = World()
        self._trace = []
        for step, after in steps:
            self._trace.append(step)
            verb, *whom = step
            getattr(self, f"_{verb}")(*whom, **({"after": after} if verb in _ANSWERS else {}))
            self._world = after
            self._compare()
            self.steps += 1

    def _sid(self, call: int) -> str:
        return f"{self._reply.reply_id}-{call}"

    def _begin(self, *, after: World) -> None:
        self._agree(
            "begins", self._store.begin_sending(self._reply.reply_id) is not None, after.call == "open"
        )

    def _accept(self) -> None:
        """Only the channel knows."""

    def _answer(self) -> None:
        self._store.record_sent(self._reply.reply_id, self._sid(self._world.calls), segments=1)

    def _find(self) -> None:
        self._store.record_sent(self._reply.reply_id, self._sid(self._world.calls))

    def _refuse(self) -> None:
        self._store.record_not_sent(self._reply.reply_id, "no", final=False)

    def _refuse_for_good(self) -> None:
        self._store.record_not_sent(self._reply.reply_id, "no", final=True)

    def _lose(self) -> None:
        self._store.record_unknown(self._reply.reply_id, "who knows")

    def _die(self) -> None:
        """Only the worker that comes next notices."""

    def _look(self) -> None:
        if self._store.begin_sending(self._reply.reply_id) is not None:
            raise Disagreement(f"a reply that is perhaps sent is sent again after {written(self._trace)}")
        self._store.record_unknown(self._reply.reply_id, "the worker died")

    def _cancel(self) -> None:
        self._store.record_cancelled(self._reply.reply_id, "opted out")

    def _callback(self, call: int, told: int, *, after: World) -> None:
        status, code = TOLD[told]
        moved = self._store.record_delivery(
            self._reply.reply_id, delivery(status, sid=self._sid(call), code=code)
        )
        before = self._world._replace(heard=after.heard, missed=after.missed)
        self._agree("goes forward", moved, before != after)

    def _resend(self) -> None:
        self._store.record_not_sent(self._reply.reply_id, "not found", final=False)

    def _send_again(self) -> None:
        self._store.record_not_sent(self._reply.reply_id, "not delivered", final=False)

    def _decide_again(self, *, after: World) -> None:
        decided = self._store.decide(self._reply.reply_id, "pending", by="Ana")
        self._agree("is decided", decided is not None, after != self._world)

    def _decide_sent(self, *, after: World) -> None:
        decided = self._store.decide(self._reply.reply_id, "sent", by="Ana")
        self._agree("is decided", decided is not None, after != self._world)

    def _dismiss(self, *, after: World) -> None:
        dismissed = self._store.dismiss(self._reply.reply_id, by="Ana")
        self._agree("is dismissed", dismissed, after != self._world)

    def _another(self) -> None:
        """Have nothing owed for the reply before, which would go first."""
        if self._world.state == "pending":
            self._store.begin_sending(self._reply.reply_id)
        if self._world.state in {"pending", "sending"}:
            self._store.record_cancelled(self._reply.reply_id, "the walk is over")
        self._store.dismiss(self._reply.reply_id, by="Ana")
        self._reply = answered(self._store)

    def _compare(self) -> None:
        world, reply_id = self._world, self._reply.reply_id
        reply = self._store.reply(reply_id)
        if reply is None:
            raise Disagreement(f"the reply is lost after {written(self._trace)}")
        self._agree("state", reply.state, world.state)
        self._agree("was sent again", reply.times_sent_again > 0, world.again)
        self._agree("known id", reply.external_id, None if world.known is None else self._sid(world.known))
        wants_attention = any(each.entry_id == reply_id for each in self._store.reader.attention())
        self._agree(
            "wants attention", wants_attention, world.state in WANTS_ATTENTION and not world.dismissed
        )
        next_one = self._store.next_to_send(reply.conversation)
        self._agree("is the next to send", next_one == reply_id, world.state == "pending")

    def _agree(self, what: str, store: object, expected: object) -> None:
        if store != expected:
            raise Disagreement(
                f"{what}: {store!r}, and the model says {expected!r}, after {written(self._trace)}"
            )


#: The steps that are told what they lead to.
_ANSWERS = frozenset({"begin", "callback", "decide_again", "decide_sent", "dismiss"})


def walk_all(store: ConversationStore) -> int:
    replay = Replay(store)
    for steps in walks(searched(), at_most=1_000, kind=reply_model.kind):
        replay.walk(steps)
    return replay.steps


def test_a_store_takes_every_step_of_the_model(store: ConversationStore) -> None:
    assert walk_all(store) > 500


@pytest.mark.parametrize("open_store", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("DELIVERY", "coalesce(sid, :sid)", "sid"),
        ("DELIVERY_STATE", "times_sent_again", "0"),
        ("BEGIN_SENDING", "'pending', 'failed'", "'pending', 'failed', 'unknown'"),
        ("UNDELIVERED", "'sent'", "'nothing'"),
        ("DELIVERY", "delivery_rank = :rank", "delivery_rank = 0"),
    ],
)
def test_a_store_that_is_wrong_disagrees(
    name: str, right: str, wrong: str, open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    statement = getattr(reply_statements, name)
    assert right in statement
    monkeypatch.setattr(reply_statements, name, statement.replace(right, wrong))
    store = open_store()
    assert isinstance(store, SQLiteConversationStore)
    try:
        with pytest.raises(Disagreement):
            walk_all(store)
    finally:
        store.close()


def test_a_reply_whose_trouble_was_dismissed_is_shown_with_its_next(store: ConversationStore) -> None:
    reply_id = answered(store).reply_id
    store.begin_sending(reply_id)
    store.record_not_sent(reply_id, "refused", final=True)
    assert store.dismiss(reply_id, by="Ana")
    assert store.reader.attention() == []

    store.begin_sending(reply_id)  # its dead letter was replayed
    store.record_unknown(reply_id, "no answer")
    assert [(each.entry_id, each.state) for each in store.reader.attention()] == [(reply_id, "unknown")]
    assert store.dismiss(reply_id, by="Ana")

    store.record_delivery(reply_id, delivery("failed", code="30008"))
    assert [(each.entry_id, each.state) for each in store.reader.attention()] == [(reply_id, "undelivered")]


def test_a_late_word_of_the_first_sending_does_not_stop_the_second(store: ConversationStore) -> None:
    reply_id = answered(store).reply_id
    store.begin_sending(reply_id)
    store.record_unknown(reply_id, "no answer")
    store.decide(reply_id, "sent", by="Ana")
    assert store.record_delivery(reply_id, delivery("failed", sid="SM1", code="30008"))
    assert store.is_known("SM1")
    store.decide(reply_id, "pending", by="Ana")

    assert not store.record_delivery(reply_id, delivery("queued", sid="SM1"))
    assert store.begin_sending(reply_id) is not None


def test_a_sending_that_was_not_found_does_not_speak_for_the_next(store: ConversationStore) -> None:
    reply_id = answered(store).reply_id
    store.begin_sending(reply_id)
    store.record_unknown(reply_id, "no answer")
    store.record_not_sent(reply_id, "not found", final=False)
    store.begin_sending(reply_id)
    store.record_sent(reply_id, "SM2")

    assert not store.record_delivery(reply_id, delivery("failed", sid="SM1", code="30008"))
    assert store.record_delivery(reply_id, delivery("delivered", sid="SM2"))
    reply = store.reply(reply_id)
    assert reply is not None
    assert (reply.state, reply.delivery_status, reply.times_sent_again) == ("sent", "delivered", 1)
