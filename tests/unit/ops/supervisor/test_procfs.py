"""What is read of /proc, also while a process ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.supervisor.procfs import is_stopped


@pytest.mark.parametrize(
    ("stat", "stopped"),
    [("1 (a) T 1", True), ("1 (a) S 1", False), ("1 (a (T) b) t 1", True), ("1 (a)", False), ("", False)],
)
def test_a_process_is_stopped_if_its_state_says_so(
    stat: str, stopped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: stat)

    assert is_stopped(1) is stopped
