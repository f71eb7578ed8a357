"""What the supervisor decides, on paper."""

from __future__ import annotations

import pytest

from ops.supervisor.control import lifecycle_events as events
from ops.supervisor.policy.autoscaler import Autoscaler
from ops.supervisor.policy.recycling import UsageLimits
from ops.supervisor.protocol.heartbeat import Backlog, Job

from .paper import MB, Paper

EVERYBODY = {"api-1", "worker-1", "worker-2"}


def test_everything_is_up_once_there_is_an_api_and_a_worker() -> None:
    paper = Paper()
    paper.supervisor.start()
    assert list(paper.living()) == ["worker-1", "worker-2", "api-1"]
    paper.beats("api-1")
    assert not paper.supervisor.is_ready
    paper.beats("worker-2")
    assert paper.supervisor.is_ready
    assert len(paper.said(events.SupervisorReady)) == 1


def test_a_dead_child_is_started_again_under_its_name_and_the_others_stay() -> None:
    paper = Paper()
    paper.up()
    before = paper.living()

    paper.dies("worker-1")
    assert paper.states()["worker-1"] == "waiting"
    paper.goes_on(0.5)

    after = paper.living()
    assert after["worker-1"] != before["worker-1"]
    assert {name: after[name] for name in EVERYBODY - {"worker-1"}} == {
        name: before[name] for name in EVERYBODY - {"worker-1"}
    }


def test_only_workers_deaths_are_reported_and_only_those_that_were_no_proper_end() -> None:
    paper = Paper()
    paper.up()
    paper.dies("api-1")
    paper.dies("worker-1", code=0)
    assert paper.reported == []
    paper.dies("worker-2", code=1)
    assert paper.reported == ["worker-2"]


def crash(paper: Paper, name: str) -> None:
    """Until it is given up."""
    while paper.states()[name] != "failed":
        if name in paper.living():
            paper.dies(name, code=1)
        paper.goes_on(0.25)


def test_a_child_over_the_limit_has_failed_and_the_rest_goes_on() -> None:
    paper = Paper()
    paper.up()
    crash(paper, "worker-1")
    paper.goes_on(300)
    assert paper.states() == {"worker-1": "failed", "worker-2": "ready", "api-1": "ready"}
    assert paper.told_to_stop == []


@pytest.mark.parametrize(("code", "exit_code"), [(1, 1), (2, 2)])
def test_without_any_worker_it_stops_with_an_error(code: int, exit_code: int) -> None:
    paper = Paper()
    paper.supervisor.start()
    paper.beats("api-1")
    while paper.supervisor.state != "stopping":
        for name in [name for name in paper.living() if name != "api-1"]:
            paper.dies(name, code=code)
        paper.goes_on(0.25)
    assert paper.told_to_stop == ["api-1"]
    paper.dies("api-1", code=0)
    assert paper.supervisor.is_over
    assert paper.supervisor.exit_code == exit_code


def test_a_machine_without_room_is_asked_again() -> None:
    paper = Paper()
    paper.up()
    paper.no_room = True
    paper.dies("worker-1")
    paper.goes_on(20)
    assert len(paper.said(events.ChildNotStarted)) >= 3
    paper.no_room = False
    paper.goes_on(6)
    assert "worker-1" in paper.living()


# -- health --------------------------------------------------------------------------------------------


def test_a_silent_child_is_killed_and_started_again() -> None:
    paper = Paper()
    paper.up()
    paper.silent = {"worker-1"}
    paper.goes_on(9)
    assert paper.killed == []
    paper.goes_on(3)
    assert paper.killed == ["worker-1"]
    paper.dies("worker-1")
    paper.goes_on(1)
    assert "worker-1" in paper.living()


def test_nobody_is_blamed_for_a_time_in_which_the_supervisor_itself_was_stopped() -> None:
    paper = Paper()
    paper.up()
    paper.goes_on(5)
    paper.now += 3_600
    paper.supervisor.do_what_is_due(0)
    assert paper.killed == []
    paper.silent = EVERYBODY
    paper.goes_on(12)
    assert set(paper.killed) == EVERYBODY


