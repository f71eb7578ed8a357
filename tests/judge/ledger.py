"""What was promised, and what came of it: written down by the load, and by the fakes."""

from __future__ import annotations

import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

#: What each text has in it, so that it is known again in what a model is asked and a customer is sent:
#: `m` and a number where a contact wrote it, `p` where a person of the shop did.
TOKEN = re.compile(r"\b[mp]\d{6}\b")

#: What is owed to a contact for a message: an answer; nothing, in a time in which nobody answers; or a
#: person's attention.
Owed = Literal["answer", "nothing", "person"]


@dataclass
class Inbound:
    """One message of a contact.

    Attributes:
      token: known again in every text about it.
      is_taken: whether a webhook with it had a 200.
      begun_at: when it was first sent, in seconds of the monotonic clock.
      taken_at: when a webhook with it first had a 200, likewise.
    """

    token: str
    contact: str
    sid: str
    owed: Owed
    is_taken: bool = False
    begun_at: float = field(default_factory=time.monotonic)
    taken_at: float = float("inf")


@dataclass
class Written:
    """A text that a person had sent through `/api/v1`, under an idempotency key.

    Attributes:
      reply_id: once a request with it had a 202.
    """

    token: str
    contact: str
    key: str
    reply_id: str | None = None


@dataclass
class Accepted:
    """A message that the fake Twilio accepted.

    Attributes:
      reply_id: from its status callback's URL.
      told: the best delivery status of which Recado has said with a 200 that it heard it.
    """

    sid: str
    contact: str
    address: str
    body: str
    callback: str
    at: float = field(default_factory=time.monotonic)
    created_at: float = field(default_factory=time.time)
    told: str | None = None

    @property
    def reply_id(self) -> str:
        return self.callback.partition("?reply=")[2].partition("#")[0]


@dataclass(frozen=True)
class Silence:
    """A time in which the assistant may not answer a contact, in seconds of the monotonic clock."""

    contact: str
    since: float
    until: float


class Ledger:
    """Everything that one trial's load sent, and the fakes took.

    Attributes:
      answers: how often a request to Recado had which status, or ended in which error.
    """

    def __init__(self) -> None:
        self.inbound: list[Inbound] = []
        self.written: list[Written] = []
        self.accepted: list[Accepted] = []
        self.silences: list[Silence] = []
        self.answers: Counter[str] = Counter()
        self._numbers = iter(range(1, 1_000_000))
        self._forgotten: set[str] = set()
        self._sent_to: defaultdict[str, list[Accepted]] = defaultdict(list)

    def token(self, kind: Literal["m", "p"]) -> str:
        return f"{kind}{next(self._numbers):06d}"

    def accept(self, message: Accepted) -> None:
        self.accepted.append(message)
        self._sent_to[message.contact].append(message)

    def sent_to(self, contact: str) -> list[Accepted]:
        return self._sent_to[contact]

    def answered(self, token: str, contact: str) -> bool:
        return any(token in TOKEN.findall(message.body) for message in self._sent_to[contact])

    def tokens_sent(self) -> Counter[str]:
        """How many messages that Twilio accepted have which token."""
        return Counter(
            token for message in self.accepted for token in set(TOKEN.findall(message.body)) - self._forgotten
        )

    def forget_before(self, at: float) -> int:
        """Forget what was promised and accepted before a moment; return how many promises were not kept.

        For a store that is gone with all that was in it: nothing of before can be asked of Recado any more.
        """
        sent, before = self.tokens_sent(), [each for each in self.inbound if each.begun_at < at]
        self._forgotten |= {each.token for each in before}
        self.inbound = [each for each in self.inbound if each.begun_at >= at]
        self.accepted = [each for each in self.accepted if each.at >= at]
        return sum(each.is_taken and each.token not in sent for each in before)

    def promises(self) -> Iterator[str]:
        """The tokens of which somebody was told that Recado has them, and to which something is owed."""
        yield from (each.token for each in self.inbound if each.is_taken and each.owed != "nothing")
        yield from (each.token for each in self.written if each.reply_id is not None)
