"""Hiding user and password that are part of a URL, before the URL is printed."""

from __future__ import annotations

import re

#: User and password of a URL. They end at the last @ before its path, as urllib and browsers read it.
_USER_INFO = re.compile(r"(?<=://)[^\s/?#\"'<>\\]+@")


def without_credentials(text: str) -> str:
    """Remove user and password from each URL in a text.

    >>> without_credentials("https://user:secret@model.example.com/v1 does not answer")
    'https://model.example.com/v1 does not answer'
    """
    return _USER_INFO.sub("", text)
