"""The phones of customers who are played."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from actors.channels.twilio.webhook import DEMO_ACCOUNT, message_parameters
from actors.keys import ConversationKey, MessageId
from ops.foundation.settings import Settings

from .network import Network, Posted
from .pictures import attached

#: How many phones there are, and the number of the shop that they write to.
PHONES = 3
SHOP = "whatsapp:+15005550006"

#: As many of the latest messages of each phone are remembered.
REMEMBERED = 50


@dataclass(slots=True)
class OwnMessage:
    """A message that was written on a phone.

    Attributes:
      parameters: of its webhook.
      posted: each time that its webhook was posted.
      crashes: how often its worker was seen to have died under it. The queue forgets that with the message.
      killed: the workers that were killed while they worked on it.
    """

    parameters: Mapping[str, str]
    posted: list[Posted] = field(default_factory=list)
    crashes: int = 0
    killed: list[str] = field(default_factory=list)

    @property
    def sid(self) -> str:
        """Return the id that Twilio would have given it."""
        return self.parameters["MessageSid"]

    @property
    def message_id(self) -> str:
        """Return the id that Recado knows it by."""
        return str(MessageId(self.parameters["AccountSid"], self.sid))

    @property
    def is_taken(self) -> bool:
        """Whether its webhook was answered with 200."""
        return any(each.status == 200 for each in self.posted)


class Phone:
    """A customer's phone. Thread-safe.

    Parameters:
      number: which one, from 1.
      account: the account that its messages come in under.
      name: the customer's, as the phone gives it.
      network: brings what is written.
    """

    def __init__(self, number: int, account: str, network: Network) -> None:
        self.number = number
        self.contact = f"whatsapp:+551190000{number:04}"
        self.conversation = str(ConversationKey(account, SHOP, self.contact))
        self._account = account
        self._network = network
        self._written: deque[OwnMessage] = deque(maxlen=REMEMBERED)
        self._lock = threading.Lock()

    @property
    def written(self) -> Sequence[OwnMessage]:
        """Return the latest messages, oldest first."""
        with self._lock:
            return tuple(self._written)

    def find(self, sid: str) -> OwnMessage | None:
        """Return a message; the latest one where none has that id."""
        written = self.written
        return next((each for each in written if each.sid == sid), written[-1] if written else None)

    def write(self, text: str, *, name: str, with_picture: bool = False) -> OwnMessage:
        """Write a message.

        Parameters:
          text: what it says.
          name: the customer's, as the phone gives it.
          with_picture: a picture is attached.

        Raises:
          NotReached: the API does not answer.
        """
        parameters = message_parameters(text, sender=self.contact, to=SHOP, account_sid=self._account)
        parameters["ProfileName"] = name
        if with_picture:
            parameters |= attached(self._account, parameters["MessageSid"])
        written = OwnMessage(parameters)
        self._post(written)
        with self._lock:
            self._written.append(written)
        return written

    def repeat(self) -> OwnMessage | None:
        """Have the latest message brought once more, as Twilio does; None where there is none."""
        written = self.find("")
        if written is not None:
            self._post(written)
        return written

    def _post(self, written: OwnMessage) -> None:
        posted = self._network.bring(written.parameters)
        with self._lock:
            written.posted.append(posted)


def phones(settings: Settings, network: Network) -> Mapping[int, Phone]:
    """Make the phones, by their numbers."""
    account = settings.twilio_account_sid or DEMO_ACCOUNT
    return {number: Phone(number, account, network) for number in range(1, PHONES + 1)}
