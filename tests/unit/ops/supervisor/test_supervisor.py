"""The decisions of the supervisor, on a simulated machine."""

from __future__ import annotations

import pytest

from ops.supervisor.control import lifecycle_events as events
from ops.supervisor.policy.autoscaler import Autoscaler
from ops.supervisor.policy.recycling import UsageLimits
from ops.supervisor.protocol.heartbeat import Backlog, Job

from .simulation import MB, Simulation

ALL = {"api-1", "worker-1", "worker-2"}


def test_everything_is_up_once_there_is_an_api_and_a_worker() -> None:
    simulation = Simulation()
    simulation.supervisor.start()
    assert list(simulation.living()) == ["worker-1", "worker-2", "api-1"]
    simulation.send_heartbeat("api-1")
    assert not simulation.supervisor.is_ready
    simulation.send_heartbeat("worker-2")
    assert simulation.supervisor.is_ready
    assert len(simulation.emitted(events.SupervisorReady)) == 1


def test_a_dead_child_is_started_again_under_its_name_and_the_others_stay() -> None:
    simulation = Simulation()
    simulation.up()
    before = simulation.living()

    simulation.dies("worker-1")
    assert simulation.states()["worker-1"] == "waiting"
    simulation.advance(0.5)

    after = simulation.living()
    assert after["worker-1"] != before["worker-1"]
    assert {name: after[name] for name in ALL - {"worker-1"}} == {
        name: before[name] for name in ALL - {"worker-1"}
    }


def test_only_workers_deaths_are_reported_and_only_those_that_were_no_proper_end() -> None:
    simulation = Simulation()
    simulation.up()
    simulation.dies("api-1")
    simulation.dies("worker-1", code=0)
    assert simulation.reported == []
    simulation.dies("worker-2", code=1)
    assert simulation.reported == ["worker-2"]


def crash(simulation: Simulation, name: str) -> None:
    """Let a child die until the supervisor gives it up."""
    while simulation.states()[name] != "failed":
        if name in simulation.living():
            simulation.dies(name, code=1)
        simulation.advance(0.25)


def test_a_child_over_the_limit_has_failed_and_the_rest_goes_on() -> None:
    simulation = Simulation()
    simulation.up()
    crash(simulation, "worker-1")
    simulation.advance(300)
    assert simulation.states() == {"worker-1": "failed", "worker-2": "ready", "api-1": "ready"}
    assert simulation.told_to_stop == []


@pytest.mark.parametrize(("code", "exit_code"), [(1, 1), (2, 2)])
def test_without_any_worker_it_stops_with_an_error(code: int, exit_code: int) -> None:
    simulation = Simulation()
    simulation.supervisor.start()
    simulation.send_heartbeat("api-1")
    while simulation.supervisor.state != "stopping":
        for name in [name for name in simulation.living() if name != "api-1"]:
            simulation.dies(name, code=code)
        simulation.advance(0.25)
    assert simulation.told_to_stop == ["api-1"]
    simulation.dies("api-1", code=0)
    assert simulation.supervisor.is_over
    assert simulation.supervisor.exit_code == exit_code


def test_a_machine_without_room_is_asked_again() -> None:
    simulation = Simulation()
    simulation.up()
    simulation.no_room = True
    simulation.dies("worker-1")
    simulation.advance(20)
    assert len(simulation.emitted(events.ChildNotStarted)) >= 3
    simulation.no_room = False
    simulation.advance(6)
    assert "worker-1" in simulation.living()


# -- health --------------------------------------------------------------------------------------------


def test_a_silent_child_is_killed_and_started_again() -> None:
    simulation = Simulation()
    simulation.up()
    simulation.silent = {"worker-1"}
    simulation.advance(9)
    assert simulation.killed == []
    simulation.advance(3)
    assert simulation.killed == ["worker-1"]
    simulation.dies("worker-1")
    simulation.advance(1)
    assert "worker-1" in simulation.living()


def test_nobody_is_blamed_for_a_time_in_which_the_supervisor_itself_was_stopped() -> None:
    simulation = Simulation()
    simulation.up()
    simulation.advance(5)
    simulation.now += 3_600
    simulation.supervisor.do_what_is_due(0)
    assert simulation.killed == []
    simulation.silent = ALL
    simulation.advance(12)
    assert set(simulation.killed) == ALL


