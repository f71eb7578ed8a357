"""What requests pass through before they are a page."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import MagicMock

import pytest
from starlette.requests import HTTPConnection
from starlette.testclient import TestClient

from api.dashboard.access.authentication import AccessDenied, SessionsUnreadable
from api.dashboard.context import DashboardContext
from api.dashboard.routes import Routes

from .requests import settings


class Authentication:
    """Refuses all requests, and remembers in which threads."""

    has_passwords = False

    def __init__(self, refusal: AccessDenied) -> None:
        self.threads: list[str] = []
        self._refusal = refusal

    def user(self, _: HTTPConnection) -> Any:
        self.threads.append(threading.current_thread().name)
        raise self._refusal


@pytest.mark.parametrize(
    ("refusal", "status"),
    [(AccessDenied("closed"), 403), (SessionsUnreadable("damaged"), 503)],
    ids=["closed", "damaged"],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/events?of=overview"),
        ("GET", "/login"),
        ("POST", "/logout"),
        ("GET", "/nothing"),
    ],
)
def test_the_visitor_is_looked_up_outside_of_the_event_loop(
    method: str, path: str, refusal: AccessDenied, status: int
) -> None:
    """The file of ended sessions may take ten seconds to answer, and webhooks have the same event loop."""
    parts: dict[str, Any] = dict.fromkeys(DashboardContext.__slots__)
    with ThreadPoolExecutor(1, thread_name_prefix="aside") as threads:
        access: Any = Authentication(refusal)
        context = DashboardContext(**{**parts, "threads": threads, "settings": settings()})
        client = TestClient(Routes(context, access, MagicMock(), MagicMock()).app())

        assert client.request(method, path).status_code == status
    assert access.threads == ["aside_0"]
