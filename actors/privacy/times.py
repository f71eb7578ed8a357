"""Times as an export has them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def iso(at_ms: int | None) -> str | None:
    """Write a time, in milliseconds since the epoch, as ISO 8601 in UTC; 0 is none."""
    if not at_ms:
        return None
    try:
        return datetime.fromtimestamp(at_ms / 1000, tz=UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError):  # of a damaged row
        return str(at_ms)


def with_times(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields with those written out that are times: their names end in `_at`."""
    return {name: iso(value) if name.endswith("_at") else value for name, value in fields.items()}
