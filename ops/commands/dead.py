"""`recado dead`: dead letters, looked at, run again, or discarded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from .audit import recorded
from .console import AsJson, Yes, failed, installed, out, print_json

if TYPE_CHECKING:
    from actors.services import Services
    from brokers.records import StoredMessage

app = typer.Typer(help="Dead letters: look at them, run them again, or discard them.", no_args_is_help=True)

Queue = Annotated[str | None, typer.Option(help="Only of this queue.")]
Actor = Annotated[str | None, typer.Option(help="Only of this actor.")]
Ids = Annotated[list[str] | None, typer.Argument(help="Message ids.")]
Every = Annotated[bool, typer.Option("--all", help="All of them, which --queue and --actor narrow.")]

#: As many contacts are named before all of their dead letters are discarded or run again.
MOST_NAMED = 10


@app.command("list")
def list_(queue: Queue = None, actor: Actor = None, limit: int = 50, as_json: AsJson = False) -> None:
    """List dead letters, newest first: whom each is about, what they wrote, and why it failed."""
    from actors.subject import subject_of
    from brokers.records import DeadLetterFilter

    from .tables import dead_letter_lines

    services = installed()
    letters = services.broker.backend.dead_letters(DeadLetterFilter(queue=queue, actor=actor), limit=limit)
    subjects = [subject_of(letter.payload) for letter in letters]
    if as_json:
        print_json(
            [
                {**letter._asdict(), "contact": subject and subject.contact, "text": subject and subject.text}
                for letter, subject in zip(letters, subjects, strict=True)
            ]
        )
        return
    for letter, subject in zip(letters, subjects, strict=True):
        typer.echo("\n".join(dead_letter_lines(letter, subject)))
    typer.echo(f"{len(letters)} dead letter(s)." if letters else "There are no dead letters.")


@app.command()
def show(message_id: str, as_json: AsJson = False) -> None:
    """Show one dead letter, with its traceback."""
    from .tables import dead_letter_details

    letter = _dead(installed(), message_id)
    if letter is None:
        raise failed(f"There is no dead letter {message_id}.")
    if as_json:
        print_json(letter._asdict())
        return
    for name, value in dead_letter_details(letter):
        typer.echo(f"{name:>12}  {value}")


@app.command()
def replay(
    message_ids: Ids = None, every: Every = False, queue: Queue = None, actor: Actor = None, yes: Yes = False
) -> None:
    """Run dead letters again, with a fresh record: those named, or with --all every one that matches."""
    services = installed()
    ids = _chosen(services, message_ids, every=every, queue=queue, actor=actor)
    if every and _can_ask() and not yes:
        _ask(services, ids, "Run")
    with recorded("replay dead letters", _named(ids), expected=len(ids)) as count:
        replayed = [message_id for message_id in ids if services.broker.replay(message_id)]
        count.done, count.failed = len(replayed), len(ids) - len(replayed)
    out.print(f"{len(replayed)} of {len(ids)} replayed.")
    services.broker.close()
    _name_missing(set(ids) - set(replayed))


@app.command()
def discard(
    message_ids: Ids = None, every: Every = False, queue: Queue = None, actor: Actor = None, yes: Yes = False
) -> None:
    """Delete dead letters for good: those named, or with --all every one that matches."""
    from brokers.records import DeadLetterFilter

    services = installed()
    ids = _chosen(services, message_ids, every=every, queue=queue, actor=actor)
    if every and not yes:
        if not _can_ask():
            raise failed(f"This would delete {len(ids)} dead letter(s) for good: say --yes.")
        _ask(services, ids, "Delete for good")
    discard = services.broker.backend.discard
    with recorded("discard dead letters", _named(ids), expected=len(ids)) as count:
        if every:
            count.done, missing = discard(DeadLetterFilter(message_ids=ids)), set[str]()
        else:
            missing = {
                message_id for message_id in ids if not discard(DeadLetterFilter(message_ids=[message_id]))
            }
            count.done = len(set(ids)) - len(missing)
        count.failed = len(set(ids)) - count.done
    out.print(f"{count.done} discarded.")
    services.broker.close()
    _name_missing(missing)


def _chosen(
    services: Services,
    message_ids: Sequence[str] | None,
    *,
    every: bool,
    queue: str | None,
    actor: str | None,
) -> list[str]:
    from .selection import select

    return select(services.broker.backend, message_ids, every=every, queue=queue, actor=actor)


def _named(ids: Sequence[str]) -> str:
    """Name dead letters for the audit log."""
    return ids[0] if len(ids) == 1 else f"{len(ids)} that were named or matched"


def _dead(services: Services, message_id: str) -> StoredMessage | None:
    letter = services.broker.backend.get(message_id)
    return letter if letter is not None and letter.state == "dead" else None


def _can_ask() -> bool:
    return typer.get_text_stream("stdin").isatty()


def _ask(services: Services, ids: Sequence[str], what: str) -> None:
    """Say whom it affects, and end here unless the person says yes."""
    from actors.subject import subject_of

    letters = [letter for letter in map(services.broker.backend.get, ids) if letter is not None]
    subjects = [subject_of(letter.payload) for letter in letters]
    contacts = Counter("no contact" if subject is None else subject.contact for subject in subjects)
    for contact, count in contacts.most_common(MOST_NAMED):
        typer.echo(f"{count:>6}  {contact}")
    if len(contacts) > MOST_NAMED:
        typer.echo(f"        and {len(contacts) - MOST_NAMED} more contacts")
    typer.confirm(f"{what} {len(ids)} dead letter(s)?", abort=True)


def _name_missing(missing: set[str]) -> None:
    if missing:
        raise failed("\n".join(f"There is no dead letter {message_id}." for message_id in sorted(missing)))
