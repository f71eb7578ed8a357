"""What is asked again and again costs what it finds, however many conversations there are."""

from __future__ import annotations

import apsw

from actors.conversations import reader_statements, reply_statements, schema
from actors.reply import WANTS_ATTENTION


def test_conversations_that_a_person_answers_are_found_by_an_index_of_theirs() -> None:
    connection = apsw.Connection(":memory:")
    for step in schema.SCHEMA.steps:
        connection.execute(step)
    bindings = {"contact": None, "limit": 50, "offset": 0, "until": 1, "key": ""}
    plan = connection.execute(
        "EXPLAIN QUERY PLAN " + reader_statements.CONVERSATIONS["person"], bindings
    ).fetchall()

    steps = [str(step[3]) for step in plan]
    assert any("conversation USING INDEX conversation_with_person" in step for step in steps)


def test_what_wants_attention_is_found_by_indexes_of_its_own() -> None:
    connection = apsw.Connection(":memory:")
    for step in schema.SCHEMA.steps:
        connection.execute(step)
    plan = connection.execute("EXPLAIN QUERY PLAN " + reader_statements.ATTENTION, {"limit": 50}).fetchall()

    steps = " ".join(str(step[3]) for step in plan)
    assert "reply_wants_attention" in steps
    assert "inbound_wants_attention" in steps


def test_open_deliveries_are_found_by_an_index_of_their_own() -> None:
    connection = apsw.Connection(":memory:")
    for step in schema.SCHEMA.steps:
        connection.execute(step)
    bindings = {"now": 2, "first": 1, "looks": "[1]", "oldest": 0}
    plan = connection.execute("EXPLAIN QUERY PLAN " + reply_statements.TAKE_OPEN, bindings).fetchall()

    steps = [str(step[3]) for step in plan]
    assert any("reply USING COVERING INDEX reply_open" in step for step in steps)
    assert not any("TEMP B-TREE" in step for step in steps), "they are in the index's order"


def test_an_index_has_the_states_that_want_attention() -> None:
    listed = ", ".join(f"'{state}'" for state in WANTS_ATTENTION)

    assert f"WHERE state IN ({listed}) AND seen_by IS NULL" in "".join(schema.SCHEMA.steps)
    assert f"r.state IN ({listed})" in reader_statements.ATTENTION
