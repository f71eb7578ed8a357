"""What holds for all tests."""

from __future__ import annotations

import os
import shutil
import tempfile

import pytest

#: Importing `actors` decides where metrics are kept, so this is said before any test is imported.
_METRICS = tempfile.mkdtemp(prefix="recado-test-metrics-")
os.environ["METRICS_DIRECTORY"] = _METRICS


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(_METRICS, ignore_errors=True)
