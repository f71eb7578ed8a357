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


def name_of(argument: bytes) -> str:
    """A name or an id as a text. On the server it is bytes, in UTF-8 or not; `encoded` reverses this."""
    return argument.decode(errors="surrogateescape")


def encoded(argument: Argument) -> bytes:
    """Encode an argument as the server takes it.

    Raises:
      TypeError: it is neither str, bytes nor int. A bool is refused too: no script knows what it means.
      UnicodeEncodeError: it has half a surrogate pair, and is not what `name_of` made of bytes.
    """
    if isinstance(argument, bytes):
        return argument
    if isinstance(argument, str):
        return argument.encode(errors="surrogateescape")
    if isinstance(argument, int) and not isinstance(argument, bool):
        return b"%d" % argument
    raise TypeError(f"an argument has to be str, bytes or int, and is {type(argument).__name__}")


def new_call() -> str:
    """A name for one call, by which the server knows it when it is repeated."""
    return secrets.token_hex(8)


def load(*names: str, directory: Path = DIRECTORY, rules: str = "") -> Script:
    """Make a script of these files in order, after what all scripts share and what all of their directory do.

    Parameters:
      names: the files, without their ending.
      directory: where they are.
      rules: Lua that they all may use: rules of the product that are data in Python.
    """
    files = [DIRECTORY / "base.lua", *(directory / f"{name}.lua" for name in ("common", *names))]
    base, *others = (file.read_text() for file in files)
    text = "\n".join((base, rules, *others) if rules else (base, *others))
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
JUDGE = load("judge")
LEAVE = load("leave")
LIST = load("show", "list")
NACK = load("nack")
NOTHING = load("nothing")
NOW = load("now")
RELEASE = load("release")
REMOVE = load("remove")
REPLAY = load("store", "replay")
ORPHANS = load("orphans")
PAUSE = load("pause")
REPORT_DEATH = load("report_death")
RETRY = load("retry")
SHARDS = load("shards")
SHOW_DEAD = load("show", "show_dead")
STATS = load("stats")
UNCLAIM = load("unclaim")
