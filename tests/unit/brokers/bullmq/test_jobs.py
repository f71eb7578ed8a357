"""Messages as jobs, and jobs as messages."""

from __future__ import annotations

import json
from typing import Any

import pytest
from dramatiq import Message

from brokers.bullmq.jobs import Job, last_error, read, stack, write

JOB = Job("17", "greet", "messages", 1_000)


def made(data: Any) -> Message[Any]:
    """The message that a job of another program's is."""
    return Message.decode(read(json.dumps(data).encode(), None, job=JOB))


@pytest.mark.parametrize(
    "payload", [b'{"a": [1, "\\u00e9"]}', b"{}", b" 1 ", "é".encode(), b"\xff\x00", b"", b"NaN"]
)
def test_a_payload_comes_back_to_the_letter(payload: bytes) -> None:
    written = write(payload)

    json.loads(written.data)
    assert read(written.data, written.form.encode(), job=JOB) == payload


def test_a_message_is_its_own_data() -> None:
    payload = b'{"queue_name":"messages"}'
    assert write(payload) == (payload, "json")


def test_another_programs_job_is_known_by_its_job_and_its_queue() -> None:
    message = made({"args": ["Ana"], "options": {"max_retries": 1}})

    assert (message.message_id, message.actor_name, message.queue_name) == (
        "messages:17",
        "greet",
        "messages",
    )
    assert (message.args, message.kwargs, message.options) == (("Ana",), {}, {"max_retries": 1})
    assert message.message_timestamp == 1_000


def test_a_whole_message_of_another_program_has_the_id_of_its_job() -> None:
    whole = json.loads(Message("messages", "other", (1,), {}, {}, "an-id", 5).encode())
    message = made(whole)

    assert (message.message_id, message.actor_name, message.args) == ("messages:17", "other", (1,))


def test_a_message_that_is_not_quite_whole_is_one_argument_too() -> None:
    whole = json.loads(Message("elsewhere", "other", (1,), {}, {}, "an-id", 5).encode())

    assert made(whole).queue_name == "messages", "the queue that it is in"
    for part in ("args", "kwargs", "options", "message_timestamp"):
        broken = {**whole, part: None}
        assert made(broken).args == (broken,)


@pytest.mark.parametrize(
    "data", [{"args": 1}, {"args": [], "more": 1}, {"kwargs": []}, [1], None, 5, {"a": 1}]
)
def test_whatever_else_it_says_is_one_argument(data: Any) -> None:
    assert made(data).args == (data,)


def test_what_is_no_json_is_handed_on() -> None:
    assert read(b"{'a'", None, job=JOB) == b"{'a'"
    assert read(b'{"payload": "!"}', b"base64", job=JOB) == b'{"payload": "!"}'


def test_errors_are_lists_as_bullmq_has_them() -> None:
    assert json.loads(stack("ValueError: no")) == ["ValueError: no"]
    assert stack(None) == ""
    assert last_error(b'["first", "last"]', b"reason") == "last"
    assert last_error(b"[]", b"reason") == "reason"
    assert last_error(b"no json", b"") == "no json"
    assert last_error(b"", b"") is None
