"""What contacts attach: fetched, kept or not, and made into text."""

from __future__ import annotations

from .cards import read_cards
from .folder import MediaFolder
from .housekeeping import sweep
from .library import TEMPORARY, Attachments, MediaLibrary, MediaSource
from .understanding import Transcriber, Understanding

__all__ = [
    "TEMPORARY",
    "Attachments",
    "MediaFolder",
    "MediaLibrary",
    "MediaSource",
    "Transcriber",
    "Understanding",
    "read_cards",
    "sweep",
]