def test_one_that_never_becomes_ready_is_killed() -> None:
    simulation = Simulation()
    simulation.supervisor.start()
    for name in ALL - {"worker-2"}:
        simulation.send_heartbeat(name)
    simulation.advance(59)
    assert simulation.killed == []
    simulation.advance(3)
    assert simulation.killed == ["worker-2"]


def test_a_stuck_worker_is_replaced_first_and_killed_when_nothing_else_runs_in_it() -> None:
    simulation = Simulation()
    simulation.up()
    stuck = Job("id", "count", 200.0, 120.0)
    simulation.send_heartbeat("worker-1", running=2, stuck=1, job=stuck)
    simulation.advance(2)
    assert simulation.told_to_stop == []
    simulation.send_heartbeat("worker-3")
    assert simulation.told_to_stop == ["worker-1"]
    simulation.send_heartbeat("worker-1", state="draining", running=2, stuck=1, job=stuck)
    simulation.advance(5)
    assert simulation.killed == [], "it still works"
    simulation.send_heartbeat("worker-1", state="draining", running=1, stuck=1, job=stuck)
    simulation.advance(1)
    assert simulation.killed == ["worker-1"]
    simulation.dies("worker-1")
    assert set(simulation.living()) == {"worker-2", "worker-3", "api-1"}
    assert simulation.reported == ["worker-1"], "so that its message runs again, and counts this"


def test_a_worker_with_dead_threads_is_replaced() -> None:
    simulation = Simulation()
    simulation.up()
    simulation.send_heartbeat("worker-2", threads=7, lost_threads=1)
    simulation.advance(2)
    assert [event.reason for event in simulation.emitted(events.ReplacementStarted)] == [
        "lost 1 of its threads"
    ]


def test_memory_over_the_hard_limit_is_the_end() -> None:
    simulation = Simulation(limits=UsageLimits(memory_bytes=100 * MB, hard_memory_bytes=200 * MB))
    simulation.up()
    simulation.rss["worker-1"] = 201 * MB
    simulation.rss["api-1"] = 500 * MB
    simulation.advance(1)
    assert simulation.killed == ["worker-1"]


# -- replacing -----------------------------------------------------------------------------------------


def test_worn_workers_are_replaced_one_at_a_time() -> None:
    simulation = Simulation(limits=UsageLimits(memory_bytes=100 * MB))
    simulation.up()
    simulation.rss = {"worker-1": 150 * MB, "worker-2": 150 * MB}
    simulation.advance(10)
    assert set(simulation.living()) == ALL | {"worker-3"}
    simulation.send_heartbeat("worker-3")
    simulation.advance(10)
    assert simulation.told_to_stop == ["worker-1"], "the other waits until it is gone"
    simulation.dies("worker-1", code=0)
    assert set(simulation.living()) == {"worker-1", "worker-2", "worker-3", "api-1"}
    simulation.send_heartbeat("worker-1")
    assert simulation.told_to_stop == ["worker-1", "worker-2"]


def test_an_old_one_that_dies_while_its_replacement_starts_is_replaced_all_the_same() -> None:
    simulation = Simulation(limits=UsageLimits(jobs=10))
    simulation.up()
    simulation.send_heartbeat("worker-1", done=10)
    simulation.advance(2)
    simulation.dies("worker-1")
    simulation.send_heartbeat("worker-3")
    simulation.advance(60)
    assert set(simulation.living()) == {"worker-2", "worker-3", "api-1"}


def test_a_replacement_that_fails_leaves_the_old_one_and_is_tried_again_later() -> None:
    simulation = Simulation(limits=UsageLimits(jobs=10))
    simulation.up()
    simulation.send_heartbeat("worker-1", done=10)
    simulation.advance(2)
    simulation.dies("worker-3", code=1)
    simulation.advance(20)
    assert set(simulation.living()) == ALL
    simulation.advance(20)
    assert set(simulation.living()) == ALL | {"worker-3"}


# -- reload --------------------------------------------------------------------------------------------


def step(simulation: Simulation, old: str, new: str) -> None:
    """One child's turn in a reload."""
    assert new in simulation.living()
    assert old not in simulation.told_to_stop
    simulation.send_heartbeat(new)
    assert simulation.told_to_stop[-1] == old
    simulation.dies(old, code=0)


