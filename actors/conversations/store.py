"""What a conversation store promises to the actors.

What people look at is in `reader.py`; what is erased, exported and kept for how long, in `keeper.py`.

Inbound messages are appended as they come. The holder of a conversation answers everything unanswered, and
its replies are sent one after another. The states of a reply are in `actors/reply.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from ..answer import Usage
from ..channels.channel import DeliveryStatus, InboundMessage
from ..conversation import Mode
from ..model_call import NO_CALL, ModelCall
from ..reply import NOTHING_ELSE, Content, DecidedState, Reply, ReplyKind
from .delivery_checks import DeliveryChecks
from .keeper import ConversationKeeper
from .notices import NoticeStore
from .reader import ConversationReader
from .search import ConversationFinder
from .shared_calls import SharedCalls
from .turn import Answered, Hold, Rest, Turn, Utterance
from .usage import UsageReader


class ConversationStore(Protocol):
    """Thread-safe. Every change is durable when the method returns.

    Attributes:
      reader: what people look at.
      notices: the events that people are told of.
      keeper: exports, erases, and deletes what is old.
      search: finds contacts and texts.
      usage: what was used.
    """

    @property
    def reader(self) -> ConversationReader: ...

    @property
    def notices(self) -> NoticeStore: ...

    @property
    def keeper(self) -> ConversationKeeper: ...

    @property
    def search(self) -> ConversationFinder: ...

    @property
    def usage(self) -> UsageReader: ...

    def append(self, message: InboundMessage, *, received_at: int) -> bool:
        """Add an inbound message. False, and nothing changed, when (account, MessageSid) is known.

        A new conversation has the mode `nobody` where the contact had opted out of one that was erased.

        Parameters:
          message: the message.
          received_at: when its webhook came in, in milliseconds since the epoch. Messages are answered in
            that order, in whatever order workers get to them.
        """
        ...

    def append_and_hold(
        self, message: InboundMessage, *, received_at: int, holder: str
    ) -> tuple[bool, Hold | None]:
        """Do what `append` does, and take the right to answer if nobody else has it; in one transaction.

        Parameters:
          message, received_at: as of `append`.
          holder: as of `hold`.

        Returns whether the message is new, and the hold. Where another holder has it, `hold` can tell whether
        that one is live.
        """
        ...

    def known_as(self, message: InboundMessage) -> str:
        """Return the address under which the conversation with a message's contact is kept.

        It is the one that the contact wrote from first, as far as the channel tells by an id whose that was.
        Where there is no conversation yet, one is begun.

        Parameters:
          message: one whose contact has such an id.
        """
        ...

    def begin(self, conversation: str, channel: str) -> None:
        """Have a conversation in which the shop writes first. Where there is one, nothing changes.

        Parameters:
          conversation: its key.
          channel: the name of its channel.
        """
        ...

    def quarantine(self, message: InboundMessage) -> None:
        """Leave a message out of turns: it could not be answered, and would spoil those after it."""
        ...

    def restore(self, message: InboundMessage) -> None:
        """Undo `quarantine`."""
        ...

    def describe(self, message_id: str, text: str) -> None:
        """Put another text in the place of an inbound message's: what its attachments turned out to say.

        Parameters:
          message_id: the message. One that is not kept is left alone.
          text: what was said, as a model should read it.
        """
        ...

    def unanswered(self, conversation: str) -> Sequence[Utterance]:
        """Return everything that waits for an answer, oldest first, without what is in quarantine."""
        ...

    def hold(self, conversation: str, holder: str, *, is_live: Callable[[str], bool]) -> Hold | None:
        """Take the right to answer, or None when another holder has it.

        Parameters:
          conversation: its key.
          holder: the queue message on whose behalf; it may hold again what it held before it crashed.
          is_live: whether a holder can still be counted on. A hold whose holder is not live is void.
        """
        ...

    def turn(self, hold: Hold, *, history_limit: int) -> Turn:
        """Return what is unanswered, and up to `history_limit` things said before.

        Raises:
          HoldLost: the conversation was erased meanwhile.
        """
        ...

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
        """Write the replies to a turn and mark what they answer, in one transaction.

        Parameters:
          hold: the right to do so.
          turn: what is answered; what came in since is not.
          bodies: the texts, in the order in which they are to be sent. Of `silence` there is one, empty, and
            its reply is cancelled from the beginning.
          kind: what they are.
          content: what the first of them carries beside its text.
          usage: the tokens that all of it took. They are counted for the day.
          call: how it came about, kept with the first of them.
          metadata: what to keep with the conversation from now on; None leaves it as it is.
          hand_over: why a person answers from now on; None leaves the mode as it is, and so does a contact
            who has opted out meanwhile.
          finish: then do what `finish` does, in the same transaction.

        Raises:
          HoldLost: and nothing was written.
        """
        ...

    def finish(self, hold: Hold) -> Rest:
        """Let go, unless something is unanswered. A hold that was lost meanwhile is let go of already."""
        ...

    def set_mode(self, conversation: str, mode: Mode, reason: str, *, opts_in: bool = False) -> bool:
        """Decide who answers in a conversation from now on; return whether that was changed.

        Nothing but the contact's own word leads out of `nobody`, whatever happens at the same time.

        Parameters:
          conversation: its key. One that is not there is left alone.
          mode: who answers.
          reason: why, for people, such as `opted out`.
          opts_in: the contact wants messages again.
        """
        ...

    def write(
        self,
        conversation: str,
        reply_id: str,
        text: str,
        *,
        kind: ReplyKind,
        written_by: str | None = None,
        answers: str | None = None,
        content: Content = NOTHING_ELSE,
    ) -> Reply | None:
        """Write a reply outside of a turn, without a hold; a second time changes nothing.

        Parameters:
          conversation: its key.
          reply_id: chosen by the caller, so that repeating the call is harmless.
          text: what is said.
          kind: what it is. A `silence` is cancelled from the beginning.
          written_by: the person who says it; None where none does.
          answers: the id of the inbound message that it answers, which no turn shows as unanswered any more.
          content: what it carries beside its text.

        Returns None when there is no such conversation.
        """
        ...

    def hand_back(self, conversation: str, *, silent_since: int, reason: str | None = None) -> bool:
        """Let the assistant answer again, if a person was to and took no part since then; else return False.

        Parameters:
          conversation: its key.
          silent_since: in milliseconds since the epoch. A person takes part by taking over and by writing.
          reason: only where the person answers for this reason; None for any.
        """
        ...

    def answers_since(self, conversation: str, since: int) -> tuple[int, int]:
        """Return how many answers the assistant wrote since then, of its latest thousand, and their tokens.

        Parameters:
          conversation: its key.
          since: in milliseconds since the epoch.
        """
        ...

    def mode(self, conversation: str) -> Mode:
        """Return who answers in a conversation."""
        ...

    def release(self, hold: Hold) -> None:
        """Let go, whatever is unanswered. For a holder that failed."""
        ...

    def next_to_send(self, conversation: str) -> str | None:
        """Return the id of the oldest reply not yet sent, if nothing before it is just being sent."""
        ...

    def begin_sending(
        self, reply_id: str, *, attempt: int | None = None, void: Sequence[int] = ()
    ) -> Reply | None:
        """Bring a reply into `sending`; return None when it may not come into that state now.

        Parameters:
          reply_id: the reply.
          attempt: names this attempt among those of the reply; a time, in milliseconds since the epoch.
          void: attempts that got no answer from the store, so no call to send was made under them. A reply
            that is sending under one of these is not: this attempt takes its place.
        """
        ...

    def record_sent(
        self, reply_id: str, external_id: str, *, segments: int | None = None, cost: int = 0
    ) -> str | None:
        """Bring a reply into `sent`, and count it for the day, once for each of the channel's ids of it.

        Returns the id of the conversation's next reply to send, as of `next_to_send`.

        A callback may have done so before. Then the segments are counted, and nothing else changes: the
        channel may have told by then that the reply did not arrive.

        Parameters:
          reply_id: the reply.
          external_id: the channel's id of it.
          segments: how many messages it is to the channel, where it counts them so.
          cost: what these cost, in millionths of the currency.
        """
        ...

    def record_not_sent(self, reply_id: str, error: str, *, final: bool) -> None:
        """Bring a reply into `pending` again, or into `failed` when `final`."""
        ...

    def record_unknown(self, reply_id: str, error: str) -> None:
        """Bring a reply into `unknown`."""
        ...

    def record_cancelled(self, reply_id: str, why: str) -> None:
        """Bring a reply into `cancelled`."""
        ...

    def record_delivery(self, reply_id: str, status: DeliveryStatus) -> bool:
        """Record what the channel says of a reply's delivery; False when that is no step forward.

        A status that names a reply proves that the reply was sent. Of a reply that was sent again, what is
        said of the sending before changes nothing.
        """
        ...

    def decide(self, reply_id: str, state: DecidedState, *, by: str) -> Reply | None:
        """Do what a person decided about a reply; return it, or None when it is in no state for that.

        Parameters:
          reply_id: the reply.
          state: `pending`, to be sent again, in that person's name; or `sent`, as that person knows.
          by: the person, for others.
        """
        ...

    def dismiss(self, entry_id: str, *, by: str) -> bool:
        """Leave something out of what wants attention (`ConversationReader.attention`).

        Returns False when it is not in there.

        Parameters:
          entry_id: as of `Attention`.
          by: the person who has seen it, for others.
        """
        ...

    def see(self, conversation: str) -> None:
        """Note that operators have seen all that the contact of a conversation wrote so far."""
        ...

    def add_note(self, conversation: str, note_id: str, text: str, *, by: str) -> bool:
        """Note down something about a contact; a second time changes nothing. False without a conversation.

        Parameters:
          conversation: its key.
          note_id: chosen by the caller, so that repeating the call is harmless.
          text: what operators are to know. Neither the contact nor a model is told.
          by: the operator.
        """
        ...

    def delete_note(self, conversation: str, note_id: str) -> bool:
        """Delete what an operator noted down; False when there is no such note of this conversation."""
        ...

    @property
    def shared_calls(self) -> SharedCalls:
        """The calls of the model that all workers share."""
        ...

    @property
    def delivery_checks(self) -> DeliveryChecks:
        """The sent replies that the channel is asked about."""
        ...

    def pace(self, sender: str, *, interval_ms: float) -> int:
        """Take the next turn to send from an address of ours; return in how many milliseconds that is.

        Parameters:
          sender: names the address.
          interval_ms: from this turn to the one after it.
        """
        ...

    def reply(self, reply_id: str) -> Reply | None:
        """Return one reply."""
        ...

    def is_known(self, external_id: str) -> bool:
        """Tell whether some reply is known to be this message of the channel's."""
        ...

    def text_of(self, account: str, external_id: str) -> str | None:
        """Return the text of a message or a reply, by the channel's id of it; None when it is not kept."""
        ...

    def check(self, *, timeout_s: float) -> None:
        """Prove that the store takes a durable write now.

        Raises:
          EngineError: it could not within `timeout_s` seconds; the message says why.
        """
        ...

    def close(self) -> None:
        """Let go of the store's resources."""
        ...
