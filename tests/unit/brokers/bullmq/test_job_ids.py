"""Ids of messages and of jobs, made of each other."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.bullmq.job_ids import job_id, message_id_of, names_of

QUEUE = "messages"

texts = st.text(st.characters(codec="utf-8"), max_size=20)
tricky = st.sampled_from(
    [
        "",
        "%",
        "%%",
        "17",
        "wait",
        "meta",
        "a:b",
        "0:1",
        f"{QUEUE}:17",
        f"{QUEUE}:a",
        "50%off",
        "%3117",
        "ção",
        ".",
    ]
)


@given(texts | tricky)
def test_every_message_has_a_job_of_its_own(message_id: str) -> None:
    of_job = job_id(message_id, QUEUE)

    assert message_id_of(of_job, QUEUE) == message_id


@given(texts.filter(bool) | tricky.filter(bool))
def test_every_job_is_a_message_of_its_own(of_job: str) -> None:
    message_id = message_id_of(of_job, QUEUE)

    assert job_id(message_id, QUEUE) == of_job
    plain, queue, foreign = names_of(message_id)
    assert of_job == plain or (queue, foreign) == (QUEUE, of_job)


@given(texts | tricky)
def test_bullmq_takes_an_id_of_ours(message_id: str) -> None:
    """It refuses whole numbers and colons, and has parts of a queue beside its jobs."""
    of_job = job_id(message_id, "another-queue")

    assert re.fullmatch(r"[A-Za-z0-9%._~-]+", of_job)
    assert not of_job.isdecimal()
    assert of_job not in {
        "wait",
        "active",
        "meta",
        "id",
        "events",
        "marker",
        "failed",
        "completed",
        "delayed",
    }


@pytest.mark.parametrize("message_id", ["7b1e5a52-4d0c-4d8e-8a52-6a0f0a8a2a10", "SM" + "1" * 32])
def test_an_id_that_bullmq_takes_stays_as_it_is(message_id: str) -> None:
    assert job_id(message_id, QUEUE) == message_id