def test_a_reload_replaces_all_one_at_a_time_the_api_first() -> None:
    simulation = Simulation()
    simulation.up()
    simulation.advance(5)
    simulation.supervisor.reload()
    assert simulation.supervisor.state == "reloading"
    step(simulation, "api-1", "api-2")
    step(simulation, "worker-1", "worker-3")
    simulation.told_to_stop.clear()
    step(simulation, "worker-2", "worker-1")
    assert set(simulation.living()) == {"api-2", "worker-1", "worker-3"}
    assert simulation.supervisor.state == "running"
    assert len(simulation.emitted(events.ReloadDone)) == 1


def test_a_replacement_that_does_not_become_ready_ends_the_reload() -> None:
    simulation = Simulation()
    simulation.up()
    simulation.advance(5)
    simulation.supervisor.reload()
    step(simulation, "api-1", "api-2")
    simulation.dies("worker-3", code=2)
    simulation.advance(100)
    assert set(simulation.living()) == {"api-2", "worker-1", "worker-2"}
    assert simulation.supervisor.state == "running"
    assert [event.child for event in simulation.emitted(events.ReloadAborted)] == ["worker-1"]


def test_a_replacement_that_hangs_at_its_start_ends_the_reload_too() -> None:
    simulation = Simulation()
    simulation.up()
    simulation.advance(5)
    simulation.supervisor.reload()
    simulation.advance(62)
    assert simulation.killed == ["api-2"]
    simulation.dies("api-2")
    assert len(simulation.emitted(events.ReloadAborted)) == 1


def test_a_reload_starts_the_failed_anew() -> None:
    simulation = Simulation()
    simulation.up()
    crash(simulation, "worker-1")
    simulation.supervisor.reload()
    simulation.advance(0.5)
    assert simulation.states()["worker-1"] == "starting"


def test_a_second_reload_replaces_what_the_first_just_started() -> None:
    simulation = Simulation(workers=1)
    simulation.up()
    simulation.advance(5)
    simulation.supervisor.reload()
    step(simulation, "api-1", "api-2")
    simulation.advance(1)
    simulation.supervisor.reload()
    step(simulation, "worker-1", "worker-2")
    simulation.told_to_stop.clear()
    step(simulation, "api-2", "api-1")
    simulation.told_to_stop.clear()
    step(simulation, "worker-2", "worker-1")
    assert set(simulation.living()) == {"api-1", "worker-1"}


# -- scaling -------------------------------------------------------------------------------------------


def test_workers_come_with_a_backlog_and_go_when_it_is_gone() -> None:
    autoscaler = Autoscaler(least=2, most=4, threads=8, target_wait_s=10.0)
    simulation = Simulation(autoscaler=autoscaler)
    simulation.up()
    for name in ("worker-1", "worker-2"):
        simulation.send_heartbeat(name, backlog=(Backlog("messages", 10_000, 0),))
    simulation.advance(6)
    assert set(simulation.living()) == ALL | {"worker-3", "worker-4"}
    for name in simulation.living():
        simulation.send_heartbeat(name, backlog=())
    while simulation.supervisor.scaling.wanted > 2 or len(simulation.living()) > 3:
        simulation.advance(1)
        for name in set(simulation.told_to_stop) & simulation.living().keys():
            simulation.dies(name, code=0)
    assert simulation.told_to_stop == ["worker-4", "worker-3"]


# -- the end -------------------------------------------------------------------------------------------


def test_the_api_stops_first_and_then_all_workers_at_once() -> None:
    simulation = Simulation()
    simulation.up()
    simulation.supervisor.stop("SIGTERM")
    simulation.advance(5)
    assert simulation.told_to_stop == ["api-1"]
    simulation.dies("api-1", code=0)
    assert simulation.told_to_stop == ["api-1", "worker-1", "worker-2"]
    simulation.dies("worker-2", code=0)
    assert not simulation.supervisor.is_over
    simulation.dies("worker-1", code=0)
    assert simulation.supervisor.is_over
    assert simulation.supervisor.exit_code == 0


