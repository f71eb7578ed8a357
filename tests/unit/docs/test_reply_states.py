"""The diagram of a reply's states in docs/messages.md is that of the rules."""

from __future__ import annotations

import re

from actors.conversations import schema
from actors.reply import OWED, REPLY_STATES

from .documents import ROOT


def drawn() -> set[tuple[str, str]]:
    """The steps that the diagram shows, but those from the beginning."""
    text = (ROOT / "docs/messages.md").read_text()
    diagram = text.partition("## A reply\n")[2].partition("```mermaid\n")[2].partition("```")[0]
    steps = set(re.findall(r"^ +(\w+) --> (\w+):", diagram, re.MULTILINE))
    assert steps
    return steps


def test_the_diagram_shows_each_step_there_is() -> None:
    assert drawn() == {
        (before, after) for after, rule in REPLY_STATES.items() for before in rule.follows if before != after
    }


def test_the_index_has_the_states_that_are_owed() -> None:
    listed = ", ".join(f"'{state}'" for state in OWED)

    [*_, made] = [step for step in schema.SCHEMA.steps if "CREATE INDEX reply_unsent" in step]
    assert f"CREATE INDEX reply_unsent ON reply (conversation, id) WHERE state IN ({listed})" in made
