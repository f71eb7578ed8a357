"""Which dead letters a command means."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
import typer

import ops.commands.selection
from brokers.sqlite import SQLiteBackend
from ops.commands.selection import select
from tests.support.messages import buried


def test_some_have_to_be_named_or_all_and_not_both(tmp_path: Path) -> None:
    with closing(SQLiteBackend(tmp_path / "queue.db")) as backend:
        for ids, every in (([], False), (None, False), (["a"], True)):
            with pytest.raises(typer.BadParameter):
                select(backend, ids, every=every, queue=None, actor=None)


def test_all_that_match_are_found_over_many_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ops.commands.selection, "PAGE", 2)
    with closing(SQLiteBackend(tmp_path / "queue.db")) as backend:
        wanted = {buried(backend, actor="send_reply") for _ in range(5)}
        buried(backend, actor="another")

        found = select(backend, None, every=True, queue=None, actor="send_reply")

    assert sorted(found) == sorted(wanted)
