"""Several namespaces that are used as one, so that a cluster can have them on several nodes."""

from __future__ import annotations

import binascii
import itertools
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from ..errors import EngineError, NotDurable
from . import scripts
from .commands import Command
from .database import Database
from .scripts import name_of

T = TypeVar("T")

#: What lua/shards.lua answers where a number was never noted, and something is kept.
KEPT = "kept"

#: How many slots a cluster has. Each node has some of them, and what is in braces in a key says which is its.
SLOTS = 16_384


def namespaces(namespace: str, count: int) -> list[str]:
    """Return the namespaces of the shards. They never change: what is stored is found by them.

    Each is in another part of the slots, as a cluster of so many nodes divides them when it is made. No other
    namespace has such a name: none may have a slash in it.
    """
    names, parts = [namespace], {_part(namespace, count)}
    for number in range(1, count):
        part = min(set(range(count)) - parts)
        spellings = (f"{namespace}/{number}.{spelling}" for spelling in itertools.count())
        names.append(next(name for name in spellings if _part(name, count) == part))
        parts.add(part)
    return names


def _part(namespace: str, count: int) -> int:
    """In which of so many equal parts of the slots the keys of a namespace are.

    https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#key-distribution-model
    """
    return binascii.crc_hqx(namespace.encode(), 0) % SLOTS * count // SLOTS


def shard_of(name: str, count: int) -> int:
    """Return which of so many shards something is in. It never changes: what is stored is found by it.

    Parameters:
      name: an id, or a key. Lone surrogates are allowed.
      count: how many shards there are.
    """
    return zlib.crc32(name.encode(errors="surrogatepass")) % count


def agree(members: Sequence[Database], *, is_sure: bool = False) -> None:
    """See that all processes spread things over the same shards. The first decides, and each shard notes it.

    Parameters:
      members: the shards of this process, the first one first.
      is_sure: they agreed before. What a server has lost since is noted again.

    Raises:
      NotDurable: what is kept there is spread over another number.
      EngineError: none of them answers.
    """
    count = len(members)
    noted: dict[int, str] = {}
    errors: list[EngineError] = []
    for number, member in enumerate(members):
        try:
            noted[number] = member.ask(Command(scripts.SHARDS, ("",), read=name_of))
        except EngineError as error:
            errors.append(error)
    if not noted:
        raise errors[0]
    told = {each for each in noted.values() if each.isdecimal()}
    if not told and noted.get(0) == KEPT and not is_sure:
        told = {"1"}  # earlier versions noted nothing
    if told and told != {str(count)}:
        raise NotDurable(
            f"What is kept under {members[0].base} is spread over {min(told)} shard(s), and this process was "
            f"told of {count} (REDIS_SHARDS). Set it to {min(told)}. To spread it otherwise, begin "
            "anew under another REDIS_NAMESPACE, and let workers with these settings finish what waits here."
        )
    for number, each in noted.items():
        if count > 1 and not each.isdecimal():
            members[number].ask(Command(scripts.SHARDS, (count,), read=name_of))


def first_answer(asks: Iterable[Callable[[], T | None]]) -> T | None:
    """Return the first answer that is one; None where nobody has any.

    Raises:
      EngineError: nobody has any of those that answer.
    """
    errors: list[EngineError] = []
    for ask in asks:
        try:
            answer = ask()
        except EngineError as error:
            errors.append(error)
        else:
            if answer is not None:
                return answer
    if errors:
        raise errors[0]
    return None
