"""The page on profiles and the code say the same, and its example is right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from actors.profiles import load_profiles
from actors.profiles.table import IN_PLACE_OF, HoursTable, ProfileTable
from ops.foundation.settings import Settings

from .documents import ROOT, blocks

PAGE = ROOT / "docs" / "profiles.md"


def test_the_example_is_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [example] = [block.text for block in blocks(PAGE) if block.language == "toml"]
    (tmp_path / "profiles.toml").write_text(example)
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "clinic.txt").write_text("You answer for a clinic.")
    monkeypatch.setenv("BAR_AI_KEY", "sk-of-the-bar")

    clinic, bar = load_profiles(Settings(_env_file=None), tmp_path / "profiles.toml")

    assert clinic.system_prompt == "You answer for a clinic."
    assert clinic.settings.ai_extra == {"temperature": 0.2}
    assert clinic.hours is not None
    assert clinic.hours.closed_mode == "text"
    assert bar.settings.required("ai_api_key") == "sk-of-the-bar"
    assert bar.hours is not None
    assert bar.hours.closed_mode == "assistant"


def test_the_tables_have_every_key() -> None:
    keys = re.findall(r"^\| `([a-z_]+)` \|", PAGE.read_text(), re.MULTILINE)

    assert sorted(keys) == sorted([*IN_PLACE_OF, *ProfileTable.model_fields, *HoursTable.model_fields])


def test_a_key_that_stands_for_a_setting_names_it() -> None:
    page = PAGE.read_text()
    for key, setting in IN_PLACE_OF.items():
        if key != "system_prompt_path":
            assert re.search(rf"^\| `{key}` \| as `{setting.upper()}`", page, re.MULTILINE), key