def test_one_that_never_becomes_ready_is_killed() -> None:
    paper = Paper()
    paper.supervisor.start()
    for name in EVERYBODY - {"worker-2"}:
        paper.beats(name)
    paper.goes_on(59)
    assert paper.killed == []
    paper.goes_on(3)
    assert paper.killed == ["worker-2"]


def test_a_stuck_worker_is_replaced_first_and_killed_when_nothing_else_runs_in_it() -> None:
    paper = Paper()
    paper.up()
    stuck = Job("id", "count", 200.0, 120.0)
    paper.beats("worker-1", running=2, stuck=1, job=stuck)
    paper.goes_on(2)
    assert paper.told_to_stop == []
    paper.beats("worker-3")
    assert paper.told_to_stop == ["worker-1"]
    paper.beats("worker-1", state="draining", running=2, stuck=1, job=stuck)
    paper.goes_on(5)
    assert paper.killed == [], "it still works"
    paper.beats("worker-1", state="draining", running=1, stuck=1, job=stuck)
    paper.goes_on(1)
    assert paper.killed == ["worker-1"]
    paper.dies("worker-1")
    assert set(paper.living()) == {"worker-2", "worker-3", "api-1"}
    assert paper.reported == ["worker-1"], "so that its message runs again, and counts this"


def test_a_worker_with_dead_threads_is_replaced() -> None:
    paper = Paper()
    paper.up()
    paper.beats("worker-2", threads=7, lost_threads=1)
    paper.goes_on(2)
    assert [event.reason for event in paper.said(events.ReplacementStarted)] == ["lost 1 of its threads"]


def test_memory_over_the_hard_limit_is_the_end() -> None:
    paper = Paper(limits=UsageLimits(memory_bytes=100 * MB, hard_memory_bytes=200 * MB))
    paper.up()
    paper.rss["worker-1"] = 201 * MB
    paper.rss["api-1"] = 500 * MB
    paper.goes_on(1)
    assert paper.killed == ["worker-1"]


# -- replacing -----------------------------------------------------------------------------------------


def test_worn_workers_are_replaced_one_at_a_time() -> None:
    paper = Paper(limits=UsageLimits(memory_bytes=100 * MB))
    paper.up()
    paper.rss = {"worker-1": 150 * MB, "worker-2": 150 * MB}
    paper.goes_on(10)
    assert set(paper.living()) == EVERYBODY | {"worker-3"}
    paper.beats("worker-3")
    paper.goes_on(10)
    assert paper.told_to_stop == ["worker-1"], "the other waits until it is gone"
    paper.dies("worker-1", code=0)
    assert set(paper.living()) == {"worker-1", "worker-2", "worker-3", "api-1"}
    paper.beats("worker-1")
    assert paper.told_to_stop == ["worker-1", "worker-2"]


def test_an_old_one_that_dies_while_its_replacement_starts_is_replaced_all_the_same() -> None:
    paper = Paper(limits=UsageLimits(jobs=10))
    paper.up()
    paper.beats("worker-1", done=10)
    paper.goes_on(2)
    paper.dies("worker-1")
    paper.beats("worker-3")
    paper.goes_on(60)
    assert set(paper.living()) == {"worker-2", "worker-3", "api-1"}


def test_a_replacement_that_fails_leaves_the_old_one_and_is_tried_again_later() -> None:
    paper = Paper(limits=UsageLimits(jobs=10))
    paper.up()
    paper.beats("worker-1", done=10)
    paper.goes_on(2)
    paper.dies("worker-3", code=1)
    paper.goes_on(20)
    assert set(paper.living()) == EVERYBODY
    paper.goes_on(20)
    assert set(paper.living()) == EVERYBODY | {"worker-3"}


# -- reload --------------------------------------------------------------------------------------------


def step(paper: Paper, old: str, new: str) -> None:
    """One child's turn in a reload."""
    assert new in paper.living()
    assert old not in paper.told_to_stop
    paper.beats(new)
    assert paper.told_to_stop[-1] == old
    paper.dies(old, code=0)


