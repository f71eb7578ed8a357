"""A folder of attachments."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

#: The end of a file's name while it is being written, and how long that can take at most, in seconds.
PART, PART_S = ".part", 3_600.0

#: The end of the others. Nothing else in the folder is touched.
WHOLE = ".media"


class KeptFile(NamedTuple):
    """The file of an attachment, and its size in bytes."""

    path: Path
    size: int


class MediaFolder:
    """Keeps attachments in files of their own, for a time.

    A file's name is made of a hash of the message's id, and the attachment's place in the message. So it says
    nothing of the contact, and nothing that a contact chose is in it.

    Parameters:
      path: the folder; created when missing, for its owner alone.
      retention_s: how long a file is kept, in seconds.
      clock: seconds since the epoch.
    """

    def __init__(self, path: Path, *, retention_s: float, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._retention_s = retention_s
        self._clock = clock

    def find(self, message_id: str, number: int) -> KeptFile | None:
        """Return the file of an attachment; None when it is not kept.

        Parameters:
          message_id: the id of its message.
          number: its place among the message's attachments, from 0.
        """
        path = self._file(message_id, number)
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            return None
        return KeptFile(path, size) if size else None  # a power cut may leave an empty one

    @contextmanager
    def adding(self, message_id: str, number: int) -> Iterator[tuple[Path, Path]]:
        """Give the name under which to write an attachment's file, and the one that it has afterwards."""
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        whole = self._file(message_id, number)
        part = whole.with_name(f"{whole.stem}-{secrets.token_hex(4)}{PART}")
        try:
            yield part, whole
            part.replace(whole)
        finally:
            part.unlink(missing_ok=True)

    def files_of(self, message_id: str) -> list[Path]:
        """Return the attachments that are kept of a message."""
        return list(self._path.glob(f"{_hashed(message_id)}-*"))

    def delete(self, message_id: str) -> int:
        """Delete the attachments of a message; return how many there were."""
        paths = self.files_of(message_id)
        for path in paths:
            path.unlink(missing_ok=True)
        return len(paths)

    def sweep(self) -> int:
        """Delete what was kept for its time, and what a process left half written; return how many files."""
        old = [
            path
            for ending, kept_s in ((WHOLE, self._retention_s), (PART, PART_S))
            for path in self._path.glob(f"*{ending}")
            if self._age_s(path) > kept_s
        ]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)

    def _age_s(self, path: Path) -> float:
        try:
            return self._clock() - path.stat().st_mtime
        except FileNotFoundError:  # another process sweeps, too
            return 0.0

    def _file(self, message_id: str, number: int) -> Path:
        return self._path / f"{_hashed(message_id)}-{number}{WHOLE}"


def _hashed(message_id: str) -> str:
    return hashlib.sha256(message_id.encode(errors="surrogatepass")).hexdigest()[:40]
