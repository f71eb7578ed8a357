"""`recado status`: asks the supervisor for its status, and shows it."""

from __future__ import annotations

import json
import time
from contextlib import suppress

from rich.console import Console
from rich.live import Live

from ops.foundation.settings import load_settings

from .status_client import fetch_status
from .status_table import status_table

#: How long the supervisor may take to answer, in seconds.
TIMEOUT_S = 5.0

#: How often `--watch` asks, in seconds.
EVERY_S = 1.0


def show_status(out: Console, *, as_json: bool, watch: bool) -> None:
    """Show the status.

    Parameters:
      out: where to.
      as_json: show the whole status as JSON.
      watch: show the status again every second, until Ctrl-C.

    Raises:
      Unreachable: no supervisor answers.
    """
    directory = load_settings().run_directory
    if as_json:
        print(json.dumps(fetch_status(directory, timeout_s=TIMEOUT_S), indent=2))  # noqa: T201  unwrapped, whatever the terminal's width
    elif watch:
        with suppress(KeyboardInterrupt), Live(console=out, auto_refresh=False) as live:
            while True:
                live.update(status_table(fetch_status(directory, timeout_s=TIMEOUT_S)), refresh=True)
                time.sleep(EVERY_S)
    else:
        out.print(status_table(fetch_status(directory, timeout_s=TIMEOUT_S)), highlight=False)
