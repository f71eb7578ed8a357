"""Tells where a request comes from."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address

from starlette.requests import HTTPConnection

from ...addresses import split_address

Network = IPv4Network | IPv6Network

#: What proxies add. Behind one on the same machine, every client has a loopback address.
FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via")

#: The addresses of this machine.
LOOPBACK: Sequence[Network] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))


def peer_of(request: HTTPConnection) -> str:
    """Return the address at the other end of the connection; empty when it is not known."""
    return "" if request.client is None else request.client.host


def forwarded_address(request: HTTPConnection, proxies: Sequence[Network]) -> str:
    """Return the address that a trusted proxy says, or else the connection's.

    Parameters:
      request: whose address.
      proxies: the networks of the proxies that are trusted.
    """
    peer = peer_of(request)
    forwarded = request.headers.getlist("x-forwarded-for")
    if forwarded and is_in(peer, proxies):
        return forwarded[-1].rpartition(",")[2].strip() or peer
    return peer


def is_direct(request: HTTPConnection) -> bool:
    """Tell whether a request is from this machine, and from no proxy on it."""
    forwarded = any(name in request.headers for name in FORWARDED)
    return not forwarded and is_in(peer_of(request), LOOPBACK)


def is_in(host: str, networks: Sequence[Network]) -> bool:
    """Tell whether an address is in one of the networks. A name is in none."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)  # an IPv4 client of an IPv6 socket
    return any((mapped or address) in network for network in networks)


def hostname(host: str) -> str:
    """Return the name or address in a Host header, without its port; empty when it has none."""
    parts = split_address(f"//{host}")
    return "" if parts is None else parts.hostname or ""
