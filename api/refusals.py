"""Counts webhooks that are refused although a customer may have written them."""

from __future__ import annotations

#: Outcomes of webhooks (docs/metrics.md): taken in, and refused for a fault of this installation's, perhaps.
ACCEPTED, REFUSED = "accepted", frozenset({"bad_signature", "unavailable"})


class Refusals:
    """Counts them from the event loop; any thread may read.

    Attributes:
      total: how many were refused since the start.
      in_a_row: how many since the last one that was taken in.
    """

    def __init__(self) -> None:
        self.total = 0
        self.in_a_row = 0

    def count(self, outcome: str) -> None:
        """Count what became of a webhook."""
        if outcome == ACCEPTED:
            self.in_a_row = 0
        elif outcome in REFUSED:
            self.total += 1
            self.in_a_row += 1
