"""Fuzz one target, guided by what its code runs through: `make fuzz`.

`python -m tests.fuzz TARGET SECONDS DIRECTORY` keeps the inputs that reach new code in the directory, and the
next run begins with them. An input that a target fails on is kept as `TARGET-crash-...`. It becomes a seed of
that target, with the change that mends it.
"""

from __future__ import annotations

import hashlib
import importlib
import logging
import sys
from pathlib import Path

import atheris

#: The longest input, in bytes: longer than a number that Python refuses to read.
LONGEST = 8_192

#: The packages whose code guides the search.
GUIDES = ["actors", "api", "twilio"]


def main(name: str, seconds: str, directory: str) -> None:
    logging.disable()
    with atheris.instrument_imports(include=GUIDES):
        target = importlib.import_module(f"tests.fuzz.{name}")
    corpus = Path(directory) / name
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in target.SEEDS:
        (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    options = [f"-max_total_time={seconds}", f"-max_len={LONGEST}", f"-artifact_prefix={directory}/{name}-"]
    atheris.Setup([sys.argv[0], *options, "-print_final_stats=1", str(corpus)], target.fuzz)
    atheris.Fuzz()


main(*sys.argv[1:])
