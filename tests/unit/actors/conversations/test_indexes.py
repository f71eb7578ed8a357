"""What is asked again and again costs what it finds, however many conversations there are."""

from __future__ import annotations

import apsw

from actors.conversations import statements


def test_conversations_that_a_person_answers_are_found_by_an_index_of_theirs() -> None:
    connection = apsw.Connection(":memory:")
    for step in statements.SCHEMA.steps:
        connection.execute(step)
    bindings = {"contact": None, "limit": 50, "offset": 0}
    plan = connection.execute("EXPLAIN QUERY PLAN " + statements.CONVERSATIONS["person"], bindings).fetchall()

    steps = [str(step[3]) for step in plan]
    assert "SCAN conversation USING INDEX conversation_with_person" in steps
