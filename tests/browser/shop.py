"""What else the shop has to do, in actors of its own. Some of it fails."""

from __future__ import annotations

import time

import dramatiq

import actors  # Recado's own, and its broker


@dramatiq.actor(queue_name="receipts", max_retries=0)
def send_receipt(order: dict[str, str]) -> None:
    """Fails for orders without a tax number."""
    time.sleep(0.03)
    _ = order["cpf"]


@dramatiq.actor(queue_name="reports")
def daily_report(day: str) -> None:
    """Nothing much."""


__all__ = ["actors", "daily_report", "send_receipt"]
