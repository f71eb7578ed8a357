"""What was used: sums of each day, by our address and model, and by contact.

Replies and segments are counted when the channel accepted a reply, tokens when the answer was written, each
together with the change that it is about. So they are counted once, whatever is repeated. A reply that is
sent again counts again, as the channel bills it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol, Self

DAY_MS = 86_400_000

#: How long the sums of a day are kept, in days: a month can be compared with the same one of the year before.
#: Those of a contact go with what is kept of that contact, at the latest.
SUMS_KEPT_DAYS = 400


def day_of(at_ms: int) -> int:
    """Return the day of a time, in UTC.

    Parameters:
      at_ms: in milliseconds since the epoch.

    Returns:
      Days since the epoch.
    """
    return at_ms // DAY_MS


class Sums(NamedTuple):
    """What was used. Costs are in millionths of the currency.

    Attributes:
      replies: that the channel accepted.
      segments: that these were to the channel.
      input_tokens, output_tokens: that answers took.
      model_cost: of these tokens, where the model has a price.
      channel_cost: of these segments, where they have a price.
      unpriced: answers whose tokens had no price.
    """

    replies: int = 0
    segments: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    model_cost: int = 0
    channel_cost: int = 0
    unpriced: int = 0

    @property
    def tokens(self) -> int:
        """All tokens."""
        return self.input_tokens + self.output_tokens

    @property
    def cost(self) -> int:
        """All costs that are known, in millionths of the currency."""
        return self.model_cost + self.channel_cost

    @property
    def known_cost(self) -> int | None:
        """The same; None where nothing has a price."""
        return None if self.unpriced and not self.cost else self.cost

    @classmethod
    def of(cls, parts: Iterable[Sums]) -> Self:
        """Add sums up."""
        return cls(*map(sum, zip(*([0] * len(cls._fields), *parts), strict=True)))


class DayUsage(NamedTuple):
    """What was used on a day (days since the epoch) at an address of ours, by a model; empty: by none."""

    day: int
    address: str
    model: str
    sums: Sums


class ContactUsage(NamedTuple):
    """What was used in a conversation, by its key."""

    conversation: str
    sums: Sums


class UsageReader(Protocol):
    """Reads the sums. Thread-safe; changes nothing."""

    def days(self, *, since: int, until: int) -> Sequence[DayUsage]:
        """Return the sums of days, in the order of day, address and model.

        Parameters:
          since, until: the first day and the last one, in days since the epoch.
        """
        ...

    def contacts(self, *, since: int, until: int, limit: int = 50, offset: int = 0) -> Sequence[ContactUsage]:
        """Return the sums of conversations, those first that cost most, then those that took most tokens.

        Sums of a conversation are kept no longer than what was said in it.

        Parameters:
          since, until: the first day and the last one, in days since the epoch.
          limit, offset: the page.
        """
        ...