def test_a_reload_replaces_all_one_at_a_time_the_api_first() -> None:
    paper = Paper()
    paper.up()
    paper.goes_on(5)
    paper.supervisor.reload()
    assert paper.supervisor.state == "reloading"
    step(paper, "api-1", "api-2")
    step(paper, "worker-1", "worker-3")
    paper.told_to_stop.clear()
    step(paper, "worker-2", "worker-1")
    assert set(paper.living()) == {"api-2", "worker-1", "worker-3"}
    assert paper.supervisor.state == "running"
    assert len(paper.said(events.ReloadDone)) == 1


def test_a_replacement_that_does_not_become_ready_ends_the_reload() -> None:
    paper = Paper()
    paper.up()
    paper.goes_on(5)
    paper.supervisor.reload()
    step(paper, "api-1", "api-2")
    paper.dies("worker-3", code=2)
    paper.goes_on(100)
    assert set(paper.living()) == {"api-2", "worker-1", "worker-2"}
    assert paper.supervisor.state == "running"
    assert [event.child for event in paper.said(events.ReloadAborted)] == ["worker-1"]


def test_a_replacement_that_hangs_at_its_start_ends_the_reload_too() -> None:
    paper = Paper()
    paper.up()
    paper.goes_on(5)
    paper.supervisor.reload()
    paper.goes_on(62)
    assert paper.killed == ["api-2"]
    paper.dies("api-2")
    assert len(paper.said(events.ReloadAborted)) == 1


def test_a_reload_starts_the_failed_anew() -> None:
    paper = Paper()
    paper.up()
    crash(paper, "worker-1")
    paper.supervisor.reload()
    paper.goes_on(0.5)
    assert paper.states()["worker-1"] == "starting"


def test_a_second_reload_replaces_what_the_first_just_started() -> None:
    paper = Paper(workers=1)
    paper.up()
    paper.goes_on(5)
    paper.supervisor.reload()
    step(paper, "api-1", "api-2")
    paper.goes_on(1)
    paper.supervisor.reload()
    step(paper, "worker-1", "worker-2")
    paper.told_to_stop.clear()
    step(paper, "api-2", "api-1")
    paper.told_to_stop.clear()
    step(paper, "worker-2", "worker-1")
    assert set(paper.living()) == {"api-1", "worker-1"}


# -- scaling -------------------------------------------------------------------------------------------


def test_workers_come_with_a_backlog_and_go_when_it_is_gone() -> None:
    autoscaler = Autoscaler(least=2, most=4, threads=8, target_wait_s=10.0)
    paper = Paper(autoscaler=autoscaler)
    paper.up()
    for name in ("worker-1", "worker-2"):
        paper.beats(name, backlog=(Backlog("messages", 10_000, 0),))
    paper.goes_on(6)
    assert set(paper.living()) == EVERYBODY | {"worker-3", "worker-4"}
    for name in paper.living():
        paper.beats(name, backlog=())
    while paper.supervisor.scaling.wanted > 2 or len(paper.living()) > 3:
        paper.goes_on(1)
        for name in set(paper.told_to_stop) & paper.living().keys():
            paper.dies(name, code=0)
    assert paper.told_to_stop == ["worker-4", "worker-3"]


# -- the end -------------------------------------------------------------------------------------------


def test_the_api_stops_first_and_then_all_workers_at_once() -> None:
    paper = Paper()
    paper.up()
    paper.supervisor.stop("SIGTERM")
    paper.goes_on(5)
    assert paper.told_to_stop == ["api-1"]
    paper.dies("api-1", code=0)
    assert paper.told_to_stop == ["api-1", "worker-1", "worker-2"]
    paper.dies("worker-2", code=0)
    assert not paper.supervisor.is_over
    paper.dies("worker-1", code=0)
    assert paper.supervisor.is_over
    assert paper.supervisor.exit_code == 0


