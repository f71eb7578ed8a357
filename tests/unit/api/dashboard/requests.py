"""Requests to try the dashboard's parts with, without a server."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from ops.foundation.settings import Settings


def a_request(
    *, client: str | None = "127.0.0.1", host: str = "localhost:8000", cookies: dict[str, str] | None = None,
    method: str = "GET", scheme: str = "http", headers: dict[str, str] | list[tuple[str, str]] = (),  # type: ignore[assignment]
) -> Request:  # fmt: skip
    """A request from this machine, unless something else is said."""
    pairs = list(headers.items()) if isinstance(headers, dict) else list(headers)
    pairs += [("host", host)]
    if cookies:
        pairs += [("cookie", "; ".join(f"{name}={value}" for name, value in cookies.items()))]
    return Request(
        {
            "type": "http",
            "method": method,
            "scheme": scheme,
            "path": "/dashboard/",
            "query_string": b"",
            "client": None if client is None else (client, 50_000),
            "server": ("127.0.0.1", 8000),
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs],
        }
    )


def settings(**values: Any) -> Settings:
    """Settings as the environment would give them, and no file."""
    return Settings(_env_file=None, **values)
