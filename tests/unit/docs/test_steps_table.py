"""docs/messages.md says what was seen at each step. That it is seen is in tests/chaos/test_steps.py."""

from __future__ import annotations

from tests.docpages.steps import PAGE, written


def test_the_table_is_what_is_seen_at_each_step() -> None:
    assert PAGE.read_text() == written(), "run `make doc-pages`"
