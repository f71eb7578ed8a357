"""The SQLite engine keeps its contract where none of Linux's own system calls are."""

from __future__ import annotations

import re

from tests.support.without_linux import run_without_linux


def test_the_conformance_suite_passes() -> None:
    found = run_without_linux(
        *("-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider"),
        *("tests/conformance", "--ignore", "tests/conformance/conversations", "-k", "sqlite"),
        timeout_s=900,
    )
    assert found.returncode == 0, found.stdout[-10_000:]
    passed = re.search(r"(\d+) passed", found.stdout)
    assert passed is not None
    assert int(passed[1]) > 100
