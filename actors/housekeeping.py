"""Deletes conversations that are older than they may be kept: in workers, now and then, in one at a time."""

from __future__ import annotations

import time

import structlog

from .chores import IsStopping
from .conversations import ConversationKeeper, Deleted
from .metrics import metrics

logger = structlog.get_logger(__name__)

#: How often one of all workers looks for what is old, in seconds.
EVERY_S = 3_600.0


def keep_house(keeper: ConversationKeeper, *, is_stopping: IsStopping) -> Deleted | None:
    """Delete what is old, unless another process did within the hour; return how much, or None.

    Parameters:
      keeper: of the conversations.
      is_stopping: pauses for so many seconds; returns early, and True, when this process ends.

    Raises:
      EngineError: the store could not. The steps before are done.
    """
    if not keeper.begin_housekeeping(every_ms=int(EVERY_S * 1000)):
        return None
    total = Deleted()
    began = time.monotonic()
    for deleted in keeper.delete_old():
        total = Deleted(*(before + now for before, now in zip(total, deleted, strict=True)))
        for what, count in deleted._asdict().items():
            metrics().retention_deleted.labels(what).inc(count)
        # As long as the step took: other threads and processes need the same lock, and go first.
        if is_stopping(time.monotonic() - began):
            break
        began = time.monotonic()
    if any(total):
        logger.info(
            "old conversations deleted: CONVERSATIONS_RETENTION_DAYS is over for them", **total._asdict()
        )
    return total
