"""`recado users`: who may open the dashboard by a name of their own, and as what."""

from __future__ import annotations

import secrets
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .audit import recorded
from .console import AsJson, Yes, failed, out, print_json

if TYPE_CHECKING:
    from api.users import KeptUser, UserFile

app = typer.Typer(
    help="Users of the dashboard: make them, list them, change their passwords and roles, delete them.",
    no_args_is_help=True,
)

#: How many random bytes `--generate` makes a password of.
GENERATED_BYTES = 15

RoleOption = Annotated[
    Literal["reader", "agent", "operator", "admin"],
    typer.Option(
        help="reader: looks at everything, masked. agent: answers customers too. operator: dead letters and "
        "queues too. admin: erases and exports people too."
    ),
]
Name = Annotated[str, typer.Argument(help="The user's name.")]
Generate = Annotated[
    bool,
    typer.Option("--generate", help="Make a password, and show it this once. Otherwise it is asked for."),
]


@app.command()
def create(
    name: Annotated[str, typer.Option(help="What the person signs in with; shown beside what they write.")],
    role: RoleOption,
    generate: Generate = False,
) -> None:
    """Make a user. The password is asked for, or read from the input's first line; its digest is kept."""
    from api.record_file import RecordsUnreadable
    from api.users import UnfitForUser, UserExists, check_name
    from ops.foundation.settings import load_settings

    try:
        name = check_name(name)
        if _file().find(name) is not None:
            raise UserExists(f"There is a user {name} already: choose another name.")
        password = _password(generate=generate)
        with recorded(f"create user ({role})", name):
            _file().create(name, role, password)
    except (UnfitForUser, UserExists, RecordsUnreadable, OSError) as error:
        raise failed(str(error)) from error
    if generate:
        typer.echo(password)
    where = load_settings().dashboard_users_path.absolute()
    typer.echo(
        f"{name} may sign in to the dashboard. The password's digest is in {where}: the API of this "
        "directory takes it from the next request on.",
        err=True,
    )


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the users: their names and roles."""
    from .tables import user_table

    users = _users()
    if as_json:
        print_json(
            [{"name": user.name, "role": user.role, "created_at": _moment(user.created_at)} for user in users]
        )
    else:
        out.print(user_table(users))


@app.command("password")
def set_password(name: Name, generate: Generate = False) -> None:
    """Give a user another password. Every browser in which they are signed in is signed out."""
    from api.record_file import RecordsUnreadable
    from api.users import UnfitForUser

    name = _known(name)
    try:
        new = _password(generate=generate)
        with recorded("change password", name):
            _file().set_password(name, new)
    except (UnfitForUser, RecordsUnreadable, OSError) as error:
        raise failed(str(error)) from error
    if generate:
        typer.echo(new)
    typer.echo(f"{name} has another password, and is signed out everywhere.", err=True)


@app.command("role")
def set_role(
    name: Name,
    role: Annotated[
        Literal["reader", "agent", "operator", "admin"], typer.Argument(help="What the user may do.")
    ],
) -> None:
    """Give a user another role. It counts from their next request on."""
    from api.record_file import RecordsUnreadable

    name = _known(name)
    try:
        with recorded(f"change role ({role})", name):
            _file().set_role(name, role)
    except (RecordsUnreadable, OSError) as error:
        raise failed(str(error)) from error
    out.print(f"{name} has the role {role}.", markup=False)


@app.command()
def delete(name: Name, yes: Yes = False) -> None:
    """Delete a user. The dashboard refuses them from the next request on. What they wrote has their name."""
    from api.record_file import RecordsUnreadable
    from ops.foundation.settings import load_settings

    name = _known(name)
    of = load_settings()
    others = (of.dashboard_password, of.dashboard_readonly_password, of.dashboard_auth_header)
    if len(_users()) == 1 and not any(others):
        typer.echo(
            f"{name} is the last user, and there is no password: without a user the dashboard answers every "
            "browser of the API's own machine.",
            err=True,
        )
    if not yes:
        typer.confirm(f"Delete {name}?", abort=True)
    try:
        with recorded("delete user", name):
            _file().delete(name)
    except (RecordsUnreadable, OSError) as error:
        raise failed(str(error)) from error
    out.print(f"{name} is deleted.", markup=False)


def _file() -> UserFile:
    from api.users import UserFile
    from ops.foundation.settings import load_settings

    return UserFile(load_settings().dashboard_users_path)


def _users() -> list[KeptUser]:
    from api.record_file import RecordsUnreadable

    try:
        return list(_file().users())
    except RecordsUnreadable as error:
        raise failed(str(error)) from error


def _known(name: str) -> str:
    """Return the name of a user as it is kept."""
    from api.users import key_of

    users = _users()
    for user in users:
        if user.key == key_of(name):
            return user.name
    raise failed(
        f"There is no user {name}. The users are {', '.join(each.name for each in users) or 'none'}."
    )


def _password(*, generate: bool) -> str:
    """Ask for a password, twice, at a terminal; otherwise read it. It is no argument: `ps` shows those."""
    from api.users import check_password

    if generate:
        return secrets.token_urlsafe(GENERATED_BYTES)
    if sys.stdin.isatty():
        return check_password(str(typer.prompt("Password", hide_input=True, confirmation_prompt=True)))
    return check_password(sys.stdin.readline().rstrip("\r\n"))


def _moment(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, tz=UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
