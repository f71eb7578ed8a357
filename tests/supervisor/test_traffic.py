"""Webhooks come in at 200 a second, and the front door is changed meanwhile."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter

from tests.support.traffic import Connection, Traffic, request
from tests.support.waiting import eventually

from .conftest import MakeStage
from .stage import Stage, Up, kill

PER_S = 200

#: What has to have come in before and after, for the middle to be in the middle.
BEFORE, AFTER = 200, 300

#: Everything that came in has to be answered, too: on a machine that does other things, that takes a while.
ANSWERED_WITHIN_S = 180.0


def traffic(stage: Stage) -> Traffic:
    return Traffic(stage.url, stage.settings["TWILIO_AUTH_TOKEN"], per_s=PER_S)


def answered(stage: Stage) -> Counter[str]:
    """Wait until everything is answered; return how often each contact was."""
    eventually(lambda: stage.waiting() == 0, within_s=ANSWERED_WITHIN_S, every_s=0.2)
    return Counter(reply["to"] for reply in stage.replies())


def test_no_request_fails_and_no_message_is_lost_in_a_reload(stage: Stage) -> None:
    up = stage.up()
    before = set(up.pids().values())

    with traffic(stage) as load:
        eventually(lambda: len(load.sent) > BEFORE)
        up.signal(signal.SIGHUP)
        eventually(lambda: up.said("reload done"), within_s=120)
        sent = len(load.sent)
        eventually(lambda: len(load.sent) > sent + AFTER)

    assert load.answers() == {200: len(load.sent)}
    assert not before & set(up.pids().values()), "all of them are new"
    times = answered(stage)
    assert times.keys() == load.accepted()
    assert set(times.values()) == {1}


def test_what_had_its_200_before_the_api_was_killed_is_answered_once(stage: Stage) -> None:
    up = stage.up()
    pid = up.pids()["api-1"]

    with traffic(stage) as load:
        eventually(lambda: len(load.sent) > BEFORE)
        kill(pid)
        _wait_for_another(up, pid)
        sent = len(load.sent)
        eventually(lambda: len(load.sent) > sent + AFTER)

    assert load.answers()[200] > BEFORE + AFTER
    times = answered(stage)
    assert load.accepted() - times.keys() == set()
    assert set(times.values()) == {1}


def test_connections_wait_while_the_api_restarts(stage: Stage) -> None:
    up = stage.up()
    pid = up.pids()["api-1"]

    kill(pid)
    for _ in range(3):
        stage.write("Oi", sender=stage.contact())

    _wait_for_another(up, pid)
    stage.settle()
    assert len(stage.replies()) == 3


def test_a_reload_with_a_wrong_setting_changes_nothing(make_stage: MakeStage) -> None:
    stage = make_stage()
    up = stage.up()
    before = up.pids()

    (stage.directory / ".env").write_text("REPLY_UNKNOWN_POLICY=guess\n")
    up.signal(signal.SIGHUP)
    eventually(lambda: up.said("reload ABORTED: the replacement of a child failed"), within_s=60)

    assert up.pids() == before
    assert "REPLY_UNKNOWN_POLICY" in up.log
    stage.write("Oi", sender=stage.contact())
    stage.settle()
    assert len(stage.replies()) == 1

    (stage.directory / ".env").write_text("REPLY_UNKNOWN_POLICY=resend\n")
    up.signal(signal.SIGHUP)
    eventually(lambda: up.said("reload done"), within_s=60)
    assert not set(before.values()) & set(up.pids().values())


def test_no_connection_is_closed_without_a_goodbye(stage: Stage) -> None:
    """The old API accepts no more, and still answers who is connected."""
    up = stage.up()
    contact, token = stage.contact(), stage.settings["TWILIO_AUTH_TOKEN"]

    async def write_on() -> Connection:
        connection = Connection(stage.url)
        up.signal(signal.SIGHUP)
        while not up.said("child stopped", child="api-1"):
            assert await connection.post(*request(contact, token)) == 200
            await asyncio.sleep(0.3)
        assert await connection.post(*request(contact, token)) == 200, "the new one answers"
        connection.close()
        return connection

    connection = asyncio.run(write_on())
    assert (connection.opened, connection.dropped) == (2, 0)


def _wait_for_another(up: Up, pid: int) -> None:
    eventually(lambda: up.is_ready() and up.pids()["api-1"] != pid, within_s=60, every_s=0.05)


def test_children_go_on_while_the_supervisor_is_stopped(make_stage: MakeStage) -> None:
    """Their log fills the pipes to a supervisor that does not read."""
    stage = make_stage(LOG_LEVEL="DEBUG")
    up = stage.up()
    with Traffic(stage.url, stage.settings["TWILIO_AUTH_TOKEN"], per_s=40) as load:
        up.signal(signal.SIGSTOP)
        try:
            eventually(lambda: len(load.sent) >= 800, within_s=120)
        finally:
            up.signal(signal.SIGCONT)
    assert load.answers() == {200: len(load.sent)}
    assert set(answered(stage).values()) == {1}
    up.wait_until_ready()
    assert all(child["restarts"] == 0 for child in up.children().values())
