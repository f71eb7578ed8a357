"""What holds for all tests."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile

import pytest

#: Importing `actors` decides where metrics are kept, so this is said before any test is imported.
_METRICS = tempfile.mkdtemp(prefix="recado-test-metrics-")
os.environ["METRICS_DIRECTORY"] = _METRICS


# A shell starts what it runs in the background with SIGINT ignored, and children inherit that: a test that
# presses Ctrl-C would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(_METRICS, ignore_errors=True)
