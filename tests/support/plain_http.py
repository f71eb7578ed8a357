"""HTTP with servers of our own: on the loopback interface, without TLS.

httpx reads all certificates that this machine trusts for each client that may need them. That takes 25 ms of
CPU time, more than most of what is asked for here, and longer than a test waits until it asks again.
"""

from __future__ import annotations

import ssl
from typing import Any

import httpx

#: A context that trusts no certificate, and reads none.
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def client(**options: Any) -> httpx.Client:
    """Return what `httpx.Client` does."""
    return httpx.Client(verify=_NO_TLS, **options)


def get(url: str, **options: Any) -> httpx.Response:
    """Do what `httpx.get` does."""
    return httpx.get(url, verify=_NO_TLS, **options)


def post(url: str, **options: Any) -> httpx.Response:
    """Do what `httpx.post` does."""
    return httpx.post(url, verify=_NO_TLS, **options)
