"""Addresses that a request names: in a header, in a query, in a form."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit


def split_address(address: str) -> SplitResult | None:
    """Split an address into its parts; None when it is no address: `//[`, a port that is no number."""
    try:
        parts = urlsplit(address)
        _ = parts.port  # read lazily, and refused only then
    except ValueError:
        return None
    return parts
