"""The states of one reply as a model: calls, answers, callbacks, looks and decisions, in any order.

Beside what a store keeps, a state has what really happened: which calls the channel accepted, what it told of
each, and why another call may be made. So it can be said of every state whether the store contradicts what is
known, and whether a call is made for which there is no rule. Which state may follow which is read from
`REPLY_STATES`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any, NamedTuple

from actors.channels.twilio.delivery import FAILURES, FINAL_RANK, RANK
from actors.reply import ACCEPTED, REPLY_STATES, WANTS_ATTENTION, ReplyState
from tests.support.exploring import Step

#: How often the channel is called at most: twice, so that a second sending meets what is left of the first.
#: After the second no other is asked for.
MOST_CALLS = 2

#: What the channel may tell of a call that it accepted: its word, and its error.
TOLD: tuple[tuple[str, str], ...] = (
    ("queued", ""),
    ("delivered", ""),
    ("read", ""),
    ("failed", "30008"),  # for good
    ("undelivered", "30001"),  # for what passes: sent again by rule
)
PASSES = frozenset({"30001"})


class World(NamedTuple):
    """One reply, as a store has it, and as it is.

    Attributes:
      state, again, known, counted, rank, dismissed: as the store has them: its state; whether it was sent
        again; the call whose id is known; the call that was counted (0 for one that a person knows of); how
        far along its delivery is; whether a person dismissed its trouble.
      call: the call to the channel: none, open, or accepted and not answered yet.
      calls: how many were begun.
      accepted: those that the channel accepted.
      heard: of each call, the strongest that the channel told, as its place in `TOLD`.
      leave: why another call may be made, or nothing.
      unruled: a call was begun without leave.
      missed: a callback of the last call came while the store knew the id of another.
    """

    state: ReplyState = "pending"
    again: bool = False
    known: int | None = None
    counted: int | None = None
    rank: int | None = None
    dismissed: bool = False
    call: str = ""
    calls: int = 0
    accepted: tuple[int, ...] = ()
    heard: tuple[int | None, ...] = (None,) * MOST_CALLS
    leave: str = "it was never sent"
    unruled: bool = False
    missed: bool = False


def into(world: World, state: ReplyState, **fields: Any) -> World:
    """Bring the reply into another state, in which nobody has seen its trouble yet."""
    changes: dict[str, Any] = {"state": state, "dismissed": False, **fields}
    return world._replace(**changes)


def may_come(world: World, state: ReplyState) -> bool:
    return world.state in REPLY_STATES[state].follows


# -- calls ------------------------------------------------------------------------------------------


def begin(world: World) -> World | None:
    if world.call or world.calls == MOST_CALLS:
        return None
    if not may_come(world, "sending"):
        return world  # refused
    return into(
        world,
        "sending",
        call="open",
        calls=world.calls + 1,
        unruled=world.unruled or not world.leave,
        leave="",
    )


def accept(world: World) -> World | None:
    """The channel has it, and has not answered yet."""
    if world.call != "open":
        return None
    return world._replace(call="accepted", accepted=(*world.accepted, world.calls))


def answer(world: World) -> World | None:
    return was_sent(world._replace(call=""), world.calls) if world.call == "accepted" else None


def was_sent(world: World, call: int) -> World:
    if may_come(world, "sent") and world.counted != call:
        return become_sent(world, call)._replace(counted=call)
    return world._replace(counted=call) if world.counted is None else world


def become_sent(world: World, call: int) -> World:
    rank = world.rank if world.known == call else None
    return into(world, "sent", known=call, rank=rank)


def refuse(world: World, *, final: bool) -> World | None:
    """The channel refuses the call: it certainly has no reply under it."""
    if world.call != "open":
        return None
    return not_sent(world._replace(call="", leave="refused"), "failed" if final else "pending")


def not_sent(world: World, state: ReplyState) -> World:
    if not may_come(world, state):
        return world
    return into(world, state, again=world.again or world.state in {"undelivered", "unknown"})


def lose(world: World) -> World | None:
    """No answer comes, whatever the channel has made of the call."""
    return not_sent(world._replace(call=""), "unknown") if world.call else None


def die(world: World) -> World | None:
    """The worker dies within the call."""
    return world._replace(call="") if world.call else None


def look(world: World) -> World | None:
    """The message of a reply that is sending, and whose worker died, is run again."""
    return not_sent(world, "unknown") if world.state == "sending" and not world.call else None


def cancel(world: World) -> World | None:
    """It is not to be sent any more: that is found before the call is made."""
    if world.call != "open":
        return None
    return into(world._replace(call=""), "cancelled") if may_come(world, "cancelled") else world


# -- what is found out afterwards -------------------------------------------------------------------


def callback(world: World, call: int, told: int) -> World | None:
    """The channel tells of a call, as often as it likes, late and out of order; and of one end only."""
    before = world.heard[call - 1]
    if call not in world.accepted or (before is not None and _contradict(before, told)):
        return None
    if before is None or RANK[TOLD[told][0]] > RANK[TOLD[before][0]]:
        heard = (*world.heard[: call - 1], told, *world.heard[call:])
        world = world._replace(heard=heard)
    word = TOLD[told][0]
    if world.again and world.known is not None and (world.known == call) != (world.state in ACCEPTED):
        return world._replace(missed=world.missed or call == world.calls)  # taken for the sending before
    rank = world.rank
    if world.state not in ACCEPTED:
        world, rank = was_sent(world, call)._replace(leave=""), None
    if rank is not None and RANK[word] <= rank:
        return world
    if word in FAILURES:
        world = into(world, "undelivered") if may_come(world, "undelivered") else world
    elif world.state == "undelivered":
        world = become_sent(world, call)
    return world._replace(rank=RANK[word], known=world.known or call)


def _contradict(before: int, told: int) -> bool:
    """Whether one of two words says that the reply arrived, and the other that it did not. A read one did."""
    one, other = TOLD[before][0], TOLD[told][0]
    return (
        {one, other} & FAILURES != set() and one != other and "queued" not in {one, other} and other != "read"
    )


def find(world: World) -> World | None:
    """The channel is asked, and has it."""
    if world.state != "unknown" or world.call or world.calls not in world.accepted:
        return None
    return was_sent(world, world.calls)


def resend(world: World) -> World | None:
    """The channel is asked, has it not, and the settings say to send it again."""
    if world.state != "unknown" or world.call or world.calls == MOST_CALLS:
        return None
    return not_sent(world, "pending")._replace(leave="REPLY_UNKNOWN_POLICY")


def send_again(world: World) -> World | None:
    """A failure that passes: sent again by rule."""
    known = world.known
    if world.state != "undelivered" or world.call or known is None or world.calls == MOST_CALLS:
        return None
    heard = world.heard[known - 1]
    if heard is None or TOLD[heard][1] not in PASSES:
        return None
    return not_sent(world, "pending")._replace(leave="not delivered, for what passes")


def decide(world: World, state: ReplyState) -> World | None:
    if world.call or (state == "pending" and world.calls == MOST_CALLS):
        return None
    if world.state not in REPLY_STATES[state].by_hand:
        return world
    if state == "pending":
        return into(world, "pending", again=True, leave="by hand")
    return into(world, "sent", counted=0)


def dismiss(world: World) -> World | None:
    return world._replace(dismissed=True) if world.state in WANTS_ATTENTION else world


def another(world: World) -> World | None:
    """Another reply is written, once nothing is owed for this one."""
    return None if world.call or REPLY_STATES[world.state].is_owed else World()


#: What may happen, and what it is told beside the state.
TRANSITIONS: Mapping[str, Callable[..., World | None]] = {
    "begin": begin,
    "accept": accept,
    "answer": answer,
    "refuse": lambda world: refuse(world, final=False),
    "refuse_for_good": lambda world: refuse(world, final=True),
    "lose": lose,
    "die": die,
    "look": look,
    "cancel": cancel,
    "callback": callback,
    "find": find,
    "resend": resend,
    "send_again": send_again,
    "decide_again": lambda world: decide(world, "pending"),
    "decide_sent": lambda world: decide(world, "sent"),
    "dismiss": dismiss,
    "another": another,
}


def steps(
    world: World, transitions: Mapping[str, Callable[..., World | None]] = TRANSITIONS
) -> Iterator[tuple[Step, World]]:
    """Iterate over all that can happen to a reply."""
    calls, told = range(1, MOST_CALLS + 1), range(len(TOLD))
    for name, transition in transitions.items():
        callbacks: list[tuple[int, ...]] = [(call, word) for call in calls for word in told]
        for whom in callbacks if name == "callback" else [()]:
            after = transition(world, *whom)
            if after is not None:
                yield (name, *whom), after


# -- what must hold ---------------------------------------------------------------------------------


def _has_leave(world: World) -> bool:
    return not world.unruled


def _follows_the_evidence(world: World) -> bool:
    """Of the last call, as long as no other is due, and the store knows that it is the last."""
    if world.call or world.leave or not world.calls or world.known != world.calls:
        return True
    heard = world.heard[world.calls - 1]
    if world.missed and world.state == "sent" and (world.rank or 0) < FINAL_RANK:
        return True  # its end is not recorded: the channel is asked, within DELIVERY_CHECK_AFTER_S
    if heard is None:
        return world.state in {*ACCEPTED, "unknown", "sending"}
    return world.state == ("undelivered" if TOLD[heard][0] in FAILURES else "sent")


def _is_not_forgotten(world: World) -> bool:
    """What the contact has not got is owed, wants attention, was dismissed as it is, or is not to be sent."""
    if world.state != "sent":
        return REPLY_STATES[world.state].is_owed or world.state in {*WANTS_ATTENTION, "cancelled"}
    return bool(world.accepted) or world.counted == 0


PROMISES: Mapping[str, Callable[[World], bool]] = {
    "a reply is sent again only where a rule says so": _has_leave,
    "its state follows the strongest evidence": _follows_the_evidence,
    "what is owed is not forgotten": _is_not_forgotten,
}


def broken(world: World) -> str | None:
    """Return the promise that a state breaks."""
    return next((name for name, holds in PROMISES.items() if not holds(world)), None)


def kind(world: World, step: Step) -> Hashable:
    """Return what makes a step another than the others: what a store can see of it."""
    seen = world._replace(heard=(None,) * MOST_CALLS, unruled=False, missed=False, leave="")
    return seen, step
