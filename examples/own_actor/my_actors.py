"""An actor of one's own, beside Recado's."""

from __future__ import annotations

from pathlib import Path

import dramatiq

import actors  # noqa: F401  Recado's own; from here on Dramatiq's broker is Recado's

ORDERS = Path("orders")


@dramatiq.actor(queue_name="orders", max_retries=5)
def place_order(number: str, what: str) -> None:
    """Write an order down. A file of its number makes a second run harmless."""
    ORDERS.mkdir(exist_ok=True)
    (ORDERS / f"{number}.txt").write_text(what)