def test_all_of_it_takes_no_longer_than_it_may() -> None:
    simulation = Simulation(drain_timeout_s=60.0)
    simulation.up()
    simulation.supervisor.stop("SIGTERM")
    simulation.advance(21)
    assert simulation.killed == ["api-1"], "its own time is up"
    simulation.dies("api-1")
    simulation.advance(37)
    assert simulation.killed == ["api-1"]
    simulation.advance(2)
    assert set(simulation.killed) == ALL
    simulation.dies("worker-1")
    simulation.dies("worker-2")
    assert simulation.supervisor.is_over
    assert simulation.supervisor.exit_code == 1


def test_what_not_even_a_kill_ends_is_not_waited_for() -> None:
    simulation = Simulation(drain_timeout_s=10.0)
    simulation.up()
    simulation.supervisor.stop("SIGTERM")
    simulation.advance(20)
    assert simulation.supervisor.is_over


def test_told_a_second_time_it_kills() -> None:
    simulation = Simulation()
    simulation.up()
    simulation.supervisor.stop("SIGINT")
    simulation.supervisor.stop("SIGINT")
    assert set(simulation.killed) == ALL


def test_nothing_is_started_while_it_stops() -> None:
    simulation = Simulation()
    simulation.up()
    simulation.advance(5)
    simulation.supervisor.reload()
    simulation.dies("worker-1")
    simulation.supervisor.stop("SIGTERM")
    simulation.supervisor.reload()
    simulation.advance(10)
    assert "worker-1" not in simulation.living()
    assert set(simulation.told_to_stop) == {"api-1", "api-2"}
    for name in ("api-1", "api-2"):
        simulation.dies(name, code=0)
    simulation.dies("worker-2", code=1)
    assert simulation.supervisor.is_over


def test_an_api_that_cannot_open_its_queue_is_left_to_wait_for_it() -> None:
    simulation = Simulation()
    simulation.up()
    simulation.dies("api-1")
    simulation.advance(1.0)
    simulation.send_heartbeat("api-1", state="unready", queue_error="disk full")
    assert simulation.supervisor.api_accepts
    simulation.advance(300.0)

    assert simulation.killed == []
    assert simulation.states()["api-1"] == "starting"
    simulation.send_heartbeat("api-1")
    assert simulation.states()["api-1"] == "ready"


def test_an_api_that_cannot_open_its_queue_takes_no_others_place() -> None:
    """New settings may name another queue, and the old API has one that works."""
    simulation = Simulation()
    simulation.up()
    simulation.advance(1.0)
    simulation.supervisor.reload()
    simulation.send_heartbeat("api-2", state="unready", queue_error="no such directory")
    simulation.advance(70.0)

    assert simulation.killed == ["api-2"]
    simulation.dies("api-2")
    assert simulation.states()["api-1"] == "ready"
    assert len(simulation.emitted(events.ReloadAborted)) == 1


def test_an_api_is_told_at_its_start_whether_another_one_serves() -> None:
    simulation = Simulation()
    simulation.up()
    simulation.advance(1.0)
    assert not simulation.beside_another["api-1"]
    simulation.supervisor.reload()
    assert simulation.beside_another["api-2"]

    simulation.dies("api-2")
    simulation.dies("api-1")
    simulation.advance(1.0)
    assert not simulation.beside_another["api-1"]


def test_a_reload_replaces_an_api_that_cannot_open_its_queue() -> None:
    simulation = Simulation()
    simulation.supervisor.start()
    simulation.send_heartbeat("api-1", state="unready", queue_error="no such directory")
    simulation.send_heartbeat("worker-1")
    simulation.send_heartbeat("worker-2")
    simulation.advance(1.0)
    simulation.supervisor.reload()
    simulation.send_heartbeat("api-2")

    assert simulation.told_to_stop == ["api-1"]


def test_it_knows_whether_an_api_accepts_connections_and_whether_one_is_to_come() -> None:
    simulation = Simulation()
    simulation.supervisor.start()
    assert not simulation.supervisor.api_accepts
    simulation.send_heartbeat("api-1")
    assert simulation.supervisor.api_accepts
    simulation.dies("api-1")
    assert not simulation.supervisor.api_accepts
    assert simulation.supervisor.api_is_expected

    simulation.advance(1.0)
    simulation.dies("api-1", code=2)
    assert not simulation.supervisor.api_is_expected
