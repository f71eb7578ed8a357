"""Addresses fit for logs."""

from __future__ import annotations

import re

_MIDDLE = re.compile(r"^(\+?\w\w)(.+)(\w\w)$")


def masked(address: str) -> str:
    """Hide most of an address: what is left tells two apart, and is too little to call anyone.

    >>> masked("whatsapp:+5511900001234")
    'whatsapp:+55•••••••34'
    """
    channel, colon, name = address.rpartition(":")
    hidden = _MIDDLE.sub(lambda found: found[1] + "•" * min(7, len(found[2])) + found[3], name)
    return channel + colon + hidden
