"""`recado forget` and `recado export`: what is kept of one person."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .console import AsJson, Yes, failed, installed, print_json

if TYPE_CHECKING:
    from actors.privacy import Person, Place
    from actors.services import Services
    from api.audit_log import AuditLog

Number = Annotated[
    str, typer.Argument(help="The person's whole number, such as +5511900001234, or address in a channel.")
]
By = Annotated[str | None, typer.Option(help="Who you are, for the audit log; your login name otherwise.")]

#: Where an action was taken, in the audit log, in the place of an operator's address.
ORIGIN = "command line"


def forget(number: Number, yes: Yes = False, as_json: AsJson = False, by: By = None) -> None:
    """Erase a person everywhere, for good. That they opted out is remembered, without their number."""
    from actors.privacy import counted, erase, export

    person, services = _person(number), installed(conversations=True)
    with closing(services.broker), _audit(services) as audit, _places(services, audit) as places:
        if not yes:
            _ask(person, counted(export(person, places)), _alike(services, person))
        with _recorded(audit, "erase person", person, by):
            report = erase(person, places)
    if as_json:
        print_json(report.as_json())
    else:
        typer.echo("\n".join(_lines(report.as_json()["erased"])) or "Nothing was kept of them.")
    if report.warnings:
        raise failed("\n".join(report.warnings))


def export_(
    number: Number,
    output: Annotated[
        Path | None, typer.Option(help="Write to this file, its owner's alone; it must not be there yet.")
    ] = None,
    by: By = None,
) -> None:
    """Write down everything that is kept of a person, as one JSON document."""
    from actors.privacy import encoded, export

    person, services = _person(number), installed(conversations=True)
    with closing(services.broker), _audit(services) as audit, _places(services, audit) as places:
        with _recorded(audit, "export person", person, by):
            document = export(person, places)
        alike = _alike(services, person)
    if alike:
        typer.echo(_hint(alike), err=True)
    if output is None:
        typer.echo(encoded(document))
        return
    _write(output, encoded(document))
    typer.echo(f"It is in {output}.", err=True)


def _person(number: str) -> Person:
    from actors.privacy import Person

    try:
        return Person.read(number)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


@contextmanager
def _audit(services: Services) -> Iterator[AuditLog]:
    from api.audit_log import AuditLog

    with closing(AuditLog(services.settings.dashboard_audit_path)) as audit:
        yield audit


@contextmanager
def _places(services: Services, audit: AuditLog) -> Iterator[Sequence[Place]]:
    from actors.privacy import places
    from api.audit_place import AuditPlace

    with places(services, AuditPlace(audit)) as found:
        yield found


@contextmanager
def _recorded(audit: AuditLog, action: str, person: Person, by: str | None) -> Iterator[None]:
    """Record who does it, before it is done, and how it ended; the person's number is masked."""
    entry = audit.record(action, person.masked, who=by or getpass.getuser(), address=ORIGIN)
    try:
        yield
    except BaseException:
        audit.record_progress(entry, failed=1, outcome="failed")
        raise
    audit.record_progress(entry, done=1, outcome="done")


def _alike(services: Services, person: Person) -> list[str]:
    from actors.privacy.conversations_place import ConversationsPlace

    return ConversationsPlace(services.conversations).contacts_like(person)


def _hint(alike: Sequence[str]) -> str:
    names = "\n".join(f"  {contact}" for contact in alike)
    return f"These numbers end alike, and are not touched. Are they theirs, too?\n{names}"


def _ask(person: Person, counts: Mapping[str, Mapping[str, int]], alike: Sequence[str]) -> None:
    """Say what is kept, and end here unless the person at the terminal says yes."""
    if not typer.get_text_stream("stdin").isatty():
        raise failed("This would erase all that is kept of them, for good: say --yes.")
    lines = _lines(counts)
    typer.echo("\n".join(["Of them is kept:", *lines] if lines else ["Nothing is kept of them."]))
    if alike:
        typer.echo(_hint(alike))
    name = f"+{person.name}" if person.is_number else person.name
    typer.confirm(f"Erase {name} everywhere, for good?", abort=True)


def _lines(counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Write how much of what, a place a line, without what there is nothing of."""
    found = {
        place: ", ".join(f"{count} {what}" for what, count in of_place.items() if count)
        for place, of_place in counts.items()
    }
    return [f"  {place}: {words}" for place, words in found.items() if words]


def _write(path: Path, document: bytes) -> None:
    import os

    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise failed(f"There is a {path} already: name another file.") from error
    except OSError as error:
        raise failed(f"{path} cannot be written: {error.strerror}.") from error
    with os.fdopen(file, "wb") as stream:
        stream.write(document)
