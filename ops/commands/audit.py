"""Recording in the audit log what commands do."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from api.audit_log import Count


@contextmanager
def recorded(action: str, target: str, *, expected: int = 1) -> Iterator[Count]:
    """Record what is done inside, and how it ended.

    A command is what an operator has left when the audit log is broken. So it says that it could not be
    recorded, and does its work: the dashboard and the API refuse to.

    Parameters:
      action: the action's name.
      target: what it is applied to, for people to read. It has no number of a contact.
      expected: to how many things it is applied.

    Yields:
      The count that is recorded at the end: all that was expected, unless it is changed inside.
    """
    from dramatiq.errors import BrokerError

    from api.audit_log import AuditLog, Count
    from ops.foundation.settings import load_settings

    where = socket.gethostname()
    with (
        closing(AuditLog(load_settings().dashboard_audit_path, logs=False)) as audit,
        ExitStack() as recording,
    ):
        try:
            count = recording.enter_context(
                audit.recorded(action, target, who=user(), address=where, origin="cli", expected=expected)
            )
        except BrokerError as error:
            typer.echo(f"This is done, and not recorded in the audit log: {error}", err=True)
            count = Count(done=expected)
        yield count


def user() -> str:
    """Return the name of the person at the command line; their number where they have no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no such user, as in a container that runs under any number
        return f"uid {os.getuid()}"
