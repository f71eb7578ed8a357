"""The documents and the settings say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ops.foundation.settings import Settings

from .documents import ROOT, default_of

TABLE = ROOT / "docs" / "settings.md"
README = ROOT / "README.md"
EXAMPLE = ROOT / ".env.example"


def expected_row(name: str) -> str:
    default = default_of(name)
    cell = f" `{default}` " if default else " "
    return f"| `{name.upper()}` |{cell}| {Settings.model_fields[name].description} |"


def rows(document: Path) -> list[str]:
    return re.findall(r"^\| `[A-Z0-9_]+` \|.*\|$", document.read_text(), re.MULTILINE)


def test_the_table_has_every_setting_with_its_default_and_meaning_in_order() -> None:
    assert rows(TABLE) == [expected_row(name) for name in Settings.model_fields]


def test_the_rows_of_the_readme_are_those_of_the_table() -> None:
    of_the_readme = rows(README)
    assert of_the_readme
    assert set(of_the_readme) <= set(rows(TABLE))
    assert "(docs/settings.md)" in README.read_text()


def test_the_example_has_every_setting_with_its_default_in_order() -> None:
    lines = re.findall(r"^(?:# )?([A-Z][A-Z0-9_]*)=(.*)$", EXAMPLE.read_text(), re.MULTILINE)
    assert lines == [(name.upper(), default_of(name)) for name in Settings.model_fields]


def test_the_example_explains_every_setting() -> None:
    for paragraph in EXAMPLE.read_text().strip().split("\n\n")[1:]:
        *explanation, last = paragraph.splitlines()
        if last.startswith("# ==="):
            continue
        assert "=" in last, paragraph
        assert 1 <= len(explanation) <= 2, paragraph
        assert all(line.startswith("# ") for line in explanation), paragraph


def test_only_what_has_no_good_default_is_left_to_fill_in() -> None:
    open_lines = [line for line in EXAMPLE.read_text().splitlines() if line and not line.startswith("#")]
    assert open_lines == ["TWILIO_ACCOUNT_SID=", "TWILIO_AUTH_TOKEN=", "PUBLIC_BASE_URL="]


def test_the_example_with_every_line_in_force_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(name, raising=False)
    in_force = tmp_path / "settings.env"
    in_force.write_text(re.sub(r"^# ([A-Z][A-Z0-9_]*=)", r"\1", EXAMPLE.read_text(), flags=re.MULTILINE))
    assert Settings(_env_file=in_force) == Settings(_env_file=None)
