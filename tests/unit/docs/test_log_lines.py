"""docs/logs.md lists every line that the code logs."""

from __future__ import annotations

from tests.docpages.logs import PAGE, lines, written


def test_the_table_is_what_the_code_logs() -> None:
    assert PAGE.read_text() == written(), "run `make doc-pages`"


def test_lines_are_found() -> None:
    found = {(line.level, line.text, line.fields) for line in lines()}
    assert ("info", "answered", ("messages", "model", "tokens", "tool_calls")) in found
    assert len(found) > 80
