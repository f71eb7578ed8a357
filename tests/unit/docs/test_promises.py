"""docs/promises.md names tests that exist."""

from __future__ import annotations

import re

import pytest

from .documents import ROOT

NAMED = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", (ROOT / "docs/promises.md").read_text())


def test_each_promise_names_tests() -> None:
    text = (ROOT / "docs/promises.md").read_text()
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert [section.partition(".")[0] for section in sections if section.startswith("I")] == [
        f"I{number}" for number in range(1, 10)
    ]
    assert all("::test_" in section for section in sections)


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_the_test_is_there(path: str, name: str) -> None:
    assert re.search(rf"^ *(?:async )?def {name}\(", (ROOT / path).read_text(), re.MULTILINE)
