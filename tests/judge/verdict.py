"""The sentence: what was lost, doubled, kept from people, or said when nobody should speak."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .ledger import TOKEN, Ledger

#: Delivery statuses, from the first to the last. A later one is never overwritten by an earlier one.
RANKS = {"queued": 1, "sending": 2, "sent": 3, "delivered": 4, "read": 5}


@dataclass
class Told:
    """What people can see that waits for them.

    Attributes:
      texts: of dead letters and of what needs attention, payloads included.
      waiting: contacts who wait for a person.
      delivery: the delivery status of replies, by id.
    """

    texts: list[str] = field(default_factory=list)
    waiting: set[str] = field(default_factory=set)
    delivery: Mapping[str, str | None] = field(default_factory=dict)

    def tokens(self) -> set[str]:
        return {token for text in self.texts for token in TOKEN.findall(text)}


@dataclass
class Verdict:
    """How a trial ended.

    Attributes:
      promised: messages with a 200 that something is owed to, and texts with a 202.
      answered: of these, how many were sent or answered by what Twilio accepted.
      told: how many were not, and people are told.
      lost: inbound messages with a 200, no answer, and nobody told.
      doubled: what was answered or sent twice.
      untold: what a person should see and does not: their own texts, contacts who wait for them.
      unwanted: what the assistant said while it had to be silent.
      stale: deliveries that Recado has heard of and does not show.
    """

    promised: int = 0
    answered: int = 0
    told: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    untold: list[str] = field(default_factory=list)
    unwanted: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.doubled or self.untold or self.unwanted or self.stale)


def judge(ledger: Ledger, told: Told) -> Verdict:
    """Pass the sentence on a trial whose queues are empty.

    Parameters:
      ledger: what was promised, and what Twilio accepted.
      told: what people can see.
    """
    sent, seen = ledger.tokens_sent(), told.tokens()
    promises = set(ledger.promises())
    verdict = Verdict(promised=len(promises), answered=len(promises & sent.keys()))
    waiting = {each.token for each in ledger.inbound if each.contact in told.waiting}
    verdict.told = len((promises - sent.keys()) & (seen | waiting))
    verdict.doubled = sorted(token for token, count in sent.items() if count > 1)
    for inbound in ledger.inbound:
        if not inbound.is_taken or inbound.token in sent or inbound.token in seen:
            continue
        if inbound.owed == "answer" and inbound.contact not in told.waiting:
            verdict.lost.append(inbound.token)
        if inbound.owed == "person" and inbound.contact not in told.waiting:
            verdict.untold.append(inbound.token)
    for text in ledger.written:
        if text.reply_id is not None and text.token not in sent and text.token not in seen:
            verdict.untold.append(text.token)
    verdict.unwanted = sorted(_unwanted(ledger))
    verdict.stale = sorted(
        message.reply_id
        for message in ledger.accepted
        if message.told is not None
        and message.reply_id in told.delivery
        and RANKS.get(told.delivery[message.reply_id] or "", 0) < RANKS[message.told]
        and not seen.intersection(TOKEN.findall(message.body))
    )
    return verdict


def _unwanted(ledger: Ledger) -> list[str]:
    """The assistant's answers within a silence. Those of people have a token of their own."""
    return [
        token
        for silence in ledger.silences
        for message in ledger.sent_to(silence.contact)
        if silence.since < message.at < silence.until
        for token in TOKEN.findall(message.body)
        if token.startswith("m")
    ]
