"""A file of profiles is read anew by a reload, and a wrong one is refused."""

from __future__ import annotations

import signal

from tests.support.system import ADDRESS
from tests.support.waiting import eventually

from .conftest import MakeStage

PROFILE = f'[clinic]\naddresses = ["{ADDRESS}"]\nhelp_text = "TEXT"\n'


def test_a_reload_with_a_wrong_file_changes_nothing_and_with_a_right_one_all(make_stage: MakeStage) -> None:
    stage = make_stage()
    path = stage.directory / "profiles.toml"
    path.write_text(PROFILE.replace("TEXT", "Antes"))
    up = stage.up(PROFILES_PATH=str(path))
    before = up.pids()

    path.write_text(PROFILE.replace("help_text", "helptext").replace("addresses", "adresses"))
    up.signal(signal.SIGHUP)
    eventually(lambda: up.said("reload ABORTED: the replacement of a child failed"), within_s=60)

    assert up.pids() == before
    assert "did you mean help_text?" in up.log
    assert "did you mean addresses?" in up.log
    stage.write("AJUDA", sender=stage.contact())
    stage.settle()

    path.write_text(PROFILE.replace("TEXT", "Depois"))
    up.signal(signal.SIGHUP)
    eventually(lambda: up.said("reload done"), within_s=60)
    stage.write("AJUDA", sender=stage.contact())
    stage.settle()

    assert not set(before.values()) & set(up.pids().values())
    assert [reply["body"] for reply in stage.replies()] == ["Antes", "Depois"]


def test_nothing_starts_with_a_wrong_file(make_stage: MakeStage) -> None:
    stage = make_stage()
    path = stage.directory / "profiles.toml"
    path.write_text("[clinic]\n")

    up = stage.begin(PROFILES_PATH=str(path))

    assert up.wait() == 2
    assert "[clinic] addresses: Field required" in up.log
    assert not up.said("child ready")
