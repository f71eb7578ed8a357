"""The heartbeats of a worker, and the messages it gives back at its end."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dramatiq
import pytest

from brokers import SQLiteBroker
from brokers.draining import release_prefetched
from ops.foundation.settings import Settings
from ops.supervisor.child.supervised_worker import WorkerReporter
from ops.supervisor.protocol.child_environment import ChildEnvironment
from ops.supervisor.protocol.heartbeat import Heartbeat
from tests.support.messages import stats_of
from tests.support.waiting import eventually


class Bench:
    """A worker of one thread, whose messages end when the test says so."""

    def __init__(self, directory: Path) -> None:
        self.broker = SQLiteBroker(directory / "queue.db")
        self.began, self.may_end = threading.Semaphore(0), threading.Semaphore(0)
        self.actor = dramatiq.actor(broker=self.broker, actor_name="work", time_limit=60_000)(self._work)
        self.read, write = os.pipe()
        os.set_blocking(self.read, False)
        settings = Settings(
            _env_file=None, hang_grace_s=0.1, heartbeat_interval_s=3_600, heartbeat_timeout_s=36_000
        )
        self.observer = WorkerReporter(
            settings, ChildEnvironment(os.getppid(), "worker-1", heartbeat_fd=write)
        )
        self.observer.attach(self.broker)
        self.worker = dramatiq.Worker(self.broker, worker_threads=1, worker_timeout=50)
        self.worker.start()
        self.observer.started(self.worker)

    def _work(self) -> None:
        self.began.release()
        assert self.may_end.acquire(timeout=30)

    def sent(self) -> list[Heartbeat]:
        """Return the heartbeats sent since the previous call."""
        try:
            return [Heartbeat.decode(line) for line in os.read(self.read, 65536).splitlines()]
        except BlockingIOError:
            return []


@contextmanager
def at_work(directory: Path) -> Iterator[Bench]:
    bench = Bench(directory)
    yield bench
    bench.may_end.release(100)
    bench.worker.stop()
    bench.broker.close()


def test_work_that_begins_is_told_at_once_and_only_once(tmp_path: Path) -> None:
    with at_work(tmp_path) as bench:
        bench.sent()
        for _ in range(3):
            bench.actor.send()
        assert bench.began.acquire(timeout=30)
        [busy] = eventually(bench.sent)
        assert (busy.state, busy.running, busy.done, busy.threads) == ("ready", 1, 0, 1)
        assert busy.job is not None
        assert (busy.job.actor, busy.job.limit_s) == ("work", 60.0)

        bench.may_end.release(3)
        eventually(lambda: bench.observer.report().done == 3)
        assert bench.sent() == [], "the next heartbeat will say so"
        assert bench.observer.report().running == 0


def test_a_message_past_its_limit_and_the_grace_is_stuck(tmp_path: Path) -> None:
    with at_work(tmp_path) as bench:
        bench.actor.send_with_options(time_limit=1e-3)  # the interrupt comes at the next whole second
        assert bench.began.acquire(timeout=30)
        eventually(lambda: bench.observer.report().stuck == 1)


def test_seconds_of_what_still_runs_count(tmp_path: Path) -> None:
    with at_work(tmp_path) as bench:
        bench.actor.send()
        assert bench.began.acquire(timeout=30)
        eventually(lambda: bench.observer.report().busy_s > 0.05)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_died_is_missed(tmp_path: Path) -> None:
    with at_work(tmp_path) as bench:
        assert bench.observer.report().lost_threads == 0
        [thread] = bench.worker.workers
        bench.worker.work_queue.put(None)  # type: ignore[arg-type]  # no thread survives what is no message
        eventually(lambda: not thread.is_alive())
        report = bench.observer.report()
        assert (report.threads, report.lost_threads) == (0, 1)


def test_what_has_not_begun_is_given_back_while_the_rest_still_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dramatiq.worker.QUEUE_PREFETCH", 5)
    with at_work(tmp_path) as bench:
        for _ in range(5):
            bench.actor.send()
        assert bench.began.acquire(timeout=30)
        eventually(lambda: stats_of(bench.broker.backend).running == 5)

        release_prefetched(bench.worker)

        stats = stats_of(bench.broker.backend)
        assert (stats.running, stats.ready) == (1, 4)
        bench.may_end.release()
        eventually(lambda: stats_of(bench.broker.backend).done == 1)
        assert stats_of(bench.broker.backend).ready == 4
