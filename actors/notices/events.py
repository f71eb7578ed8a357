"""Which events people are told of, in one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

EventName = Literal[
    "not_working",
    "working_again",
    "webhooks_refused",
    "person_asked_for",
    "handed_over",
    "limit_reached",
    "no_answer",
    "reply_failed",
    "reply_unknown",
    "reply_undelivered",
    "budget_nearly_used",
    "budget_used_up",
]


class EventRule(NamedTuple):
    """What people are told of an event.

    Attributes:
      title: the headline, where nothing else is in the notice, and the heading where something is.
      text: what follows from it, below the heading.
      waits: it is told when quiet hours are over. What does not wait will not mend itself by then, and keeps
        every customer from an answer.
    """

    title: str
    text: str
    waits: bool = True


#: In the order in which a notice tells them.
EVENTS: Mapping[EventName, EventRule] = {
    "not_working": EventRule(
        "Recado does not work", "Customers get no answer until this is mended.", waits=False
    ),
    "working_again": EventRule("Recado works again", "What waited is answered now.", waits=False),
    "webhooks_refused": EventRule(
        "Webhooks are refused",
        "What customers write does not come in. If the signature is wrong, somebody tries, or "
        "TWILIO_AUTH_TOKEN or PUBLIC_BASE_URL is not Twilio's.",
        waits=False,
    ),
    "budget_used_up": EventRule(
        "The budget of the day is used up",
        "The assistant is silent until tomorrow, in UTC: those who write wait for a person.",
        waits=False,
    ),
    "budget_nearly_used": EventRule(
        "The budget of the day is nearly used up", "Then the assistant is silent until tomorrow, in UTC."
    ),
    "person_asked_for": EventRule("A customer asks for a person", "The assistant is silent there."),
    "handed_over": EventRule("The assistant hands over to a person", "The assistant is silent there."),
    "limit_reached": EventRule(
        "A customer reached a limit", "The assistant is silent there: a person is needed."
    ),
    "no_answer": EventRule(
        "No answer could be produced",
        "The message is a dead letter: replay it when the cause is mended, or answer by hand.",
        waits=False,
    ),
    "reply_failed": EventRule(
        "A reply could not be sent", "It is a dead letter: replay it when the cause is mended."
    ),
    "reply_unknown": EventRule(
        "A reply was perhaps sent", "It cannot be found, and is not sent again by itself: a person decides."
    ),
    "reply_undelivered": EventRule("A reply did not reach its customer", "The channel accepted it before."),
}
