"""`make chaos`: the judge's trials, one after another, and a table of what came of them."""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

from .leaks import Found, live_all
from .outages import OTHERS, SHORT_ONES, Finding, NotPossible, Outage, is_good, suffer_all
from .peers import table as peers
from .recado import CommandFailed
from .storm import FORMS, Outcome, Storm, rage
from .trial import Unsettled
from .verdict import Verdict

#: The storm of `make chaos`, and that of `make chaos LONG=1`: 1,000 blows over the three forms.
SHORT = Storm(blows=18, every_s=1.2, settle_s=120, part=0.4)
LONG = Storm(blows=334, every_s=1.5, settle_s=600)

#: So many outages go side by side, each with three processes.
AT_ONCE = 3

STORM_HEAD = (
    "storm",
    "blows",
    "restarts",
    "requests",
    "promised",
    "answered",
    "told",
    "lost",
    "doubled",
    "untold",
    "s",
)
OUTAGE_HEAD = (
    "outage",
    "told after",
    "well after",
    "promised",
    "answered",
    "told",
    "gone",
    "lost",
    "doubled",
    "untold",
)


def main() -> int:
    """Run the trials; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.judge", description=__doc__)
    parser.add_argument("--long", action="store_true", help="1,000 blows, and every outage")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--storm", choices=[*FORMS, "none"], action="append", help="only these")
    parser.add_argument(
        "--outage", action="append", help="only those whose name has this in it; none for none"
    )
    parser.add_argument("--blows", type=int, help="so many in each storm")
    parser.add_argument("--leaks", type=float, metavar="SECONDS", help="look for what grows, for so long")
    parser.add_argument("--peers", action="store_true", help="Recado and its peers under the same kills")
    parser.add_argument("--keep", action="store_true", help="keep the files of good trials, too")
    chosen = parser.parse_args()
    print(f"seed {chosen.seed} (SEED={chosen.seed} repeats it), {machine()}", flush=True)
    directory = Path(tempfile.mkdtemp(prefix="recado-judge-"))
    if chosen.peers:
        trials = peers.try_all(chosen.seed, directory, blows=chosen.blows)
    elif chosen.leaks is not None:
        trials = look_for_leaks(chosen, directory)
    else:
        trials = try_all(chosen, directory)
    was_good = asyncio.run(until_told_to_stop(trials))
    if was_good and not chosen.keep:
        shutil.rmtree(directory)
    else:
        print(f"files and logs: {directory}")
    whose = " by Recado" if chosen.peers else ""
    print(f"nothing lost, doubled or untold{whose}" if was_good else "NOT GOOD: see above")
    return 0 if was_good else 1


async def until_told_to_stop(trials: Coroutine[Any, Any, bool]) -> bool:
    """Run the trials; end what they started when this process is told to stop."""
    task = asyncio.create_task(trials)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        print("told to stop")
        return False


async def look_for_leaks(chosen: argparse.Namespace, directory: Path) -> bool:
    """Have Recado live under load for a while; tell whether nothing grew, and nothing was lost."""
    forms = chosen.storm or ["sqlite", "redis"]
    found = await live_all(forms, chosen.seed, directory, for_s=chosen.leaks)
    return all([show_growth(*each) for each in found])  # noqa: C419  each is shown


def show_growth(form: str, life: str, found: Found) -> bool:
    """Print what grew in one life, and by how much; tell whether it was good."""
    promised, answered, told = promises(found.verdict)
    print(f"{form}, {life}, {found.reloads} reloads: {promised} promised, {answered} answered, {told} told")
    print(line(("", "first", "last", "per hour")), flush=True)
    for each in found.growths:
        numbers = (f"{number:.1f}" for number in (each.first, each.last, each.per_hour))
        print(line((each.name, *numbers)) + ("  LEAK" if each.is_leak else ""), flush=True)
    return explain(found.verdict) and not any(each.is_leak for each in found.growths)


async def try_all(chosen: argparse.Namespace, directory: Path) -> bool:
    """Run every trial that was chosen; tell whether all were good."""
    storms = [form for form in chosen.storm or FORMS if form != "none"]
    all_outages = SHORT_ONES + OTHERS if chosen.long or chosen.outage else SHORT_ONES
    words = chosen.outage or [""]
    outages = tuple(each for each in all_outages if any(word in each.name for word in words))
    was_good = True
    if storms:
        print(line(STORM_HEAD), flush=True)
    storm, free = (LONG, asyncio.Semaphore(1)) if chosen.long else (SHORT, asyncio.Semaphore(len(FORMS)))
    storm = replace(storm, blows=chosen.blows or storm.blows)
    async with asyncio.TaskGroup() as together:
        raging = [
            together.create_task(one_storm(form, storm, chosen.seed, directory, free)) for form in storms
        ]
        for form, task in zip(storms, raging, strict=True):
            was_good &= show_storm(form, await task)
    if outages:
        print(line(OUTAGE_HEAD), flush=True)
    async for outage, finding in suffer_all(outages, chosen.seed, directory, at_once=AT_ONCE):
        was_good &= show_outage(outage, finding)
    return was_good


async def one_storm(
    form: str, storm: Storm, seed: int, directory: Path, free: asyncio.Semaphore
) -> Outcome | Exception:
    async with free:
        try:
            return await rage(form, storm, seed, directory / form)
        except (Unsettled, TimeoutError, CommandFailed) as error:
            return error


def show_storm(form: str, outcome: Outcome | Exception) -> bool:
    """Print a storm's row; tell whether it was good."""
    if isinstance(outcome, Exception):
        print(f"{form:<30}  {type(outcome).__name__}: {outcome}", flush=True)
        return False
    blows = sum(outcome.dealt.values())
    counts = (blows, outcome.restarts, sum(outcome.answers.values()), *promises(outcome.verdict))
    print(line((form, *counts, *faults(outcome.verdict), f"{outcome.took_s:.0f}")), flush=True)
    if not outcome.verdict.is_good:
        print(f"  answers: {dict(outcome.answers)}")
    return explain(outcome.verdict)


