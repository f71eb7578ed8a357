"""`recado conversations`: what customers and the shop said, who answers, and answering by hand."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .audit import recorded
from .console import AsJson, failed, installed, out, print_json

if TYPE_CHECKING:
    from actors.conversations.reader import Summary
    from actors.keys import ConversationKey
    from actors.reply import Template

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
def search(
    wanted: Annotated[str, typer.Argument(help="A name, a number in any form, or words that were said.")],
    limit: int = 20,
    as_json: AsJson = False,
) -> None:
    """Find contacts by name and number, and texts by their words."""
    from actors.phone_numbers import contact_query, region_of

    from .tables import conversation_table, text_table

    services = installed(conversations=True)
    find, addresses = services.conversations.search, services.conversations.reader.addresses()
    region = services.settings.default_region or region_of(own.address for own in addresses)
    contacts = find.contacts(contact_query(wanted, region=region), limit=limit)
    found = find.texts(wanted, limit=limit)
    if as_json:
        print_json(
            {
                "contacts": [summary._asdict() for summary in contacts],
                "texts": [each._asdict() for each in found.texts],
                "bounds": found.bounds or None,
            }
        )
        return
    if contacts:
        out.print(conversation_table(contacts))
    if found.texts:
        out.print(text_table(found.texts))
    if not contacts and not found.texts:
        out.print("No contact is like that, and nobody said that.")
    if found.bounds:
        out.print(found.bounds, markup=False)


@app.command()
def take(contact: Contact, by: By = None) -> None:
    """Answer by hand from now on: the assistant is silent in this conversation."""
    from actors import people

    found = _find(contact)
    try:
        with recorded("take over conversation", found.message_id):
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
    with recorded("hand back conversation", found.message_id):
        people.hand_back(found.conversation, by=by or getpass.getuser())
    out.print(f"The assistant answers {found.contact}.", markup=False)


@app.command()
def say(
    contact: Contact,
    text: Annotated[str, typer.Argument(help="What to say.")],
    *,
    by: By = None,
    key: Annotated[
        str | None, typer.Option(help="Names this text: said again under the same key, it is sent once.")
    ] = None,
    take: Annotated[bool, typer.Option("--take", help="Answer by hand from now on.")] = False,
    sender: Annotated[
        str | None,
        typer.Option("--from", help="The address of yours that it goes from: to write to anybody, first."),
    ] = None,
    template: Annotated[
        str | None,
        typer.Option(help="The channel's id of an approved text (HX...) that is sent in place of yours."),
    ] = None,
    variable: Annotated[
        list[str] | None, typer.Option("--var", help="What stands in a place of the template: name=text.")
    ] = None,
) -> None:
    """Say something to a contact. It is sent with the promises that an answer has.

    Without --from it goes to a contact who has written before, from the address that they wrote to.
    """
    from actors import people

    chosen = _template(template, variable or [])
    try:
        if sender is None:
            found = _find(contact)
            to, who = found.contact, by or getpass.getuser()
            with recorded("answer by hand", found.message_id):
                people.say(found.conversation, text, by=who, key=key, takes_over=take, template=chosen)
        else:
            to = contact
            about = _first_contact(contact, sender)
            with recorded("write first", sender):
                people.write_first(about, text, by=by or getpass.getuser(), once=key, template=chosen)
    except (people.OptedOutContact, people.KeyTaken, ValueError) as error:
        raise failed(str(error)) from error
    installed(conversations=True).broker.close()
    out.print(f"It is in the queue, and goes to {to}.", markup=False)


def _template(sid: str | None, variables: list[str]) -> Template | None:
    from actors.reply import Template

    if sid is None:
        if variables:
            raise failed("--var is of a template: name one with --template.")
        return None
    pairs = [each.partition("=") for each in variables]
    if not all(is_named for _, is_named, _ in pairs):
        raise failed("--var is name=text, such as --var 1=Bia.")
    return Template(sid, {name: text for name, _, text in pairs})


def _first_contact(contact: str, sender: str) -> ConversationKey:
    """Name the conversation in which a contact is written to first.

    The account is that of the address, where contacts have written to it, and else that of the settings.
    """
    from actors.keys import ConversationKey

    services = installed()
    known = services.conversations.reader.addresses()
    account = next(
        (own.account for own in known if own.address == sender), services.settings.twilio_account_sid
    )
    if account is None:
        addresses = ", ".join(own.address for own in known) or "none yet"
        raise failed(f"{sender} is no address of yours that is known ({addresses}): set TWILIO_ACCOUNT_SID.")
    if sender.partition(":")[1] != contact.partition(":")[1]:
        raise failed(
            f"{contact} and {sender} are in different networks: write both with whatsapp:, or neither."
        )
    return ConversationKey(account, sender, contact)


def decide(
    reply_id: Annotated[str, typer.Argument(help="The reply's id, as `recado attention` shows it.")],
    what: Annotated[
        Literal["again", "sent"], typer.Argument(help="again: send it again. sent: it was sent, you know.")
    ],
    by: By = None,
) -> None:
    """Decide about a reply that did not get through, or perhaps did."""
    from actors import people

    services = installed(conversations=True)
    action = "send reply again" if what == "again" else "note that reply was sent"
    try:
        with recorded(action, reply_id):
            people.decide(reply_id, "pending" if what == "again" else "sent", by=by or getpass.getuser())
    except (people.Undecidable, people.OptedOutContact) as error:
        raise failed(str(error)) from error
    services.broker.close()
    out.print("It is sent again." if what == "again" else "It counts as sent.")


def attention(limit: int = 50, as_json: AsJson = False) -> None:
    """List what waits for a person: customers, replies that did not get through, messages not answered."""
    from .tables import attention_table

    reader = installed(conversations=True).conversations.reader
    waiting = [each for each in reader.conversations(mode="person", limit=limit) if each.author == "contact"]
    found = reader.attention(limit=limit)
    if as_json:
        print_json({"waiting": [each._asdict() for each in waiting], "entries": [e._asdict() for e in found]})
    elif waiting or found:
        out.print(attention_table(waiting, found))
    else:
        out.print("Nobody waits for a person.")


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
