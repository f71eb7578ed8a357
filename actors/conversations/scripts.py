"""Every script the Redis conversation store runs, named. They are in lua/, one file each."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from brokers.redis import scripts

_load = partial(scripts.load, directory=Path(__file__).with_name("lua"))

ANSWER = _load("show", "answer")
APPEND = _load("append")
BEGIN_SENDING = _load("show", "begin_sending")
CONVERSATION_OF = _load("conversation_of")
FIND_CONVERSATIONS = _load("find_conversations")
HOLD = _load("hold")
KNOWS_SID = _load("knows_sid")
NEXT_TO_SEND = _load("show", "next_to_send")
RECORD_DELIVERY = _load("sent", "record_delivery")
RECORD_FAILURE = _load("record_failure")
RECORD_SENT = _load("sent", "record_sent")
RELEASE = _load("release")
REPLY = _load("show", "reply")
SET_ASIDE = _load("set_aside")
SUMMARIES = _load("summaries")
THREAD = _load("thread")
TURN = _load("turn")
UNANSWERED = _load("unanswered")
