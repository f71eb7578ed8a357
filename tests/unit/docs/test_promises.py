"""docs/promises.md and docs/reliability.md name tests and trials that exist."""

from __future__ import annotations

import re

import pytest

from tests.judge.outages import OTHERS, SHORT_ONES
from tests.judge.storm import FORMS

from .documents import ROOT

RELIABILITY = (ROOT / "docs/reliability.md").read_text()
NAMED = sorted(
    set(
        re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", (ROOT / "docs/promises.md").read_text() + RELIABILITY)
    )
)


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


@pytest.mark.parametrize("name", [*FORMS, *(outage.name for outage in SHORT_ONES + OTHERS)])
def test_the_figures_of_each_trial_are_there(name: str) -> None:
    assert f"| {name} | " in RELIABILITY
