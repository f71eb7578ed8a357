"""What happens to open handles when a process forks.

A SQLite connection used after fork corrupts its database, and a lock file inherited by a child keeps
looking alive after its owner died. So whoever holds such things registers here, and in a child they are
abandoned: not closed, which would touch the parent's, but forgotten, and opened anew when next needed.
"""

from __future__ import annotations

import functools
import os
import weakref
from typing import Any, Protocol


class Forkable(Protocol):
    """Holds things that must not be used after a fork."""

    def abandon(self) -> None:
        """Called in the child, before anything else runs there: forget every inherited handle."""
        ...


_forkables: weakref.WeakSet[Any] = weakref.WeakSet()


def abandon_in_children(holder: Forkable) -> None:
    """Have `holder.abandon()` called in every process forked from now on."""
    _register()
    _forkables.add(holder)


@functools.cache
def _register() -> None:
    os.register_at_fork(after_in_child=_abandon_all)


def _abandon_all() -> None:
    for holder in list(_forkables):
        holder.abandon()
