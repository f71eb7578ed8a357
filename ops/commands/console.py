"""What commands have in common: where they print, how they fail, and that looking creates nothing."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from actors.services import Services

#: Where the output is no terminal, wide enough that nothing is cut.
out = Console(width=None if sys.stdout.isatty() else 240)

AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def print_json(value: object) -> None:
    """Print a value as JSON, with text as people write it."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=1, default=_as_text))


def failed(why: str) -> typer.Exit:
    """Say why a command cannot do what it was asked; return what ends it: `raise failed(...)`."""
    typer.echo(why, err=True)
    return typer.Exit(1)


def installed(*, conversations: bool = False) -> Services:
    """Return the services of an installation that is there.

    Parameters:
      conversations: the command looks at conversations. Where no dead letter can be looked at, on SQS, other
        commands do not.

    Raises:
      typer.Exit: there is no file where the settings say. Opening it would create an empty one, and a command
        in the wrong directory would show that all is well.
    """
    from actors.services import boot
    from ops.foundation.settings import load_settings

    settings = load_settings()
    files = {
        "QUEUE_SQLITE_DB_PATH": settings.queue_sqlite_db_path if settings.queue_backend == "sqlite" else None,
        "CONVERSATIONS_SQLITE_DB_PATH": (
            settings.conversations_sqlite_db_path
            if settings.conversations_on == "sqlite" and (conversations or settings.queue_backend != "sqs")
            else None
        ),
    }
    for setting, path in files.items():
        if path is not None and not path.exists():
            raise failed(
                f"There is no {path} in {Path.cwd()}: nothing has run here yet. Go to the directory in which "
                f"Recado runs, or set {setting}."
            )
    return boot()


def _as_text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
