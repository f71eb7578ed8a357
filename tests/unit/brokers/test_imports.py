"""What importing the brokers brings with it."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.redis_server import RedisServer

IMPORTED = "import sys, brokers; brokers.{name}; print('prometheus_client' in sys.modules)"


@pytest.mark.starts_processes
@pytest.mark.parametrize(
    "name",
    [
        *("SQLiteBroker", "RedisBroker", "SQSBroker", "BullMQBroker", "SQLiteResultBackend"),
        "middleware.default_middleware()",
    ],
)
def test_prometheus_client_is_not_imported(name: str) -> None:
    """It reads the environment at its import, and others may still have to write there."""
    command = [sys.executable, "-c", IMPORTED.format(name=name)]
    assert subprocess.run(command, capture_output=True, check=True, text=True).stdout == "False\n"


#: Enqueues, works and stops; prints what that imported.
USED = """
import sys
import dramatiq
from brokers import RedisBroker, SQLiteBroker

broker = {broker}
actor = dramatiq.actor(lambda: None, actor_name="a", broker=broker)
before = set(sys.modules)
actor.send()
worker = dramatiq.Worker(broker, worker_threads=2)
worker.start()
broker.join("default")
worker.stop()
broker.close()
print(sorted(set(sys.modules) - before))
"""


@pytest.mark.starts_processes
@pytest.mark.parametrize("engine", ["sqlite", "redis"])
def test_the_first_use_of_a_broker_imports_nothing(engine: str, tmp_path: Path) -> None:
    """A fork during an import leaves the child with a lock that nobody releases."""
    with ExitStack() as stack:
        broker = f"SQLiteBroker({str(tmp_path / 'queue.db')!r})"
        if engine == "redis":
            broker = f"RedisBroker({stack.enter_context(RedisServer(tmp_path)).url!r})"
        command = [sys.executable, "-c", USED.format(broker=broker)]
        used = subprocess.run(command, capture_output=True, check=True, text=True, timeout=60)
    assert used.stdout == "[]\n"


def test_metrics_are_there_for_those_who_want_them() -> None:
    from brokers.middleware import Metrics
    from brokers.middleware.metrics import Metrics as TheSame

    assert Metrics is TheSame


def test_the_old_name_of_the_middleware_goes_on_working_with_a_warning() -> None:
    import brokers.middleware

    with pytest.warns(DeprecationWarning, match="default_middleware"):
        stack = brokers.middleware.stack
    assert stack is brokers.middleware.default_middleware
