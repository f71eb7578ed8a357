"""The OpenAPI document tells of each operation its role and its problems, and docs/api-v1.md shows it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from api.roles import ROLES
from api.v1.app import PREFIX, document_of, operations
from api.v1.problems import EXPLAINED, KINDS, MEDIA_TYPE, Problem, Refused

ROOT = Path(__file__).parents[4]
PAGE = (ROOT / "docs" / "api-v1.md").read_text()

DOCUMENT = document_of(operations(Mock()))

#: The role that each operation needs.
NEEDED = {
    "list_conversations": "reader",
    "search_conversations": "reader",
    "search_texts": "reader",
    "get_conversation": "reader",
    "take_conversation": "agent",
    "hand_back_conversation": "agent",
    "list_messages": "reader",
    "say": "agent",
    "list_notes": "reader",
    "add_note": "agent",
    "delete_note": "agent",
    "get_reply": "reader",
    "get_model_call": "operator",
    "get_usage": "reader",
    "list_dead_letters": "reader",
    "get_dead_letter": "reader",
    "replay_dead_letter": "operator",
    "discard_dead_letter": "operator",
    "list_queues": "reader",
    "pause_queue": "operator",
    "resume_queue": "operator",
}


def described() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, methods in DOCUMENT["paths"].items()
        for method, operation in methods.items()
    ]


def test_each_operation_names_the_role_that_it_needs() -> None:
    named = {operation["operationId"]: operation["security"] for _, _, operation in described()}

    assert named == {name: [{"token": [role]}] for name, role in NEEDED.items()}
    assert DOCUMENT["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


def test_each_operation_tells_of_its_problems_and_is_explained() -> None:
    for path, method, operation in described():
        assert operation["description"].endswith("."), path
        statuses = {int(status) for status in operation["responses"]}
        assert {401, 403, 413, 422, 429, 503} < statuses, path
        assert ("{" in path) == (404 in statuses), path
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                schema = {"$ref": "#/components/schemas/Problem"}
                assert answer["content"] == {MEDIA_TYPE: {"schema": schema}}, (path, method, status)


def test_every_reference_leads_somewhere() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    for name in re.findall(r'"#/components/schemas/(\w+)"', json.dumps(DOCUMENT)):
        assert name in schemas
    assert "HTTPValidationError" not in schemas


def test_the_page_has_an_example_of_each_operation() -> None:
    found = re.findall(r'curl (?:-X (\w+) )?"\$RECADO/api/v1([^"?]*)(.*)', PAGE.replace("\\\n", " "))
    shown = {
        (
            re.sub(r"\$\w*ID", "{}", re.sub(r"/queues/\w+", "/queues/{}", path)),
            method.lower() or ("post" if " -d " in rest else "get"),
        )
        for method, path, rest in found
    }
    assert shown == {(re.sub(r"\{\w+\}", "{}", path), method) for path, method, _ in described()}


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_explains_each_kind_of_problem(kind: str) -> None:
    section = re.search(rf"^### {kind}\n\n(\d+)\. ", PAGE, re.MULTILINE)

    assert section is not None
    assert int(section[1]) == KINDS[kind].status
    assert (ROOT / EXPLAINED.rstrip("#")).exists()


def test_the_page_explains_each_role() -> None:
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) == list(ROLES)


def test_the_pages_example_of_a_problem_is_one() -> None:
    shown = next(
        example
        for example in map(json.loads, re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL))
        if "type" in example
    )

    assert Problem.model_validate(shown).model_dump(exclude_none=True) == shown
    assert KINDS[shown["type"].removeprefix(EXPLAINED)] == (shown["status"], shown["title"])


def test_a_problem_is_json_with_nothing_that_is_null() -> None:
    answer = Refused("not-found", "There is none.", headers={"X-A": "b"}).response()

    assert (answer.status_code, answer.media_type, answer.headers["x-a"]) == (404, MEDIA_TYPE, "b")
    assert set(json.loads(bytes(answer.body))) == {"type", "title", "status", "detail"}


def test_it_is_where_the_document_says() -> None:
    assert DOCUMENT["servers"] == [{"url": PREFIX}]
