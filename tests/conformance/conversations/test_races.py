"""Two processes in one conversation at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from multiprocessing.connection import Connection

from actors.conversations import ConversationStore
from tests.support.conversations import CONVERSATION, OpenStore, always, append, inbound, waiting
from tests.support.processes import Process

PROCESSES = ("one", "another")
ROUNDS = 25

Work = Callable[[ConversationStore, str], Sequence[object]]


def child(channel: Connection, open_store: OpenStore, work: Work, name: str) -> None:
    """Does the work when it is told to, and tells what came of it."""
    with closing(open_store()) as store:
        store.is_known("none")  # it is open now
        channel.send("ready")
        channel.recv()
        channel.send(work(store, name))


def at_once(open_store: OpenStore, work: Work) -> list[Sequence[object]]:
    """What two processes had to tell that did the same work at the same time."""
    with ExitStack() as stack:
        children = [stack.enter_context(Process(child, open_store, work, name)) for name in PROCESSES]
        for each in children:
            assert each.receive() == "ready"
        for each in children:
            each.send("go")
        return [each.receive() for each in children]


def append_all(store: ConversationStore, _name: str) -> Sequence[object]:
    """Append the same messages as everyone does."""
    return [append(store, inbound(sid=f"SM{number}")) for number in range(ROUNDS)]


def hold_and_let_go(store: ConversationStore, name: str) -> Sequence[object]:
    """The fences of the holds one got."""
    fences = []
    for number in range(ROUNDS):
        hold = store.hold(CONVERSATION, f"{name}-{number}", is_live=always)
        if hold is not None:
            fences.append(hold.fence)
            store.release(hold)
    return fences


def append_and_answer(store: ConversationStore, name: str) -> Sequence[object]:
    """What a worker does with each message; the answer names what it answers."""
    for number in range(ROUNDS):
        append(store, inbound(f"{name}-{number}", sid=f"SM{name}{number}"))
        hold = store.hold(CONVERSATION, f"{name}-{number}", is_live=always)
        done = hold is None
        while hold is not None and not done:
            turn = store.turn(hold, history_limit=0)
            if turn.unanswered:
                body = " ".join(line.text for line in turn.unanswered)
                store.answer(hold, turn, body, kind="answer")
            done = store.finish(hold).is_done
    return []


def test_each_message_is_appended_by_one_of_them(open_store: OpenStore) -> None:
    ours, theirs = at_once(open_store, append_all)

    assert [bool(one) + bool(other) for one, other in zip(ours, theirs, strict=True)] == [1] * ROUNDS


def test_no_two_holds_have_the_same_fence(open_store: OpenStore) -> None:
    with closing(open_store()) as store:
        append(store, inbound())

    ours, theirs = at_once(open_store, hold_and_let_go)

    fences = [*ours, *theirs]
    assert fences
    assert len(set(fences)) == len(fences)


def test_each_message_is_answered_once_and_none_is_left(open_store: OpenStore) -> None:
    at_once(open_store, append_and_answer)

    with closing(open_store()) as store:
        assert waiting(store) == []
        answers = [entry.text for entry in store.reader.thread(CONVERSATION) if entry.author == "us"]
    answered = " ".join(answers).split()
    assert sorted(answered) == sorted(f"{name}-{number}" for name in PROCESSES for number in range(ROUNDS))