def show_outage(outage: Outage, finding: Finding | Exception) -> bool:
    """Print an outage's row; tell whether Recado did what it has to."""
    if isinstance(finding, NotPossible):
        print(f"{outage.name:<30}  not tried: {finding}", flush=True)
        return True
    if isinstance(finding, Exception):
        print(f"{outage.name:<30}  {type(finding).__name__}: {finding}", flush=True)
        return False
    told_after = "not told" if finding.told_after_s is None else f"{finding.told_after_s:.1f} s"
    times = (told_after, f"{finding.well_after_s:.1f} s")
    counts = (*promises(finding.verdict), finding.gone, *faults(finding.verdict))
    print(line((outage.name, *times, *counts)), flush=True)
    if finding.why:
        print(f"  {finding.why[:150]}")
    explain(finding.verdict)
    return is_good(outage, finding)


def promises(verdict: Verdict) -> tuple[int, int, int]:
    return verdict.promised, verdict.answered, verdict.told


def faults(verdict: Verdict) -> tuple[int, int, int]:
    untold = len(verdict.untold) + len(verdict.unwanted) + len(verdict.stale)
    return len(verdict.lost), len(verdict.doubled), untold


def explain(verdict: Verdict) -> bool:
    """Name what is wrong, if anything is; tell whether nothing is."""
    for name in ("lost", "doubled", "untold", "unwanted", "stale"):
        if found := getattr(verdict, name):
            print(f"  {name}: {' '.join(found[:20])}", flush=True)
    return verdict.is_good


def line(cells: tuple[object, ...]) -> str:
    first, *others = cells
    return f"{first!s:<30}" + "".join(f"{cell!s:>11}" for cell in others)


def machine() -> str:
    python = f"Python {platform.python_version()}"
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, {python}"


if __name__ == "__main__":
    sys.exit(main())
