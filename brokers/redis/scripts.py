"""The engine's Lua scripts, one file each in lua/."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

DIRECTORY = Path(__file__).with_name("lua")

Argument = str | bytes | int


class Script(NamedTuple):
    """A script, and the name the server keeps it under."""

    text: str
    sha: str


class Call(NamedTuple):
    """A script, and what it is called with."""

    script: Script
    arguments: Sequence[Argument]


def new_call() -> str:
    """A name for one call, by which the server knows it when it is repeated."""
    return secrets.token_hex(8)


def load(*names: str, directory: Path = DIRECTORY) -> Script:
    """A script of these files in order, after what all scripts share, and what all of their directory do."""
    files = [DIRECTORY / "base.lua", *(directory / f"{name}.lua" for name in ("common", *names))]
    text = "\n".join(file.read_text() for file in files)
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


ACK = load("ack")
ADOPT = load("store", "adopt")
BEAT = load("beat")
CHECK = load("check")
CLAIM = load("claim")
COUNT_DEAD = load("count_dead")
DISCARD = load("discard")
ENQUEUE = load("store", "enqueue")
FIND_DEAD = load("find_dead")
FLUSH = load("flush")
GET = load("show", "get")
HOLDER_OF = load("holder_of")
LEAVE = load("leave")
LIST = load("show", "list")
NACK = load("nack")
NOTHING = load("nothing")
NOW = load("now")
PAUSE = load("pause")
RELEASE = load("release")
REMOVE = load("remove")
REPLAY = load("store", "replay")
REPORT_DEATH = load("report_death")
RETRY = load("retry")
SHOW_DEAD = load("show", "show_dead")
STATS = load("stats")
UNCLAIM = load("unclaim")
