"""The API for other programs does what its OpenAPI document says, whatever it is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from unittest.mock import Mock

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode

from api.v1.app import document_of, operations
from tests.fakes.twilio import FakeTwilio
from tests.support.system import System

from .conftest import Settings
from .test_api_v1 import dead_letter, token, written

#: How many requests are made of each operation in each mode.
EXAMPLES = 20

SCHEMA: Any = schemathesis.openapi.from_dict(document_of(operations(Mock())))

OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations()]


@pytest.fixture(scope="module")
def system(
    tmp_path_factory: pytest.TempPathFactory, twilio: FakeTwilio, engine: Settings
) -> Iterator[System]:
    settings = {"AI_PROVIDER": "echo", "API_V1_REQUESTS_PER_MINUTE": "100000"}
    with System(tmp_path_factory.mktemp("document"), twilio, **settings, **engine) as system:
        api = system.api()
        system.worker()
        yield system
        assert "Traceback" not in api.log


@pytest.fixture(scope="module")
def headers(system: System) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {token(system, 'all', 'admin')}"}


@pytest.fixture(scope="module")
def names(system: System) -> Mapping[str, Mapping[str, str]]:
    """Names of things that are there, by the first part of the path, for the path's parameters."""
    contact, message = written(system)
    [summary] = system.conversations.reader.conversations(contact=contact)
    reply_id = system.conversations.reader.thread(summary.conversation)[-1].reply_id
    assert reply_id is not None
    assert system.conversations.add_note(summary.conversation, "note", "likes it", by="Ana")
    return {
        "conversations": {"message_id": message, "note_id": "note"},
        "replies": {"reply_id": reply_id},
        "dead-letters": {"message_id": dead_letter(system)},
        "queues": {"queue": "attic"},
    }


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_answers_are_as_the_document_says(
    system: System,
    headers: Mapping[str, str],
    names: Mapping[str, Mapping[str, str]],
    operation: Any,
    mode: GenerationMode,
) -> None:
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case: Case[Any]) -> None:
        if mode is GenerationMode.POSITIVE:
            case.path_parameters.update(names[operation.path.split("/")[1]] if case.path_parameters else {})
            for place in (case.query, case.body):  # a text is no cursor because it is a text
                if isinstance(place, dict):
                    place.pop("cursor", None)
        case.call_and_validate(base_url=f"{system.url}/api/v1", headers=dict(headers))

    check()