def test_all_of_it_takes_no_longer_than_it_may() -> None:
    paper = Paper(drain_timeout_s=60.0)
    paper.up()
    paper.supervisor.stop("SIGTERM")
    paper.goes_on(21)
    assert paper.killed == ["api-1"], "its own time is up"
    paper.dies("api-1")
    paper.goes_on(37)
    assert paper.killed == ["api-1"]
    paper.goes_on(2)
    assert set(paper.killed) == EVERYBODY
    paper.dies("worker-1")
    paper.dies("worker-2")
    assert paper.supervisor.is_over
    assert paper.supervisor.exit_code == 1


def test_what_not_even_a_kill_ends_is_not_waited_for() -> None:
    paper = Paper(drain_timeout_s=10.0)
    paper.up()
    paper.supervisor.stop("SIGTERM")
    paper.goes_on(20)
    assert paper.supervisor.is_over


def test_told_a_second_time_it_kills() -> None:
    paper = Paper()
    paper.up()
    paper.supervisor.stop("SIGINT")
    paper.supervisor.stop("SIGINT")
    assert set(paper.killed) == EVERYBODY


def test_nothing_is_started_while_it_stops() -> None:
    paper = Paper()
    paper.up()
    paper.goes_on(5)
    paper.supervisor.reload()
    paper.dies("worker-1")
    paper.supervisor.stop("SIGTERM")
    paper.supervisor.reload()
    paper.goes_on(10)
    assert "worker-1" not in paper.living()
    assert set(paper.told_to_stop) == {"api-1", "api-2"}
    for name in ("api-1", "api-2"):
        paper.dies(name, code=0)
    paper.dies("worker-2", code=1)
    assert paper.supervisor.is_over


def test_an_api_that_cannot_open_its_queue_is_left_to_wait_for_it() -> None:
    paper = Paper()
    paper.up()
    paper.dies("api-1")
    paper.goes_on(1.0)
    paper.beats("api-1", state="unready", queue_error="disk full")
    assert paper.supervisor.api_accepts
    paper.goes_on(300.0)

    assert paper.killed == []
    assert paper.states()["api-1"] == "starting"
    paper.beats("api-1")
    assert paper.states()["api-1"] == "ready"


def test_an_api_that_cannot_open_its_queue_takes_no_others_place() -> None:
    """New settings may name another queue, and the old API has one that works."""
    paper = Paper()
    paper.up()
    paper.goes_on(1.0)
    paper.supervisor.reload()
    paper.beats("api-2", state="unready", queue_error="no such directory")
    paper.goes_on(70.0)

    assert paper.killed == ["api-2"]
    paper.dies("api-2")
    assert paper.states()["api-1"] == "ready"
    assert len(paper.said(events.ReloadAborted)) == 1


def test_an_api_is_told_at_its_start_whether_another_one_serves() -> None:
    paper = Paper()
    paper.up()
    paper.goes_on(1.0)
    assert not paper.beside_another["api-1"]
    paper.supervisor.reload()
    assert paper.beside_another["api-2"]

    paper.dies("api-2")
    paper.dies("api-1")
    paper.goes_on(1.0)
    assert not paper.beside_another["api-1"]


def test_a_reload_replaces_an_api_that_cannot_open_its_queue() -> None:
    paper = Paper()
    paper.supervisor.start()
    paper.beats("api-1", state="unready", queue_error="no such directory")
    paper.beats("worker-1")
    paper.beats("worker-2")
    paper.goes_on(1.0)
    paper.supervisor.reload()
    paper.beats("api-2")

    assert paper.told_to_stop == ["api-1"]


def test_it_knows_whether_an_api_accepts_connections_and_whether_one_is_to_come() -> None:
    paper = Paper()
    paper.supervisor.start()
    assert not paper.supervisor.api_accepts
    paper.beats("api-1")
    assert paper.supervisor.api_accepts
    paper.dies("api-1")
    assert not paper.supervisor.api_accepts
    assert paper.supervisor.api_is_expected

    paper.goes_on(1.0)
    paper.dies("api-1", code=2)
    assert not paper.supervisor.api_is_expected
