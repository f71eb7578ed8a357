"""Translates texts that are kept, or made, in English by parts of Recado that know no other language.

The rules of replies, the errors of channels, the audit log and so on hold English texts, for the command line
and the API as well. What such a text can be is listed here: as it is, or with places in braces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from string import Formatter
from typing import NamedTuple, get_args

from actors import budget, keywords, limits, opt_outs, people, reconciling, sending
from actors.channels.twilio import errors
from actors.channels.twilio.delivery import RANK
from actors.conversation import Mode
from actors.conversations import search
from actors.privacy import queue_place, report
from actors.reply import REPLY_STATES, ReplyState
from brokers.records import Reason, State

from .catalogue import plain
from .languages import ENGLISH, current

#: Actions, by their names in the audit log.
ACTIONS = (
    "answer by hand",
    "change password",
    "delete note",
    "delete user",
    "discard dead letter",
    "discard dead letters",
    "dismiss",
    "erase person",
    "export person",
    "hand back conversation",
    "kill worker",
    "note",
    "note as sent",
    "note that reply was sent",
    "pause queue",
    "replay dead letter",
    "replay dead letters",
    "resume queue",
    "reveal conversation",
    "reveal message",
    "revoke token",
    "send again",
    "send reply again",
    "sign in",
    "take over conversation",
    "try a message",
    "write first",
)

#: How an action ended; the roles of users, and the names of those who have none of their own.
OUTCOMES = ("begun", "done", "stopped", "failed")
ROLES = ("reader", "agent", "operator", "admin", "viewer", "local")

#: What became of a webhook, as pages write it.
WEBHOOKS = (
    "accepted",
    "bad signature",
    "broken",
    "disconnected",
    "incomplete",
    "malformed",
    "status callback",
    "too large",
    "unavailable",
    "wrong address",
)

#: Where something of a person is kept.
PLACES = ("conversations", "media", "outbox", "queue", "spool", "audit")

#: The states of processes. They have a context of their own: a message that is ready is another thing.
PROCESS = "process"
PROCESS_STATES = ("starting", "unready", "ready", "draining", "waiting", "failed", "running", "stopping")

#: Texts with places in braces, and those that stand alone.
TEXTS = (
    budget.OVER_BUDGET,
    keywords.ASKED_FOR,
    opt_outs.OPTED_OUT,
    limits.SAME_TEXT,
    limits.TOO_FAST,
    limits.TOO_MANY_REPLIES,
    limits.TOO_MANY_TOKENS,
    people.TAKEN_OVER,
    people.OPTED_OUT_ERROR,
    people.KEY_TAKEN_ERROR,
    people.NO_REPLY,
    people.NOTHING_TO_DECIDE,
    people.EMPTY_TEXT,
    people.LONG_TEXT,
    people.BROKEN_TEXT,
    sending.GIVEN_UP,
    reconciling.NOT_FOUND,
    sending.WORKER_DIED,
    errors.WINDOW_IS_CLOSED,
    errors.NO_ANSWER,
    errors.REFUSAL,
    errors.EXPLAINED,
    errors.UNEXPLAINED,
    search.ONLY_LATEST,
    search.NOT_YET_ALL,
    report.RUNNING,
    queue_place.CANNOT_LOOK,
    "create token ({role})",
    "create user ({role})",
    "change role ({role})",
    # Which dead letters an action was about.
    "all",
    "queue {name}",
    "actor {name}",
    "reason {words}",
    "with a text",
    "by time",
    "{count} that were picked",
)

#: The places of which the text is translated too.
_OF_WORDS = frozenset({"words"})


def all_texts() -> Iterator[str]:
    """Yield every text that may have to be translated, but the states of processes."""
    yield from (*ACTIONS, *OUTCOMES, *ROLES, *WEBHOOKS, *PLACES, *TEXTS)
    yield from (rule.label for rule in REPLY_STATES.values())
    yield from (*get_args(ReplyState), *get_args(Mode), *get_args(State), *RANK)
    yield from (reason.replace("_", " ") for reason in get_args(Reason))
    yield from (error.words for error in errors.ERRORS.values())


def translated(text: str, context: str = "") -> str:
    """Translate a text that Recado made elsewhere; return any other as it is.

    Parameters:
      text: the text.
      context: `process` for the state of one.
    """
    if not text or current() is ENGLISH:
        return text
    if context:
        return plain(text, context)
    if text in _fixed():
        return plain(text)
    for pattern in _patterns():
        if (found := pattern.form.fullmatch(text)) is not None:
            return plain(pattern.text).format(**dict(_values(found.groupdict())))
    return text


def translated_parts(text: str) -> str:
    """Translate a list of things, which commas separate."""
    return ", ".join(translated(part) for part in text.split(", "))


class _Pattern(NamedTuple):
    text: str
    form: re.Pattern[str]


@cache
def _fixed() -> frozenset[str]:
    return frozenset(text for text in all_texts() if "{" not in text)


@cache
def _patterns() -> tuple[_Pattern, ...]:
    return tuple(_Pattern(text, _form(text)) for text in TEXTS if "{" in text)


def _form(text: str) -> re.Pattern[str]:
    """Return what a text looks like when its places are filled."""
    parts = (
        re.escape(literal) + ("" if name is None else f"(?P<{name}>.+)")
        for literal, name, _, _ in Formatter().parse(text)
    )
    return re.compile("".join(parts), re.DOTALL)


def _values(found: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in found.items():
        if name in _OF_WORDS:
            yield name, translated(value)
        else:
            yield name, current().number(value) if re.fullmatch(r"[0-9]{1,3}(,[0-9]{3})+", value) else value
