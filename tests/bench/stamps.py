"""Actors that note how long after their sending they began, in a queue of Recado's and in their own."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Mapping
from pathlib import Path

import dramatiq

import actors  # noqa: F401  Recado's own, and Dramatiq's broker from now on

#: In the directory where Recado runs.
STAMPS = Path("stamps.txt")

#: Pauses between two messages, in seconds.
SHORTEST_S, LONGEST_S = 0.02, 0.08


def _stamp(queue: str, sent_ns: int) -> None:
    took_ns = time.monotonic_ns() - sent_ns
    file = os.open(STAMPS, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{queue} {took_ns}\n".encode())
    os.close(file)


@dramatiq.actor(queue_name="replies")
def stamp_among_replies(sent_ns: int) -> None:
    _stamp("replies", sent_ns)


@dramatiq.actor(queue_name="own")
def stamp_in_own(sent_ns: int) -> None:
    _stamp("own", sent_ns)


def send(directory: Path, settings: Mapping[str, str], count: int) -> None:
    """Send as many to each queue, one after the other."""
    os.chdir(directory)
    os.environ |= settings
    for _ in range(count):
        for actor in (stamp_among_replies, stamp_in_own):
            actor.send(time.monotonic_ns())
            time.sleep(random.uniform(SHORTEST_S, LONGEST_S))  # noqa: S311  a pause


def read(directory: Path) -> dict[str, list[float]]:
    """How long each took, by queue, in milliseconds."""
    waits: dict[str, list[float]] = {"replies": [], "own": []}
    for line in (directory / STAMPS).read_text().splitlines():
        queue, took_ns = line.split()
        waits[queue].append(int(took_ns) / 1e6)
    return waits
