"""Keeping open handles and forks apart.

A child inherits the memory of its parent, but only one of its threads. What another thread was in the midst
of stays as it was at that moment, for ever: a mutex of a C library locked, a transaction half done. And a
lock on a file that the child inherits looks held for as long as the child lives; or, with SQLite's locks, it
looks held and is not. Therefore three things happen around each fork:

1. The forking thread takes `opening` and the `in_use` lock of every handle that waits for forks. So no other
   thread is inside the library, or has a new handle that nothing knows yet, at the moment of the fork.
2. The parent lets go of these locks.
3. In the child every registered holder abandons what it inherited, and opens it anew when next needed.
"""

from __future__ import annotations

import functools
import logging
import os
import threading
import time
import weakref
from typing import Any, Protocol

from .errors import EngineError

logger = logging.getLogger(__name__)

#: How long a fork waits for other threads, in seconds. A thread that takes longer is stuck with its disk.
PATIENCE_S = 10.0

#: Held while a handle is opened or closed, so that a fork finds it either open and known, or not there. It is
#: taken before any `in_use` lock, and never after one: the forking thread takes them in that order.
opening = threading.RLock()


class Forkable(Protocol):
    """Holds things that must not be used after a fork."""

    def abandon(self) -> None:
        """Forget every inherited handle. Called in the child, before anything else runs there."""
        ...


class Handle(Forkable, Protocol):
    """A handle of a C library, in which no thread may be while its process forks.

    Attributes:
      in_use: held by the thread that is inside. It is reentrant: a thread that forks between two of its calls
        is not inside.
    """

    in_use: Any


class _Fork:
    """The fork that is going on, and what it came to in this process.

    Attributes:
      taken: the locks that the forking thread holds.
      missed: whether it did not get them all in time.
      unsafe: why handles of the library cannot be used in this process; None where they can.
    """

    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.missed = False
        self.unsafe: str | None = None


_forkables: weakref.WeakSet[Any] = weakref.WeakSet()
_handles: weakref.WeakSet[Any] = weakref.WeakSet()
_fork = _Fork()


def abandon_in_children(holder: Forkable) -> None:
    """Have `holder.abandon()` called in every process forked from now on."""
    _register()
    _forkables.add(holder)


def wait_in_forks_for(handle: Handle) -> None:
    """Have forks wait for `handle.in_use`, and `handle.abandon()` called in the child before all others.

    The caller holds `opening`, and has since before it opened the handle.
    """
    _register()
    _handles.add(handle)


def forget_in_forks(handle: Handle) -> None:
    """Take back `wait_in_forks_for`: the handle is closed. The caller holds `opening`."""
    _handles.discard(handle)


def open_handles() -> list[Any]:
    """The handles that forks wait for."""
    with opening:
        return list(_handles)


def closed(fd: int) -> int:
    """Close a file descriptor, unless it is closed already; return what stands for a closed one.

    The caller holds `opening`, so that no child inherits a number that means another file by then.
    """
    if fd >= 0:
        os.close(fd)
    return -1


def refuse_if_unsafe() -> None:
    """Raise where handles of the library cannot be used since the last fork.

    Raises:
      EngineError: with the reason. Only a new process can mend that.
    """
    if _fork.unsafe is not None:
        raise EngineError(f"This process cannot use SQLite: {_fork.unsafe}. Start it again.")


@functools.cache
def _register() -> None:
    os.register_at_fork(before=_wait, after_in_parent=_let_go, after_in_child=_abandon_all)


def _wait() -> None:
    deadline = time.monotonic() + PATIENCE_S
    _fork.missed = not _take(opening, deadline)
    for handle in list(_handles):
        _fork.missed |= not _take(handle.in_use, deadline)


def _take(lock: Any, deadline: float) -> bool:
    is_taken: bool = lock.acquire(timeout=max(0.0, deadline - time.monotonic()))
    if is_taken:
        _fork.taken.append(lock)
    return is_taken


def _let_go() -> None:
    while _fork.taken:
        _fork.taken.pop().release()


def _abandon_all() -> None:
    _let_go()
    opening._at_fork_reinit()  # type: ignore[attr-defined]  # its owner may be a thread that is not here
    if _fork.missed:
        # Mutexes of the library may be locked by a thread that is not here: it is not entered again.
        _fork.unsafe = f"at the fork, a thread of its parent had waited {PATIENCE_S:g} s for the disk"
    else:
        for handle in list(_handles):
            _abandon(handle)
    for holder in list(_forkables):
        _abandon(holder)


def _abandon(holder: Forkable) -> None:
    try:
        holder.abandon()
    except Exception as error:  # whatever it was, the child may still share a lock with its parent
        logger.exception("An inherited handle could not be closed")
        _fork.unsafe = f"what it inherited could not be closed ({type(error).__name__}: {error})"
