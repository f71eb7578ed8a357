"""A process may have as many open files as its calls need."""

from __future__ import annotations

import subprocess
import sys

import pytest

RAISED = """
import resource
from ops.foundation.open_files import raise_limit
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
raise_limit()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.starts_processes
@pytest.mark.parametrize(
    ("soft", "hard", "then"),
    [(256, 4_096, 4_096), (256, 10_000, 8_192), (9_000, 10_000, 9_000), (64, 64, 64)],
)
def test_the_limit_is_raised_as_far_as_needed_and_allowed(soft: int, hard: int, then: int) -> None:
    command = [sys.executable, "-c", RAISED.format(soft=soft, hard=hard)]
    done = subprocess.run(command, capture_output=True, check=True, text=True, timeout=60)
    assert done.stdout == f"{then} {hard}\n"
