"""Where a system call of Linux is missing, as on macOS, a portable one keeps the same promise."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from brokers.sqlite.storage import system_calls
from tests.support.without_linux import run_without_linux

#: Stores a message and runs it by a worker thread, and tells which calls were found.
ONE_MESSAGE = """
import os, sys, threading
import dramatiq
from dramatiq import Worker
import brokers
from brokers.sqlite.storage.statx import _statx_function
from brokers.sqlite.storage.system_calls import flock_function
from brokers.sqlite.storage.wal_fsync import _sync_file_range

broker = brokers.SQLiteBroker(sys.argv[1], middleware=[])
done = threading.Event()
actor = dramatiq.actor(broker=broker, actor_name="actor")(done.set)
worker = Worker(broker, worker_timeout=50, worker_threads=1)
worker.start()
actor.send()
assert done.wait(30)
worker.stop()
broker.close()
assert _statx_function() is None
assert _sync_file_range() is None
assert flock_function().__module__ == "brokers.sqlite.storage.system_calls"
assert not hasattr(os, "fdatasync")
print("done")
"""


@pytest.mark.starts_processes
def test_the_library_is_imported_without_them() -> None:
    code = "import brokers; brokers.SQLiteBroker; brokers.RedisBroker; print('imported')"
    found = run_without_linux("-c", code, timeout_s=60)
    assert (found.stdout, found.stderr) == ("imported\n", "")


@pytest.mark.starts_processes
def test_a_broker_runs_a_message_without_them(tmp_path: Path) -> None:
    found = run_without_linux("-c", ONE_MESSAGE, str(tmp_path / "queue.db"), timeout_s=60)
    assert found.stdout == "done\n", found.stderr


@pytest.mark.starts_processes
def test_lost_files_are_noticed_without_them() -> None:
    here = Path(__file__).parent
    tests = [str(here / name) for name in ("test_statx.py", "test_lost_files.py", "test_process_lock.py")]
    found = run_without_linux(
        "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *tests, timeout_s=300
    )
    assert found.returncode == 0, found.stdout[-10_000:]


class TestFullFsync:
    """On macOS only F_FULLFSYNC waits until the drive has emptied its cache."""

    NUMBER = 51

    @pytest.fixture
    def file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
        monkeypatch.setattr(system_calls, "F_FULLFSYNC", self.NUMBER)
        system_calls.sync_to_disk.cache_clear()
        fd = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
        yield fd
        os.close(fd)
        system_calls.sync_to_disk.cache_clear()

    def answer(self, monkeypatch: pytest.MonkeyPatch, code: int | None) -> list[str]:
        """Have the system answer the call so; returns which calls come."""
        calls: list[str] = []

        def full_fsync(_: int, command: int) -> int:
            assert command == self.NUMBER
            calls.append("full")
            if code is not None:
                raise OSError(code, os.strerror(code))
            return 0

        monkeypatch.setattr(fcntl, "fcntl", full_fsync)
        monkeypatch.setattr(os, "fsync", lambda _: calls.append("fsync"))
        return calls

    def test_it_is_called_where_there_is_one(self, file: int, monkeypatch: pytest.MonkeyPatch) -> None:
        calls = self.answer(monkeypatch, None)
        system_calls.sync_to_disk()(file)
        assert calls == ["full"]

    def test_a_file_system_without_it_syncs(self, file: int, monkeypatch: pytest.MonkeyPatch) -> None:
        calls = self.answer(monkeypatch, errno.ENOTSUP)
        system_calls.sync_to_disk()(file)
        assert calls == ["full", "fsync"]

    def test_a_disk_that_fails_is_told(self, file: int, monkeypatch: pytest.MonkeyPatch) -> None:
        calls = self.answer(monkeypatch, errno.EIO)
        with pytest.raises(OSError, match="Input/output"):
            system_calls.sync_to_disk()(file)
        assert calls == ["full"]
