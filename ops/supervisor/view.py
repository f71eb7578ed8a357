"""`recado status`: asks the supervisor, and shows what it says."""

from __future__ import annotations

import json
import time
from contextlib import suppress

from rich.console import Console
from rich.live import Live

from ops.foundation.settings import load_settings

from .asking import status_of
from .table import status_view

#: How long the supervisor may take to answer, in seconds.
PATIENCE_S = 5.0

#: How often `--watch` asks, in seconds.
EVERY_S = 1.0


def show(out: Console, *, as_json: bool, watch: bool) -> None:
    """Show the status once, or again and again until Ctrl-C.

    Raises:
      Unreachable: no supervisor answers.
    """
    directory = load_settings().run_directory
    if as_json:
        print(json.dumps(status_of(directory, timeout_s=PATIENCE_S), indent=2))  # noqa: T201  unwrapped, whatever the terminal's width
    elif watch:
        with suppress(KeyboardInterrupt), Live(console=out, auto_refresh=False) as live:
            while True:
                live.update(status_view(status_of(directory, timeout_s=PATIENCE_S)), refresh=True)
                time.sleep(EVERY_S)
    else:
        out.print(status_view(status_of(directory, timeout_s=PATIENCE_S)), highlight=False)
