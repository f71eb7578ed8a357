"""Dramatiq's own command line runs actors on the SQLite broker, in all the ways it knows."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from urllib.request import urlopen

import pytest
from dramatiq import Message

from brokers import SQLiteBroker
from tests.support.ports import free_port
from tests.support.system import BIN, ROOT, Program
from tests.support.waiting import eventually

#: What a user of Dramatiq writes, with nothing else of Recado.
TASKS = """
import asyncio, json, os
import dramatiq
from dramatiq.middleware import AsyncIO
from brokers import SQLiteBroker

broker = SQLiteBroker("tasks.db")
broker.add_middleware(AsyncIO())
if "dramatiq_prom_port" in os.environ:
    from dramatiq.middleware.prometheus import Prometheus
    broker.add_middleware(Prometheus())
dramatiq.set_broker(broker)
VERSION = 1


def note(**what):
    fd = os.open("done.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(fd, json.dumps({**what, "pid": os.getpid(), "version": VERSION}).encode() + b"\\n")
    os.close(fd)


@dramatiq.actor
def plain(number):
    note(plain=number)


@dramatiq.actor(queue_name="other")
async def awaited(number):
    await asyncio.sleep(0)
    note(awaited=number)
"""

#: A deadline for starting, not a measure.
WITHIN_S = 60.0


class Tasks:
    """A directory with a user's module, and a broker to send it messages with."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.module = directory / "tasks.py"
        self.module.write_text(TASKS)
        self.broker = SQLiteBroker(directory / "tasks.db", middleware=[])
        for queue in ("default", "other"):
            self.broker.declare_queue(queue)

    def start(self, *arguments: str, **env: str) -> Program:
        return Program(
            [str(BIN / "dramatiq"), "tasks", *arguments],
            log=self.directory / "dramatiq.log",
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT),
                "PYTHONDONTWRITEBYTECODE": "1",
                **env,
            },
            cwd=self.directory,
        )

    def send(self, actor: str, number: int, *, queue: str = "default") -> None:
        self.broker.enqueue(
            Message(queue_name=queue, actor_name=actor, args=(number,), kwargs={}, options={})
        )

    def done(self) -> list[dict[str, int]]:
        path = self.directory / "done.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def wait_for(self, count: int) -> list[dict[str, int]]:
        eventually(lambda: len(self.done()) >= count, within_s=WITHIN_S, every_s=0.05)
        return self.done()


@pytest.fixture
def tasks(tmp_path: Path) -> Iterator[Tasks]:
    tasks = Tasks(tmp_path)
    with closing(tasks.broker):
        yield tasks


@pytest.fixture
def running(tasks: Tasks) -> Iterator[list[Program]]:
    programs: list[Program] = []
    yield programs
    for program in programs:
        program.kill()


@pytest.mark.parametrize("how", [(), ("--use-spawn",)], ids=["forked", "spawned"])
def test_several_processes_share_the_work_and_stop_cleanly(
    tasks: Tasks, running: list[Program], how: tuple[str, ...]
) -> None:
    program = tasks.start("--processes", "2", "--threads", "2", *how)
    running.append(program)
    for number in range(40):
        tasks.send("plain", number)
        tasks.send("awaited", number, queue="other")

    done = tasks.wait_for(80)

    assert sorted(each["plain"] for each in done if "plain" in each) == list(range(40))
    assert sorted(each["awaited"] for each in done if "awaited" in each) == list(range(40))
    sent = 40

    def both_have_worked() -> bool:
        nonlocal sent
        tasks.send("plain", sent)
        sent += 1
        return len({each["pid"] for each in tasks.done()}) == 2

    eventually(both_have_worked, within_s=WITHIN_S, every_s=0.02)
    tasks.broker.join("default", timeout=60_000)
    assert program.terminate() == 0
    assert not any(queue.running for queue in tasks.broker.backend.stats())
    assert "CRITICAL" not in program.log


def test_only_the_queues_that_are_named_are_worked_on(tasks: Tasks, running: list[Program]) -> None:
    running.append(tasks.start("-p", "1", "-t", "2", "-Q", "other"))
    tasks.send("plain", 1)
    tasks.send("awaited", 2, queue="other")

    assert [each["awaited"] for each in tasks.wait_for(1)] == [2]

    ready = {queue.queue: queue.ready for queue in tasks.broker.backend.stats()}
    assert ready == {"default": 1, "other": 0}


def test_a_changed_file_reloads_the_workers(tasks: Tasks, running: list[Program]) -> None:
    # Its own default pattern, **.py, matches nothing in watchdog 7.
    program = tasks.start("-p", "1", "-t", "1", "--watch", ".", "--watch-include", "**/*.py")
    running.append(program)
    tasks.send("plain", 1)
    [first] = tasks.wait_for(1)

    # It begins to watch some time after its first worker has begun to work, and misses what came before.
    # At one blow, and seldom: it signals itself at each event, and a signal while it starts anew is its end.
    for _ in range(5):
        changed = tasks.directory / "changed"
        changed.write_text(TASKS.replace("VERSION = 1", "VERSION = 2"))
        changed.replace(tasks.module)
        with suppress(AssertionError):
            eventually(lambda: "Sending signal 'SIGHUP'" in program.log, within_s=12.0)
            break
    sent = 2

    def is_new() -> bool:
        nonlocal sent
        tasks.send("plain", sent)
        sent += 1
        return tasks.done()[-1]["version"] == 2

    eventually(is_new, within_s=WITHIN_S, every_s=0.2)
    tasks.broker.join("default", timeout=60_000)

    done = tasks.done()
    assert sorted(each["plain"] for each in done) == list(range(1, sent)), "none lost, none done twice"
    assert done[-1]["pid"] != first["pid"]


def test_dramatiqs_own_prometheus_middleware_exports_figures(tasks: Tasks, running: list[Program]) -> None:
    port = free_port()
    running.append(
        tasks.start(
            *("-p", "2", "-t", "1"),
            dramatiq_prom_db=str(tasks.directory / "prometheus"),
            dramatiq_prom_host="127.0.0.1",
            dramatiq_prom_port=str(port),
        )
    )
    for number in range(3):
        tasks.send("plain", number)
    tasks.wait_for(3)

    def figure() -> str:
        with suppress(OSError), urlopen(f"http://127.0.0.1:{port}/metrics") as page:
            return str(page.read().decode())
        return ""

    counted = 'dramatiq_messages_total{actor_name="plain",queue_name="default"} 3.0'
    eventually(lambda: counted in figure(), within_s=WITHIN_S, every_s=0.1)
