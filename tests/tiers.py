"""Which tests answer while one still thinks: `make test-fast`. Every test is in one tier, fast or full.

A fast test starts no process and no server of another project, needs no browser, and is on SQLite. A hook
sees to it: what starts a process in a fast test fails it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.forked_program import FORKED

ROOT = Path(__file__).parents[1]

#: Where fast tests are, and which of these folders and files are not.
FAST = ("tests/unit", "tests/conformance")
NOT_FAST = (
    "tests/conformance/conversations/test_agreement.py",
    "tests/conformance/test_broker_processes.py",
    "tests/conformance/test_forks.py",
    "tests/unit/brokers/bullmq",
    "tests/unit/brokers/redis",
    "tests/unit/brokers/sqs",
    "tests/unit/deploy",
    "tests/unit/docs/test_examples.py",
    "tests/unit/test_forked_programs.py",
    "tests/unit/test_imports.py",
    "tests/unit/test_tiers.py",
)

#: Fixtures that start a process: a server, or one of ours.
PROCESSES = frozenset({"server", "server_of", "sqs", "processes", "llmock_server"})

#: What parameters of other engines begin with: `[valkey-server]`, `[redis]`.
ENGINES = ("valkey", "redis", "sqs", "bullmq")

#: Audit events of a process that begins (https://docs.python.org/3/library/audit_events.html), and ours of
#: one that another process forks.
BEGINNINGS = frozenset({"os.fork", "os.posix_spawn", "os.spawn", "subprocess.Popen", FORKED})


def is_fast(item: pytest.Item) -> bool:
    """Tell which tier a test is in."""
    path = item.path.relative_to(ROOT).as_posix()
    if not path.startswith(FAST) or path.startswith(NOT_FAST):
        return False
    if item.get_closest_marker("starts_processes") is not None:
        return False
    if PROCESSES & set(getattr(item, "fixturenames", ())):
        return False
    parameters = getattr(getattr(item, "callspec", None), "id", "")
    return not any(part.lower().startswith(ENGINES) for part in parameters.split("-"))


class Guard:
    """Fails a fast test that starts a process."""

    def __init__(self) -> None:
        self.test = ""
        sys.addaudithook(self._look)

    def _look(self, event: str, _arguments: tuple[Any, ...]) -> None:
        if self.test and event in BEGINNINGS:
            test, self.test = self.test, ""
            pytest.fail(f"{test} is in the fast tier and starts a process ({event}): see tests/tiers.py")
