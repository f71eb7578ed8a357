"""Scans messages that no index finds, a tenth of a second at a time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from brokers.records import StoredMessage

#: How long one request may scan, in seconds.
BUDGET_S = 0.1

#: Returns so many messages, after so many others.
FetchPage = Callable[[int, int], Sequence[StoredMessage]]


@dataclass(frozen=True, slots=True)
class MessageFilter:
    """Says which messages are looked for. A field that is left empty does not narrow.

    Attributes:
      text: a part of the payload or of the last error, to the letter.
      since_ms, before_ms: when it was enqueued, in milliseconds since the epoch; the second excluded.
    """

    actor: str = ""
    reason: str = ""
    text: str = ""
    since_ms: int | None = None
    before_ms: int | None = None

    @property
    def narrows(self) -> bool:
        """Tell whether a field is set."""
        return bool(self.actor or self.reason or self.text) or (self.since_ms, self.before_ms) != (None, None)

    def matcher(self) -> Callable[[StoredMessage], bool]:
        """Return a function that tells whether a message is looked for."""
        spellings = [self.text.encode(), json.dumps(self.text)[1:-1].encode()]  # as JSON spells it, too

        def matches(message: StoredMessage) -> bool:
            return (
                (not self.actor or message.actor == self.actor)
                and (not self.reason or message.reason == self.reason)
                and (self.since_ms is None or message.enqueued_at >= self.since_ms)
                and (self.before_ms is None or message.enqueued_at < self.before_ms)
                and (
                    not self.text
                    or any(spelling in message.payload for spelling in spellings)
                    or self.text in (message.last_error or "")
                )
            )

        return matches


@dataclass(slots=True)
class ScanResult:
    """Holds what one request found.

    Attributes:
      messages: those that match.
      scanned: how many were scanned so far, those of earlier requests included.
      at_end: there are no more.
    """

    messages: list[StoredMessage] = field(default_factory=list)
    scanned: int = 0
    at_end: bool = False


def scan(
    fetch: FetchPage,
    matches: Callable[[StoredMessage], bool],
    *,
    start: int,
    limit: int,
    step: int,
    clock: Callable[[], float] = time.monotonic,
) -> ScanResult:
    """Scan until enough was found, all was scanned, or there is no time for another step.

    Parameters:
      fetch: returns the messages to scan.
      matches: tells whether a message is looked for.
      start: how many were scanned before.
      limit: how many to find, at least 1.
      step: how many to scan together.
      clock: seconds, monotonic.
    """
    found, began, took_s = ScanResult(scanned=start), clock(), 0.0
    while not found.at_end and clock() - began + took_s <= BUDGET_S:
        step_began = clock()
        messages = fetch(step, found.scanned)
        for message in messages:
            found.scanned += 1
            if matches(message):
                found.messages.append(message)
                if len(found.messages) == limit:
                    return found
        found.at_end = len(messages) < step
        took_s = clock() - step_began
    return found
