"""What a load balancer, Prometheus and a page are told while something is broken."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.dashboard.live.status_sampler import StatusSampler
from api.health import health_routes
from api.opening import Opening
from brokers.cached_stats import CachedStats
from brokers.checks import Checks
from brokers.collectors import SpoolCollector
from brokers.redis import RedisBackend
from brokers.spool import SPOOL, SpooledBackend
from brokers.sqlite import SQLiteBackend
from ops.foundation.metrics import Machine
from tests.support.messages import a_message
from tests.support.ports import free_port


@pytest.fixture
def spooled(tmp_path: Path) -> Iterator[SpooledBackend]:
    """A queue that is away, and a spool whose file lost its end: it can be written, and not be read."""
    path = tmp_path / "spool.db"
    spool = SQLiteBackend(path)
    absent = RedisBackend(f"redis://127.0.0.1:{free_port()}/0")
    with closing(SpooledBackend(absent, spool)) as spooled:
        for _ in range(50):
            spool.enqueue(a_message(queue=SPOOL, payload=b"x" * 2_000))
        spooled.check(timeout_s=10)
        with closing(apsw.Connection(str(path))) as other:
            other.pragma("wal_checkpoint", "truncate")
        os.truncate(path, 20 * 4096)
        yield spooled


@pytest.fixture
def client(spooled: SpooledBackend, tmp_path: Path) -> Iterator[TestClient]:
    app = FastAPI()
    (tmp_path / "metrics").mkdir()
    machine = Machine(tmp_path / "metrics", [SpoolCollector(spooled)])
    opened = Opening(lambda: None)
    opened.trouble = None
    app.include_router(health_routes(spooled, machine, Checks({}), opened, spooled))
    with TestClient(app) as client:
        yield client


def test_an_api_whose_spool_cannot_be_read_is_not_ready(client: TestClient) -> None:
    answer = client.get("/readyz")

    assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")
    assert "spool.db" in answer.json()["why"]


def test_metrics_do_without_a_spool_that_cannot_be_read(client: TestClient) -> None:
    answer = client.get("/metrics")

    assert (answer.status_code, "recado_spool_messages" in answer.text) == (200, False)


def test_the_dashboard_says_that_the_spool_cannot_be_read(spooled: SpooledBackend) -> None:
    sampler = StatusSampler(spooled, CachedStats(spooled), spool=spooled)

    snapshot = sampler.snapshot()

    assert snapshot.spool is None
    assert "spool.db" in snapshot.stores["spool"]
