"""The time limit where threads are none: under gevent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.starts_processes


#: What `dramatiq-gevent` does first; then an actor that sleeps for longer than it may, and one that does not.
UNDER_GEVENT = """
from gevent import monkey

monkey.patch_all()

import time

import dramatiq

from brokers import SQLiteBroker
from brokers.middleware import TimeLimit

broker = SQLiteBroker("queue.db", middleware=[TimeLimit(time_limit=100)])


@dramatiq.actor(broker=broker)
def work(duration_s):
    try:
        time.sleep(duration_s)
    except BaseException as error:
        print(type(error).__name__, flush=True)
        raise


@dramatiq.actor(broker=broker, time_limit=60_000)
def work_on(duration_s):
    time.sleep(duration_s)
    print("done", flush=True)


work.send(60)
worker = dramatiq.Worker(broker, worker_timeout=50, worker_threads=1)
worker.start()
broker.join("default")
work_on.send(0.2)  # no timer of the one before is left
broker.join("default")
worker.stop()
broker.close()
"""


def test_a_greenlet_is_interrupted(tmp_path: Path) -> None:
    command = [sys.executable, "-c", UNDER_GEVENT]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=50, check=False)
    assert (ended.returncode, ended.stdout.split()) == (0, ["TimeLimitExceeded", "done"]), ended.stderr
