"""`recado conversations`: what customers and the shop said, who answers, and answering by hand."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .console import AsJson, failed, installed, out, print_json

if TYPE_CHECKING:
    from actors.conversations.reader import Summary

app = typer.Typer(
    help="Conversations: look at them, take over from the assistant, answer, hand back.",
    no_args_is_help=True,
)

Contact = Annotated[
    str, typer.Argument(help="The contact's number, or so much of it that it is the only one.")
]
By = Annotated[str | None, typer.Option(help="Who you are, for others; your login name otherwise.")]


@app.command("list")
def list_(
    mode: Annotated[
        Literal["assistant", "person", "nobody"] | None,
        typer.Option(help="Only those that it answers: assistant, person or nobody."),
    ] = None,
    limit: int = 50,
    as_json: AsJson = False,
) -> None:
    """List conversations, those in which something was said last first."""
    from .tables import conversation_table

    found = installed(conversations=True).conversations.reader.conversations(mode=mode, limit=limit)
    if as_json:
        print_json([summary._asdict() for summary in found])
    else:
        out.print(conversation_table(found))


@app.command()
def show(contact: Contact, limit: int = 50, as_json: AsJson = False) -> None:
    """Show the end of a conversation."""
    from .tables import thread_table

    found = _find(contact)
    thread = installed(conversations=True).conversations.reader.thread(found.conversation, limit=limit)
    if as_json:
        print_json({**found._asdict(), "thread": [entry._asdict() for entry in thread]})
    else:
        out.print(thread_table(found, thread))


@app.command()
def take(contact: Contact, by: By = None) -> None:
    """Answer by hand from now on: the assistant is silent in this conversation."""
    from actors import people

    found = _find(contact)
    try:
        people.take_over(found.conversation, by=by or getpass.getuser())
    except people.OptedOutContact as error:
        raise failed(str(error)) from error
    out.print(
        f"You answer {found.contact} now. `recado conversations hand-back {contact}` ends that.", markup=False
    )


@app.command("hand-back")
def hand_back(contact: Contact, by: By = None) -> None:
    """Have the assistant answer again, from what comes in next."""
    from actors import people

    found = _find(contact)
    if found.mode == "nobody":
        raise failed(f"{found.contact} has opted out: only they can undo that.")
    people.hand_back(found.conversation, by=by or getpass.getuser())
    out.print(f"The assistant answers {found.contact}.", markup=False)


@app.command()
def say(
    contact: Contact,
    text: Annotated[str, typer.Argument(help="What to say.")],
    by: By = None,
    key: Annotated[
        str | None, typer.Option(help="Names this text: said again under the same key, it is sent once.")
    ] = None,
    take: Annotated[bool, typer.Option("--take", help="Answer by hand from now on.")] = False,
) -> None:
    """Say something to a contact who has written before. It is sent with the promises that an answer has."""
    from actors import people

    found = _find(contact)
    try:
        people.say(found.conversation, text, by=by or getpass.getuser(), key=key, takes_over=take)
    except (people.OptedOutContact, ValueError) as error:
        raise failed(str(error)) from error
    installed(conversations=True).broker.close()
    out.print(f"It is in the queue, and goes to {found.contact}.", markup=False)


def _find(contact: str) -> Summary:
    """Return the one conversation of a contact, or end with the reason why there is no such one."""
    found = installed(conversations=True).conversations.reader.conversations(contact=contact, limit=10)
    exact = [summary for summary in found if summary.contact == contact]
    if len(exact) == 1 or len(found) == 1:
        return (exact or list(found))[0]
    if not found:
        raise failed(f"No contact's number has {contact!r} in it.")
    names = "\n".join(f"  {summary.contact} at {summary.address}" for summary in found)
    raise failed(f"{contact!r} is in several contacts' numbers:\n{names}")
