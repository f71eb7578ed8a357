"""The engine's Lua scripts, one file each in lua/, around BullMQ's own.

BullMQ's rules are in the scripts that its Python package carries. Their texts are used here unchanged, each
as a function that scripts of ours call. So one call of the server does what takes several of BullMQ's (a
batch of acknowledgements, a claim of many), and what BullMQ lacks happens together with what it does, or not
at all.

The package's classes are not used: they are coroutines around these same texts, with one connection for each
queue, no batches, and no way to wait for the server's file. The texts travel by the client of the Redis
engine instead, which knows forks, Sentinel, clusters and lost answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from ..redis import scripts
from ..redis.scripts import Script

DIRECTORY = Path(__file__).with_name("lua")

#: BullMQ's scripts that are used here, each with the keys it takes, in order: parts of its queue, but `@` for
#: the key of the job itself, and `>` for the set that the job goes to or comes from.
KEYS: Mapping[str, str] = {
    "addDelayedJob": "marker meta id delayed completed events",
    "addPrioritizedJob": "marker meta id prioritized delayed completed active events pc",
    "addStandardJob": "wait paused meta id completed delayed active events marker",
    "drain": "wait paused delayed prioritized repeat",
    "extendLocks": "stalled",
    "moveJobFromActiveToWait": "active wait stalled paused meta limiter prioritized marker events",
    "moveStalledJobsToWait": "stalled wait active stalled-check meta paused marker events repeat",
    "moveToActive": "wait active prioritized events stalled limiter delayed paused meta pc marker",
    "moveToDelayed": "marker active prioritized delayed @ events meta stalled wait limiter pc",
    "moveToFinished": (
        "wait active prioritized events stalled limiter delayed paused meta pc > @ metrics:> marker"
    ),
    "pause": "paused wait meta prioritized events delayed marker",
    "removeJob": "@ repeat",
    "reprocessJob": "@ events > wait meta active marker prioritized pc",
    "retryJob": "active wait paused @ meta events delayed prioritized pc marker stalled",
}

#: What the package has to be for these to be its scripts.
REQUIREMENT = "bullmq>=3.4,<4"

#: What a file of ours calls, beside what it calls itself.
_ADD = ("addDelayedJob", "addPrioritizedJob", "addStandardJob")
_LET_GO = ("moveJobFromActiveToWait", "moveToDelayed")
_RECOVER = ("moveStalledJobsToWait", "moveToFinished")


def _texts() -> Path:
    package = find_spec("bullmq")  # which is not imported: the texts are all that is needed of it
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("The BullMQ engine needs its package: pip install 'recado[bullmq]'")
    return Path(package.submodule_search_locations[0]) / "commands"


@cache
def _function(name: str) -> str:
    """One of BullMQ's scripts as a function of Lua.

    Raises:
      ImportError: the package that is installed has other scripts.
    """
    keys = KEYS[name].split()
    path = _texts() / f"{name}-{len(keys)}.lua"
    if not path.exists():
        raise ImportError(f"The bullmq package has no script {path.name}: install {REQUIREMENT}")
    listed = ", ".join(f"'{key}'" for key in keys)
    head = f"local function {name}(queue, ARGV, id, target)"
    return f"{head}\nlocal KEYS = keys_of(queue, {{{listed}}}, id, target)\n{path.read_text()}\nend"


def _load(*names: str, calls: tuple[str, ...] = ()) -> Script:
    keys = (DIRECTORY / "keys.lua").read_text()
    rules = "\n".join((keys, *(_function(name) for name in calls)))
    return scripts.load(*names, directory=DIRECTORY, rules=rules)


ACK = _load("bury", "ack", calls=("moveToFinished",))
ADOPT = _load("add", "adopt", calls=(*_ADD, "removeJob"))
CLAIM = _load("look", "bury", "claim", calls=("moveToActive", "moveToFinished"))
COUNT_DEAD = _load("count_dead")
DEAD = _load("show", "dead")
DISCARD = _load("discard", calls=("removeJob",))
ENQUEUE = _load("look", "add", "enqueue", calls=(*_ADD, "removeJob"))
FLUSH = _load("flush", calls=("drain", "removeJob"))
GET = _load("show", "get")
GIVE_BACK = _load("let_go", "give_back", calls=_LET_GO)
LIST = _load("show", "list")
NACK = _load("bury", "nack", calls=("moveToFinished",))
PASS_ON = _load("pass_on")
PAUSE = _load("pause", calls=("pause",))
RECOVER = _load("bury", "recover", "recover_all", calls=_RECOVER)
RELEASE = _load("let_go", "release", calls=_LET_GO)
REMOVE = _load("show", "remove", calls=("removeJob",))
RENEW = _load("renew", calls=("extendLocks",))
REPLAY = _load("show", "replay", calls=("reprocessJob",))
REPORT_DEATH = _load("bury", "recover", "report_death", calls=_RECOVER)
RETRY = _load("add", "retry", calls=(*_ADD, "moveToDelayed", "removeJob", "retryJob"))
STATS = _load("stats")
