"""What a channel promises: to turn what comes in into messages, and to send replies.

The stores and the actors know none of a channel's words. Twilio is one channel, the console another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

from ..conversation import Button, Contact, Location, Media, Message
from ..keys import ConversationKey, MessageId
from ..reply import Reply

#: What a contact may say to the channel rather than to the shop: no more messages; messages again; help; that
#: a person is to answer. Or they did not write but call.
Keyword = Literal["stop", "start", "help", "person", "call"]

#: The channel of conversations that were begun before each of them noted its own, and of an address of ours
#: that no contact has written to yet.
FIRST_CHANNEL = "twilio"

#: Everything that a channel sent, unknown parameters included.
Payload = Mapping[str, Any]


class InvalidMessage(ValueError):
    """A payload lacks what a message cannot do without; the text says what."""


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """One message from a contact, as it came in.

    Attributes:
      channel: the name of the channel.
      account: the account of the channel.
      external_id: the channel's own id of the message, of which each account has one only.
      contact: the customer.
      address: the address of ours they wrote to; replies come from it.
      text: what they said, as a model should read it.
      keyword: what the whole message says to the channel.
      is_answered_by_channel: the channel answers it itself, and refuses any answer of ours.
      takes_no_answer: its sender cannot be answered, such as a short code: it is recorded, and no more.
      service: the set of addresses of ours that it came in through, where the channel has such sets.
      known_as: the address under which the conversation with the contact is kept, where that is another one
        than the contact writes from now.
      media, button, location, reply_to, payload: as of `Message`.
    """

    channel: str
    account: str
    external_id: str
    contact: Contact
    address: str
    text: str
    payload: Payload = field(repr=False)
    media: Sequence[Media] = ()
    button: Button | None = None
    location: Location | None = None
    reply_to: str | None = None
    keyword: Keyword | None = None
    is_answered_by_channel: bool = False
    takes_no_answer: bool = False
    service: str | None = None
    known_as: str | None = None

    @property
    def message_id(self) -> str:
        """The id of the queue message that carries it."""
        return str(MessageId(self.account, self.external_id))

    @property
    def conversation(self) -> str:
        """The key of the conversation it belongs to."""
        return str(ConversationKey(self.account, self.address, self.known_as or self.contact.address))

    def as_message(self, *, at_ms: int, text: str) -> Message:
        """Make a message of the conversation of it.

        Parameters:
          at_ms: when it came in, in milliseconds since the epoch.
          text: what was said, as it was stored.
        """
        return Message(
            "contact",
            text,
            at_ms=at_ms,
            message_id=self.message_id,
            media=self.media,
            button=self.button,
            location=self.location,
            reply_to=self.reply_to,
            payload=self.payload,
        )


class DeliveryStatus(NamedTuple):
    """What a channel says of a reply's delivery.

    Attributes:
      external_id: the channel's id of the reply.
      status: the channel's word.
      rank: how far along that is. Callbacks come late and out of order, and a status counts when its rank is
        higher than that of the one before.
      is_failure: the contact did not get the reply.
      error: why, for people; None where there is no error.
      contact: the customer's address.
      is_opt_out: the contact wants no messages.
      again_after_ms: a failure that passes: when the reply may be sent again, in milliseconds from now.
      is_final: the channel tells no more of the delivery, or nothing that would matter.
    """

    external_id: str
    status: str
    rank: int
    is_failure: bool
    error: str | None
    contact: str
    is_opt_out: bool = False
    again_after_ms: int | None = None
    is_final: bool = False


class SendError(Exception):
    """A reply was not sent, or may not have been.

    Parameters:
      message: what happened.
      code: the channel's own number of the error.
    """

    def __init__(self, message: str, *, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class NotSentYet(SendError):
    """Certainly not sent, and worth another try.

    Parameters:
      message, code: as of `SendError`.
      delay_ms: when to try again, if the channel said so; else by backoff.
    """

    def __init__(self, message: str, *, code: int | None = None, delay_ms: int | None = None) -> None:
        super().__init__(message, code=code)
        self.delay_ms = delay_ms


class NotSentEver(SendError):
    """Certainly not sent, and trying again would change nothing."""


class OptedOut(NotSentEver):
    """Certainly not sent: the contact wants no messages."""


class Gone(NotSentEver):
    """The channel has no such message, or none any more."""


class PerhapsSent(SendError):
    """It cannot be told whether the reply was sent: sending it again could mean sending it twice."""


class TypingNotShown(Exception):
    """A contact was not shown that an answer is being written.

    Parameters:
      message: what happened.
      is_refusal: the channel said no. Else it gave no answer, or had trouble of its own.
      pause_s: for how long the channel is not to be asked under the same account again, in seconds.
    """

    def __init__(self, message: str, *, is_refusal: bool = False, pause_s: float = 0.0) -> None:
        super().__init__(message)
        self.is_refusal = is_refusal
        self.pause_s = pause_s


class OtherReply(NamedTuple):
    """Another reply of the same conversation."""

    text: str
    in_flight: bool  # it is being sent, so that the channel may have it, under an id that is not known yet


#: Returns the other replies of a conversation.
Others = Callable[[], Sequence[OtherReply]]


class Channel(Protocol):
    """Reads what comes in, and sends replies. Many threads call it at once.

    Attributes:
      max_characters: the longest text of one reply, in characters.
      not_found_is_not_sent: what `find` does not find was certainly not sent.
    """

    max_characters: int
    not_found_is_not_sent: bool

    def read(self, payload: Payload) -> InboundMessage:
        """Make a message of a payload.

        Raises:
          InvalidMessage: it lacks what a message cannot do without.
        """
        ...

    def read_status(self, payload: Payload) -> DeliveryStatus:
        """Make sense of what the channel says of a delivery.

        Raises:
          InvalidMessage: it does not say which reply it is about.
        """
        ...

    def send(self, reply: Reply) -> str:
        """Send a reply; return the id by which the channel knows it.

        Raises:
          NotSentYet, NotSentEver, PerhapsSent: see there.
        """
        ...

    def find(self, reply: Reply, *, is_known: Callable[[str], bool], others: Others = tuple) -> str | None:
        """Look in the channel for a reply that was perhaps sent; return its id there, or None.

        Parameters:
          reply: what to look for.
          is_known: whether an id belongs to another reply already.
          others: the other replies of the conversation, whose messages must not be taken for this one's.
            It is to be called after the channel was asked, and before `is_known`: a reply that was being sent
            when the channel was asked is then either in flight, or known.

        Raises:
          NotSentYet: it could not be looked up now.
        """
        ...


@runtime_checkable
class Paced(Protocol):
    """A channel that bills by segments, and whose senders have a pace, does this too.

    Attributes:
      is_paced: some of its senders have to pause.
    """

    is_paced: bool

    def segments(self, reply: Reply) -> int:
        """Return as how many messages a reply counts, in what it costs and in how fast it goes."""
        ...

    def pause_after_ms(self, reply: Reply) -> float:
        """Return how long a reply's sender has to pause after it, in milliseconds; 0 for not at all."""
        ...


@runtime_checkable
class ShowsTyping(Protocol):
    """A channel whose contacts can see that an answer is being written does this too."""

    def can_show_typing(self, message: InboundMessage) -> bool:
        """Tell whether the contact of a message can be shown that it is being answered."""
        ...

    def show_typing(self, message: InboundMessage) -> None:
        """Show the contact of a message that it is being answered. It is called beside the answering.

        Raises:
          TypingNotShown: that is as good as done: nothing depends on it.
        """
        ...


@runtime_checkable
class TellsStatus(Protocol):
    """A channel that can be asked how a delivery goes on does this too.

    What it tells by itself may be lost.
    """

    def status_of(self, reply: Reply) -> Payload | None:
        """Ask how the delivery of a reply goes on.

        Returns the payload that `read_status` takes; None where nothing is new.

        Raises:
          NotSentYet: it cannot be asked now, about any reply.
          Gone: it knows the reply no more.
          NotSentEver: it does not tell.
        """
        ...
