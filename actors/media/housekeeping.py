"""Deletes attachments that were kept for their time."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import structlog
from dramatiq import Broker, Middleware, Worker

from .folder import MediaFolder
from .library import TEMPORARY

logger = structlog.get_logger(__name__)

#: How often, in seconds.
EVERY_S = 3_600.0

#: A directory for attachments that are not kept was left over by a crash when it is older than this, in
#: seconds.
LEFT_OVER_S = 86_400.0


class MediaHousekeeping(Middleware):
    """Has a worker delete attachments whose time is over, when it starts and every hour.

    Parameters:
      folder: returns where they are kept, None where they are not.
    """

    def __init__(self, folder: Callable[[], MediaFolder | None]) -> None:
        self._folder = folder
        self._stopping = threading.Event()

    def after_worker_boot(self, broker: Broker, worker: Worker) -> None:  # noqa: ARG002
        self._stopping.clear()
        threading.Thread(target=self._run, name="recado-media", daemon=True).start()

    def before_worker_shutdown(self, broker: Broker, worker: Worker) -> None:  # noqa: ARG002
        self._stopping.set()

    def _run(self) -> None:
        while True:
            self.sweep()
            if self._stopping.wait(EVERY_S):
                return

    def sweep(self) -> None:
        """Delete what is due now."""
        folder = self._folder()
        try:
            if folder is not None and (deleted := folder.sweep()):
                logger.info("attachments deleted: they were kept for their time", files=deleted)
        except OSError as error:
            logger.warning(
                "attachments that were kept for their time cannot be deleted: the next try is in an hour",
                why=str(error),
            )
        for path in Path(tempfile.gettempdir()).glob(f"{TEMPORARY}*"):
            if _is_left_over(path):
                shutil.rmtree(path, ignore_errors=True)  # another user's cannot be deleted, and need not be


def _is_left_over(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > LEFT_OVER_S
    except FileNotFoundError:  # deleted meanwhile
        return False
