"""Importing changes nothing: no file, no log handler, no environment variable, no setting read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

#: Of these only `actors` makes a broker Dramatiq's global one, and `api`, `ops` and `recado` may import it.
PACKAGES = ("brokers", "ops/foundation", "actors", "api", "ops", "recado")

#: Imports modules one after another, and prints after each what the process looks like.
LOOK = """
import importlib, json, logging, os, sys
import dramatiq.broker
for name in sys.argv[1:]:
    before = dict(os.environ)
    importlib.import_module(name)
    broker = dramatiq.broker.global_broker
    print(json.dumps({
        "module": name,
        "files": os.listdir(),
        "handlers": len(logging.getLogger().handlers),
        "environment": sorted(dict(before.items() ^ os.environ.items())),
        "broker": broker is not None,
        "engine": broker is not None and "backend" in vars(broker),
    }))
"""

WRONG_SETTINGS = {"QUEUE_BACKEND": "redis", "WORKER_THREADS": "many", "TWILIO_ACCOUNT_SID": "no sid"}


def modules() -> list[str]:
    """Every module of the product but the commands, which run when they are imported."""
    names = []
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if parts[-1] != "__main__":
                names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return list(dict.fromkeys(names))


def test_importing_a_module_changes_nothing(tmp_path: Path) -> None:
    names = modules()
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:recado", "-c", LOOK, *names],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **WRONG_SETTINGS},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    seen = [json.loads(line) for line in done.stdout.splitlines()]

    assert done.returncode == 0, done.stderr
    assert [each["module"] for each in seen] == names
    for each in seen:
        assert (each["files"], each["handlers"], each["environment"], each["engine"]) == ([], 0, [], False), (
            each
        )
        if each["module"].startswith(("brokers", "ops.foundation")):
            assert not each["broker"], each


def test_wrong_settings_stop_a_worker_when_it_boots(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dramatiq", "actors", "-p", "1", "-t", "1"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **WRONG_SETTINGS},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode != 0
    for problem in ("WORKER_THREADS", "TWILIO_ACCOUNT_SID", "REDIS_URL is missing"):
        assert problem in done.stderr
    assert list(tmp_path.iterdir()) == []
