"""`python -m tests.bench [theme ...] [--quick] [--runs N]`."""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from rich.console import Console

from . import (
    bullmq,
    customers,
    dashboard,
    disk,
    enqueue,
    inbox,
    pickup,
    process,
    recovery,
    redis,
    scale,
    soak,
    supervisor,
    webhook,
)
from .figures import Figure
from .harness import WORK, Bench, apart
from .machine import describe
from .report import markdown, table

THEMES: Mapping[str, ModuleType] = {
    "disk": disk,
    "process": process,
    "enqueue": enqueue,
    "webhook": webhook,
    "customers": customers,
    "pickup": pickup,
    "redis": redis,
    "bullmq": bullmq,
    "scale": scale,
    "recovery": recovery,
    "soak": soak,
    "supervisor": supervisor,
    "dashboard": dashboard,
    "inbox": inbox,
}

#: Exit codes.
ALL_MET, BARS_MISSED, NOT_MEASURED = 0, 1, 2


def main() -> int:
    """Measure what was asked for, show it, and keep it as JSON."""
    options = _options()
    if options.markdown:
        print(markdown(json.loads(options.markdown.read_text())))
        return ALL_MET
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that every process we started is ended
    console = Console() if sys.stdout.isatty() else Console(width=140)
    say = partial(console.print, style="dim", highlight=False)
    bench = Bench(runs=options.runs or (2 if options.quick else 5), quick=options.quick, say=say)
    results = _kept(options.results)
    results["machine"] = _machine(bench)
    outcomes = []
    for name in options.themes or THEMES:
        outcomes.append(_measure(name, bench, results, console))
        options.results.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    console.print(f"Everything, each run included, is in {options.results}.")
    return max(outcomes)


def _measure(name: str, bench: Bench, results: dict[str, Any], console: Console) -> int:
    theme = THEMES[name]
    console.rule(name, align="left")
    subject = getattr(theme, "SUBJECT", "Recado")
    began = datetime.now(UTC)
    try:
        figures: list[Figure] = theme.measure(bench)
    except Exception:  # noqa: BLE001  whatever it is, the other themes can be measured
        traceback.print_exc()
        console.print(f"[bold red]{name} was not measured.[/]")
        return NOT_MEASURED
    console.print(table(theme.TITLE, subject, figures))
    results["themes"][name] = {
        "title": theme.TITLE,
        "subject": subject,
        "began_at": began.isoformat(timespec="seconds"),
        "took_s": round((datetime.now(UTC) - began).total_seconds()),
        "quick": bench.quick,
        "runs": bench.runs,
        "figures": [figure.to_json() for figure in figures],
    }
    return BARS_MISSED if any(figure.is_met is False for figure in figures) else ALL_MET


def _machine(bench: Bench) -> dict[str, Any]:
    measure = apart(disk.appends_per_second, seconds=bench.size(2.0, 0.2))
    with bench.directory() as directory:
        rates = [measure(directory) for _ in range(3)]
    return {**describe(WORK), "fdatasync_appends_per_second": statistics.median(rates)}


def _kept(path: Path) -> dict[str, Any]:
    """The results there are: themes that are not measured now keep theirs."""
    themes = json.loads(path.read_text())["themes"] if path.exists() else {}
    return {"machine": {}, "themes": {name: themes[name] for name in THEMES if name in themes}}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("themes", nargs="*", metavar="theme", help=f"of {', '.join(THEMES)}; all when none")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, only to see that it works")
    parser.add_argument(
        "--runs", type=int, help="how many runs: in each, all contenders have their turns (5; 2 when quick)"
    )
    parser.add_argument("--results", type=Path, default=Path("bench-results.json"), help="the results' file")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="only print a results file as Markdown")
    options = parser.parse_args()
    if unknown := set(options.themes) - set(THEMES):
        parser.error(f"no such theme: {', '.join(sorted(unknown))}")
    return options


if __name__ == "__main__":
    sys.exit(main())
