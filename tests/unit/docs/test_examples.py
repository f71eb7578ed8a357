"""Every Python example in the documents runs. Each asserts its own output."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ops.foundation.settings import Settings

from .documents import DOCUMENTS, Block, blocks

#: A deadline for what would otherwise hang, not a measure.
DEADLINE_S = 60.0

EXAMPLES = [block for document in DOCUMENTS for block in blocks(document) if block.language == "python"]


def test_the_readme_has_examples() -> None:
    assert len([example for example in EXAMPLES if example.where.startswith("README.md")]) >= 3


@pytest.mark.parametrize("example", [pytest.param(example, id=example.where) for example in EXAMPLES])
def test_example_runs(example: Block, tmp_path: Path) -> None:
    assert "assert " in example.text, "an example has to check what it shows"
    script = tmp_path / "example.py"
    script.write_text(example.text)
    settings = {name.upper() for name in Settings.model_fields}
    environment = {name: value for name, value in os.environ.items() if name.upper() not in settings}

    ended = subprocess.run(
        [sys.executable, "-W", "error", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
