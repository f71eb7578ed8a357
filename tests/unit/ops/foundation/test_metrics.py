"""What processes count is kept by slot, outlives them, and does not pile up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ops.foundation.metrics import Machine, MetricsSlot
from ops.foundation.settings import SettingsError

pytestmark = pytest.mark.starts_processes


#: A process that counts, says its slot, and lives until it is told otherwise.
COUNTS = """
import sys
from pathlib import Path
from ops.foundation.metrics import keep_metrics_in, slot_number
import prometheus_client
keep_metrics_in(Path(sys.argv[1]))
counter = prometheus_client.Counter("things_total", "Things.")
alive = prometheus_client.Gauge("alive", "Alive.", multiprocess_mode="livesum")
counter.inc()
alive.set(1)
print(slot_number(), flush=True)
sys.stdin.read()
"""

#: The same a thousand times over, each in a process of its own that is killed in the middle.
THOUSAND = """
import os, signal, sys
from pathlib import Path
from ops.foundation.metrics import keep_metrics_in
from prometheus_client import Counter, Gauge
keep_metrics_in(Path(sys.argv[1]))
counter = Counter("things_total", "Things.", ["kind"])
alive = Gauge("alive", "Alive.", ["kind"], multiprocess_mode="livesum")
for _ in range(int(sys.argv[2])):
    child = os.fork()
    if not child:
        counter.labels("a").inc()
        alive.labels("a").set(1)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
"""


def value(directory: Path, sample: str) -> float | None:
    """A sample of the machine's page; None when it has none."""
    found = [
        each.value
        for metric in Machine(directory).collect()
        for each in metric.samples
        if each.name == sample
    ]
    return sum(found) if found else None


@pytest.fixture
def start() -> Callable[[Path], subprocess.Popen[str]]:
    def start(directory: Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", COUNTS, str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    return start


def slot_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_living_processes_never_share_a_slot_and_the_dead_leave_theirs(
    tmp_path: Path, start: Callable[[Path], subprocess.Popen[str]]
) -> None:
    with start(tmp_path) as first, start(tmp_path) as second:
        assert {slot_of(first), slot_of(second)} == {"1", "2"}
        assert value(tmp_path, "things_total") == 2
        assert value(tmp_path, "alive") == 2

        first.send_signal(signal.SIGKILL)
        first.wait()
        assert value(tmp_path, "things_total") == 2
        assert value(tmp_path, "alive") == 1

        with start(tmp_path) as third:
            assert slot_of(third) not in {"3", ""}
            assert value(tmp_path, "things_total") == 3
            assert value(tmp_path, "alive") == 2
            third.kill()
        second.kill()
    assert value(tmp_path, "alive") is None


def test_a_thousand_restarts_leave_no_more_files_than_one_and_every_count(tmp_path: Path) -> None:
    def run(times: int) -> list[str]:
        subprocess.run([sys.executable, "-c", THOUSAND, str(tmp_path), str(times)], check=True)
        assert value(tmp_path, "alive") is None
        return sorted(path.name for path in tmp_path.iterdir())

    files = run(1)
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert run(1_000) == files
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) == size
    assert value(tmp_path, "things_total") == 1_001


def test_a_directory_that_cannot_be_written_is_a_wrong_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = subprocess.run(
        [sys.executable, "-c", COUNTS, str(tmp_path / "file" / "metrics")],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert SettingsError.__name__ in ended.stderr
    assert "METRICS_DIRECTORY" in ended.stderr


def test_a_forked_child_closes_its_end_of_the_lock_and_its_parent_keeps_the_slot(tmp_path: Path) -> None:
    slot = MetricsSlot(tmp_path)
    slot.take()
    child = os.fork()
    if not child:
        os._exit(0 if slot.number_of_this_process() == "2" else 1)
    _, status = os.waitpid(child, 0)
    assert status == 0
    assert slot.number_of_this_process() == "1"
    other = MetricsSlot(tmp_path)
    other.take()
    assert other.number == "2"
