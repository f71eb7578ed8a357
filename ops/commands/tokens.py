"""`recado tokens`: what lets other programs use /api/v1."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .audit import recorded
from .console import AsJson, failed, out, print_json

if TYPE_CHECKING:
    from api.v1.tokens import TokenFile

app = typer.Typer(
    help="Tokens of other programs, for /api/v1: make them, list them, revoke them.", no_args_is_help=True
)

#: What a token's name may be: it stands in log lines and in the audit log.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

#: Units of `--expires`, in milliseconds.
UNITS = {"h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}

#: The longest time that `--expires` takes, in milliseconds: ten years.
LONGEST_MS = 3_653 * UNITS["d"]


@app.command()
def create(
    name: Annotated[str, typer.Option(help="The program that gets it, such as crm: for the audit log.")],
    role: Annotated[
        Literal["reader", "agent", "operator", "admin"],
        typer.Option(
            help="reader: looks at everything. agent: answers too. operator: dead letters and queues too. "
            "admin: all."
        ),
    ],
    expires: Annotated[
        str | None, typer.Option(help="When it ends by itself: 12h, 90d, 8w. Never, when not given.")
    ] = None,
) -> None:
    """Make a token, and show it this once. Only its digest is kept."""
    from api.record_file import RecordsUnreadable
    from api.v1.tokens import TokenExists
    from ops.foundation.settings import load_settings

    if not NAME.fullmatch(name):
        raise failed(f"{name!r} is no name for a token: letters, digits, dots, hyphens and _, 64 at most.")
    expires_in_ms = None if expires is None else _milliseconds(expires)
    try:
        with recorded(f"create token ({role})", name):
            secret = _file().create(name, role, expires_in_ms=expires_in_ms)
    except (TokenExists, RecordsUnreadable, OSError) as error:
        raise failed(str(error)) from error
    typer.echo(secret)
    where = load_settings().api_tokens_path.absolute()
    typer.echo(
        f"Keep it: it is shown this once. Its digest is in {where}: the API of this directory takes it "
        "from the next request on.",
        err=True,
    )


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the tokens: their names and roles, and until when they are good."""
    from api.record_file import RecordsUnreadable

    from .tables import token_table

    try:
        file = _file()
        found = [(token, file.has_expired(token)) for token in file.tokens()]
    except RecordsUnreadable as error:
        raise failed(str(error)) from error
    if as_json:
        print_json(
            [
                {
                    "name": token.name,
                    "role": token.role,
                    "created_at": _moment(token.created_at),
                    "expires_at": None if token.expires_at is None else _moment(token.expires_at),
                    "expired": expired,
                }
                for token, expired in found
            ]
        )
    else:
        out.print(token_table(found))


@app.command()
def revoke(name: Annotated[str, typer.Argument(help="The token's name.")]) -> None:
    """Delete a token. The API refuses it from the next request on."""
    from api.record_file import RecordsUnreadable

    file = _file()
    try:
        known = [token.name for token in file.tokens()]
        if name not in known:
            raise failed(f"There is no token {name}. The tokens are {', '.join(known) or 'none'}.")
        with recorded("revoke token", name):
            file.revoke(name)
    except (RecordsUnreadable, OSError) as error:
        raise failed(str(error)) from error
    out.print(f"{name} is revoked.", markup=False)


def _file() -> TokenFile:
    from api.v1.tokens import TokenFile
    from ops.foundation.settings import load_settings

    return TokenFile(load_settings().api_tokens_path)


def _milliseconds(text: str) -> int:
    """Read a time such as 90d, in milliseconds."""
    found = re.fullmatch(r"([1-9][0-9]{0,5})([hdw])", text)
    length_ms = int(found[1]) * UNITS[found[2]] if found else 0
    if not 0 < length_ms <= LONGEST_MS:
        raise failed(f"--expires {text} is no time: say hours, days or weeks, up to ten years: 12h, 90d, 8w.")
    return length_ms


def _moment(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, tz=UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
