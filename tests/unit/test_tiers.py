"""Every test is in one tier, and `make test-fast` runs no other than the fast ones."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.tiers import FAST, NOT_FAST, ROOT, Guard


def collected(tier: str) -> tuple[set[str], int]:
    """The tests of a tier that pytest would run, and how many there are in both."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-n",
            "0",
            "--collect-only",
            "-q",
            "-p",
            "no:cacheprovider",
            "--tier",
            tier,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    *lines, closing = done.stdout.strip().splitlines()
    counted = re.match(r"(\d+)/(\d+) tests collected", closing)
    assert counted is not None, closing
    tests = {line for line in lines if "::" in line}
    assert len(tests) == int(counted[1])
    return tests, int(counted[2])


def test_every_test_is_in_one_tier() -> None:
    (fast, of), (full, same) = collected("fast"), collected("full")

    assert len(fast) + len(full) == of == same
    assert fast & full == set()
    assert len(fast) > 1_000
    assert all(test.startswith(FAST) for test in fast)


@pytest.mark.parametrize("path", [*FAST, *NOT_FAST])
def test_each_path_of_the_rule_is_there(path: str) -> None:
    assert (ROOT / path).exists()


def test_a_fast_test_that_starts_a_process_fails() -> None:
    guard = Guard()
    guard.test = "a fast test"

    with pytest.raises(pytest.fail.Exception, match="a fast test is in the fast tier and starts a process"):
        subprocess.run(["true"], check=True)
