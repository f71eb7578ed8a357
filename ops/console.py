"""Where the command line prints."""

from __future__ import annotations

import sys

from rich.console import Console

#: Where the output is no terminal, wide enough that nothing is cut.
out = Console(width=None if sys.stdout.isatty() else 240)
