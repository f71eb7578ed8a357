"""Every script the Redis conversation store runs, named. They are in lua/, one file each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

from brokers.redis import scripts

from ..reply import ACCEPTED, OWED, REPLY_STATES, WANTS_ATTENTION
from .delivery_checks import LONGEST_OPEN_MS
from .shared_calls import MOST_PAUSED_MS
from .usage import SUMS_KEPT_DAYS, Sums


def _rules() -> str:
    """Write the rules of a reply's states, and what is counted, as Lua tables."""
    tables = {
        "OWED": _table(OWED),
        "ACCEPTED": _table(ACCEPTED),
        "WANTS_ATTENTION": _table(WANTS_ATTENTION),
        "FOLLOWS": _tables({state: rule.follows for state, rule in REPLY_STATES.items()}),
        "BY_HAND": _tables({state: rule.by_hand for state, rule in REPLY_STATES.items()}),
        "SUMS": "{" + ", ".join(f"'{name}'" for name in Sums._fields) + "}",
        "SUMS_KEPT_DAYS": str(SUMS_KEPT_DAYS),
        "MOST_PAUSED_MS": str(MOST_PAUSED_MS),
        "LONGEST_OPEN_MS": str(LONGEST_OPEN_MS),
    }
    return "".join(f"local {name} = {table}\n" for name, table in tables.items())


def _table(states: Iterable[str]) -> str:
    return "{" + ", ".join(f"{state} = true" for state in states) + "}"


def _tables(states: Mapping[str, Iterable[str]]) -> str:
    return "{" + ", ".join(f"{name} = {_table(each)}" for name, each in states.items()) + "}"


_load = partial(scripts.load, directory=Path(__file__).with_name("lua"), rules=_rules())

ADD_NOTE = _load("add_note")
ADDRESSES = _load("addresses")
ANSWER = _load("show", "usage", "holding", "answer")
ANSWERS_SINCE = _load("answers_since")
APPEND = _load("holding", "append")
ATTENTION = _load("attention")
ATTENTION_CONVERSATIONS = _load("attention_conversations")
BEGIN = _load("begin")
BEGIN_DELIVERY_CHECK = _load("begin_delivery_check")
BEGIN_SENDING = _load("show", "begin_sending")
CLOSE_OPEN = _load("close_open")
CLAIM_CONTACT = _load("claim_contact")
CONVERSATION_OF = _load("conversation_of")
DECIDE = _load("show", "usage", "decide")
DELETE_NOTE = _load("delete_note")
DESCRIBE = _load("describe")
DISCLAIM_CONTACT = _load("disclaim_contact")
DISMISS = _load("dismiss")
BEGIN_HOUSEKEEPING = _load("begin_housekeeping")
END_CALL = _load("end_call")
ERASE = _load("erase")
FACTS = _load("facts")
FIND_CONTACTS = _load("find_contacts")
FIND_CONVERSATIONS = _load("find_conversations")
FINISH = _load("holding", "finish")
HAND_BACK = _load("hand_back")
HOLD = _load("holding", "hold")
INDEX_NOBODY = _load("index_nobody")
IS_KNOWN = _load("is_known")
KEEP_HOUSE = _load("keep_house")
KEPT = _load("usage", "kept")
KEYS = _load("keys")
KNOWN_AS = _load("known_as")
MODE = _load("mode")
OPT_OUT = _load("opt_out")
MODEL_CALL = _load("model_call")
NEXT_TO_SEND = _load("holding", "next_to_send")
OTHER_NAMES = _load("other_names")
PACE = _load("pace")
PAUSE_CALLS = _load("pause_calls")
PAYLOADS = _load("payloads")
NOTICES_GIVE_BACK = _load("notices_give_back")
NOTICES_NOTE = _load("notices_note")
NOTICES_SETTLE = _load("notices_settle")
NOTICES_STANDING = _load("notices_standing")
NOTICES_TAKE = _load("notices_take")
PUT_BACK_OPEN = _load("put_back_open")
RECORD_DELIVERY = _load("usage", "sent", "record_delivery")
RECORD_FAILURE = _load("record_failure")
RECORD_SENT = _load("usage", "sent", "holding", "record_sent")
RELEASE = _load("release")
REPLY = _load("show", "reply")
QUARANTINE = _load("quarantine")
SAID_LATELY = _load("said_lately")
SEE = _load("see")
SET_MODE = _load("set_mode")
SUMMARIES = _load("summaries")
TAKE_CALL = _load("take_call")
TAKE_OPEN = _load("take_open")
TEXT_OF = _load("text_of")
THREAD = _load("thread")
TURN = _load("utterance", "turn")
UNANSWERED = _load("utterance", "unanswered")
USAGE_CONTACTS = _load("usage", "usage_contacts")
USAGE_DAYS = _load("usage", "usage_days")
WRITE = _load("show", "write")
