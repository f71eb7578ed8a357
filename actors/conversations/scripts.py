"""Every script the Redis conversation store runs, named. They are in lua/, one file each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

from brokers.redis import scripts

from ..reply import ACCEPTED, OWED, REPLY_STATES, WANTS_ATTENTION


def _rules() -> str:
    """Write the rules of a reply's states as Lua tables."""
    tables = {
        "OWED": _table(OWED),
        "ACCEPTED": _table(ACCEPTED),
        "WANTS_ATTENTION": _table(WANTS_ATTENTION),
        "FOLLOWS": _tables({state: rule.follows for state, rule in REPLY_STATES.items()}),
        "BY_HAND": _tables({state: rule.by_hand for state, rule in REPLY_STATES.items()}),
    }
    return "".join(f"local {name} = {table}\n" for name, table in tables.items())


def _table(states: Iterable[str]) -> str:
    return "{" + ", ".join(f"{state} = true" for state in states) + "}"


def _tables(states: Mapping[str, Iterable[str]]) -> str:
    return "{" + ", ".join(f"{name} = {_table(each)}" for name, each in states.items()) + "}"


_load = partial(scripts.load, directory=Path(__file__).with_name("lua"), rules=_rules())

ADDRESSES = _load("addresses")
ANSWER = _load("show", "answer")
ANSWERS_SINCE = _load("answers_since")
APPEND = _load("append")
ATTENTION = _load("attention")
BEGIN = _load("begin")
BEGIN_SENDING = _load("show", "begin_sending")
CONVERSATION_OF = _load("conversation_of")
DECIDE = _load("show", "decide")
DESCRIBE = _load("describe")
DISMISS = _load("dismiss")
BEGIN_HOUSEKEEPING = _load("begin_housekeeping")
ERASE = _load("erase")
FIND_CONVERSATIONS = _load("find_conversations")
HAND_BACK = _load("hand_back")
HOLD = _load("hold")
IS_KNOWN = _load("is_known")
KEEP_HOUSE = _load("keep_house")
KEPT = _load("kept")
KEYS = _load("keys")
MODE = _load("mode")
NEXT_TO_SEND = _load("show", "next_to_send")
PACE = _load("pace")
PAYLOADS = _load("payloads")
NOTICES_GIVE_BACK = _load("notices_give_back")
NOTICES_NOTE = _load("notices_note")
NOTICES_SETTLE = _load("notices_settle")
NOTICES_STANDING = _load("notices_standing")
NOTICES_TAKE = _load("notices_take")
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
