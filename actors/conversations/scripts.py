"""Every script the Redis conversation store runs, named. They are in lua/, one file each."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from brokers.redis import scripts

from ..reply import OWED, REPLY_STATES


def _rules() -> str:
    """Write the rules of a reply's states as two Lua tables: which are owed, and which may follow which."""
    owed = ", ".join(f"{state} = true" for state in OWED)
    follows = ", ".join(
        f"{state} = {{{', '.join(f'{before} = true' for before in rule.follows)}}}"
        for state, rule in REPLY_STATES.items()
    )
    return f"local OWED = {{{owed}}}\nlocal FOLLOWS = {{{follows}}}\n"


_load = partial(scripts.load, directory=Path(__file__).with_name("lua"), rules=_rules())

ANSWER = _load("show", "answer")
ANSWERS_SINCE = _load("answers_since")
APPEND = _load("append")
BEGIN_SENDING = _load("show", "begin_sending")
CONVERSATION_OF = _load("conversation_of")
FIND_CONVERSATIONS = _load("find_conversations")
HAND_BACK = _load("hand_back")
HOLD = _load("hold")
IS_KNOWN = _load("is_known")
MODE = _load("mode")
NEXT_TO_SEND = _load("show", "next_to_send")
RECORD_DELIVERY = _load("sent", "record_delivery")
RECORD_FAILURE = _load("record_failure")
RECORD_SENT = _load("sent", "record_sent")
RELEASE = _load("release")
REPLY = _load("show", "reply")
QUARANTINE = _load("quarantine")
SET_MODE = _load("set_mode")
SUMMARIES = _load("summaries")
TEXT_OF = _load("text_of")
THREAD = _load("thread")
TURN = _load("utterance", "turn")
UNANSWERED = _load("utterance", "unanswered")
WRITE = _load("show", "write")
