"""BullMQ's scripts are given the keys that its own package gives them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from bullmq.scripts import Scripts

from brokers.bullmq import scripts
from brokers.bullmq.scripts import KEYS


class Recorder(dict[str, Any]):
    """Stands for the package's connection: notes the keys that each script is called with."""

    def __init__(self) -> None:
        super().__init__()
        self.conn, self.commands = None, self
        self.keys_of: dict[str, list[str]] = {}

    def __missing__(self, name: str) -> Any:
        def called(keys: list[str], args: Any = None, client: Any = None) -> Any:
            self.keys_of[name] = keys

            async def answer() -> int:
                return 0

            return answer()

        return called


class AJob:
    """As much of a job as the package looks at."""

    id, name, timestamp, attempts, attemptsMade = "the-job", "", 1, 1, 0  # noqa: N815
    data: dict[str, Any] = {}  # noqa: RUF012
    opts: dict[str, Any] = {}  # noqa: RUF012
    parent = parentKey = repeatJobKey = deduplication_id = None  # noqa: N815

    class queue:  # noqa: N801
        opts: dict[str, Any] = {}  # noqa: RUF012


def _move_to_failed(package: Scripts) -> Any:
    return package.moveToFinished("the-job", *package.moveToFailedArgs(AJob, "why", False, "token", False))


#: How the package is made to call each, and the set that the job goes to, or comes from.
CALLS: dict[str, tuple[Any, str]] = {
    "addDelayedJob": (lambda s: s.addDelayedJob(AJob, 1), ""),
    "addPrioritizedJob": (lambda s: s.addPrioritizedJob(AJob, 1), ""),
    "addStandardJob": (lambda s: s.addStandardJob(AJob, 1), ""),
    "drain": (lambda s: s.drain(), ""),
    "extendLocks": (lambda s: s.extendJobLocks(["the-job"], ["token"], 1), ""),
    "moveStalledJobsToWait": (lambda s: s.moveStalledJobsToWait(1, 1), ""),
    "moveToActive": (lambda s: s.moveToActive("token", {}), ""),
    "moveToDelayed": (lambda s: s.moveToDelayed("the-job", 1, 1, "token", {}), ""),
    "moveToFinished": (_move_to_failed, "failed"),
    "pause": (lambda s: s.pause(False), ""),
    "removeJob": (lambda s: s.remove("the-job", False), ""),
    "reprocessJob": (lambda s: s.reprocessJob(AJob, "failed"), "failed"),
    "retryJob": (lambda s: s.retryJob("the-job", False, "token", {}), ""),
}


async def _call(package: Scripts, name: str) -> None:
    await CALLS[name][0](package)


@pytest.mark.parametrize("name", sorted(CALLS))
def test_keys_are_in_the_packages_order(name: str) -> None:
    recorder = Recorder()
    asyncio.run(_call(Scripts("bull", "messages", recorder), name))

    target = CALLS[name][1]
    parts = [key.replace("@", "the-job").replace(">", target) for key in KEYS[name].split()]
    assert recorder.keys_of[name] == [f"bull:messages:{part}" for part in parts]


def test_only_what_the_package_never_calls_is_not_looked_at() -> None:
    assert KEYS.keys() - CALLS.keys() == {"moveJobFromActiveToWait"}


def test_a_package_with_other_scripts_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(scripts.KEYS, "drain", "wait paused")
    scripts._function.cache_clear()

    with pytest.raises(ImportError, match=r"drain-2\.lua: install bullmq>=3\.4"):
        scripts._function("drain")


def test_the_texts_are_used_as_they_are() -> None:
    text = (scripts._texts() / "moveToFinished-14.lua").read_text()
    assert text in scripts.ACK.text
