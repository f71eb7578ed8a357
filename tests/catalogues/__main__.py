"""`make messages`."""

from __future__ import annotations

import sys

from .catalogues import PATHS, blanks, refreshed, write

empty = [text for path in PATHS for text in blanks(write(path, refreshed(path)))]
if empty:
    sys.exit("\n".join(["To be translated, then run this again:", *empty]))
