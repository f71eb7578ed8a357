"""What importing the brokers brings with it."""

from __future__ import annotations

import subprocess
import sys

import pytest

IMPORTED = "import sys, brokers; brokers.{name}; print('prometheus_client' in sys.modules)"


@pytest.mark.starts_processes
@pytest.mark.parametrize(
    "name",
    ["SQLiteBroker", "RedisBroker", "SQSBroker", "SQLiteResultBackend", "middleware.default_middleware()"],
)
def test_prometheus_client_is_not_imported(name: str) -> None:
    """It reads the environment at its import, and others may still have to write there."""
    command = [sys.executable, "-c", IMPORTED.format(name=name)]
    assert subprocess.run(command, capture_output=True, check=True, text=True).stdout == "False\n"


def test_metrics_are_there_for_those_who_want_them() -> None:
    from brokers.middleware import Metrics
    from brokers.middleware.metrics import Metrics as TheSame

    assert Metrics is TheSame
