"""Deletes attachments that were kept for their time."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

import structlog

from .folder import MediaFolder
from .library import TEMPORARY

logger = structlog.get_logger(__name__)

#: A directory for attachments that are not kept was left over by a crash when it is older than this, in
#: seconds.
LEFT_OVER_S = 86_400.0


def sweep(folder: MediaFolder | None) -> None:
    """Delete what is due now, and what crashes left over.

    Parameters:
      folder: where attachments are kept; None where they are not.

    Raises:
      OSError: what is due cannot be deleted.
    """
    for path in Path(tempfile.gettempdir()).glob(f"{TEMPORARY}*"):
        if _is_left_over(path):
            shutil.rmtree(path, ignore_errors=True)  # another user's cannot be deleted, and need not be
    if folder is not None and (deleted := folder.sweep()):
        logger.info("attachments deleted: they were kept for their time", files=deleted)


def _is_left_over(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > LEFT_OVER_S
    except FileNotFoundError:  # deleted meanwhile
        return False
