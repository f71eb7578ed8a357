"""What holds for all tests."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Generator

import pytest

from tests.tiers import Guard, is_fast

#: Importing `actors` decides where metrics are kept, so this is said before any test is imported.
_METRICS = tempfile.mkdtemp(prefix="recado-test-metrics-")
os.environ["METRICS_DIRECTORY"] = _METRICS


# A shell starts what it runs in the background with SIGINT ignored, and children inherit that: a test that
# presses Ctrl-C would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--tier", choices=["fast", "full"], help="only the tests of a tier; all when not given")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    tier = config.getoption("--tier")
    if tier is None:
        return
    others = [item for item in items if is_fast(item) != (tier == "fast")]
    items[:] = [item for item in items if is_fast(item) == (tier == "fast")]
    config.hook.pytest_deselected(items=others)


#: How many tests run side by side for each core. Most of the time those of the full tier wait: for a process
#: that begins, for the disk, for a time limit.
FULL_TIER_PER_CORE = 2


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    cores = os.cpu_count() or 1
    return cores if config.getoption("--tier") == "fast" else FULL_TIER_PER_CORE * cores


_guard = Guard()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    _guard.test = item.nodeid if is_fast(item) else ""
    try:
        return (yield)
    finally:
        _guard.test = ""


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(_METRICS, ignore_errors=True)
