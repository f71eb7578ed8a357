"""`make demo AI=local`: a real model answers. Skipped where it is not installed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from ops import local_model
from tests.support.system import PATIENCE_S, ROOT

pytestmark = pytest.mark.skipif(not local_model.is_installed(), reason="needs the extra local-ai")


def test_a_real_model_answers_each_message_once() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ops.demo", "--ai", "local"],
        env={name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        | {"PYTHONPATH": os.environ.get("PYTHONPATH", str(ROOT))},
        capture_output=True,
        text=True,
        timeout=4 * PATIENCE_S,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Every message was answered exactly once." in done.stdout
    assert f"{local_model.NAME} answers, on this machine" in done.stdout
    assert "[echo" not in done.stdout
