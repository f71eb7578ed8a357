"""The policies, each by itself."""

from __future__ import annotations

import pytest

from ops.supervisor.policy.autoscaler import FEWER_AFTER_S, Autoscaler, Load
from ops.supervisor.policy.cause import Cause
from ops.supervisor.policy.child_spec import ChildSpec
from ops.supervisor.policy.diagnosis import cannot_finish, is_impaired, is_silent
from ops.supervisor.policy.recycling import SAMPLES, ChildUsage, UsageLimits
from ops.supervisor.policy.restarts import (
    AT_WORK_CAP_S,
    Backoff,
    Death,
    GiveUp,
    RestartAfter,
    RestartLimit,
    RestartPolicy,
)
from ops.supervisor.protocol.heartbeat import MAX_BYTES, Backlog, Heartbeat, Job

MB = 1_000_000
JOB = Job("id", "count", 200.0, 120.0)


def longest() -> float:
    return 1.0


# -- backoff -------------------------------------------------------------------------------------------


def test_pauses_double_up_to_the_cap_and_begin_anew_after_a_reset() -> None:
    backoff = Backoff(0.5, 30.0, longest)
    assert [backoff.next_s() for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    backoff.reset()
    assert backoff.next_s() == 0.5


def test_jitter_is_full() -> None:
    draws = iter([0.0, 0.25, 1.0])
    backoff = Backoff(1.0, 30.0, lambda: next(draws))
    assert [backoff.next_s() for _ in range(3)] == [0.0, 0.5, 4.0]


def test_very_many_failures_are_no_overflow() -> None:
    backoff = Backoff(0.5, 30.0, longest)
    assert max(backoff.next_s() for _ in range(5_000)) == 30.0


# -- the restart limit ---------------------------------------------------------------------------------


def test_more_than_the_limit_within_the_period_is_too_much() -> None:
    limit = RestartLimit(5, 60.0)
    assert [limit.is_exceeded(now) for now in range(6)] == [False] * 5 + [True]


def test_what_was_before_the_period_does_not_count() -> None:
    limit = RestartLimit(5, 60.0)
    assert not any(limit.is_exceeded(now * 12.0) for now in range(100))


# -- restarts ------------------------------------------------------------------------------------------


def restarts(**spec: object) -> RestartPolicy:
    return RestartPolicy(ChildSpec("worker", ("worker",), **spec), longest)  # type: ignore[arg-type]


def test_a_crash_loop_backs_off_and_is_given_up() -> None:
    policy, now, pauses = restarts(), 0.0, []
    while isinstance(verdict := policy.judge(Death(-11, 1.0, at_work=False), now), RestartAfter):
        pauses.append(verdict.pause_s)
        now += verdict.pause_s + 1.0
    assert pauses == [0.5, 1, 2, 4, 8]
    assert verdict == GiveUp("more than 5 restarts in 60 s; the last end was SIGSEGV")


def test_a_death_now_and_then_is_never_too_much() -> None:
    policy = restarts()
    for hour in range(1_000):
        assert policy.judge(Death(1, 3_600.0, at_work=False), hour * 3_600.0) == RestartAfter(0.5)


def test_a_child_that_ended_well_by_itself_is_started_again_too() -> None:
    assert restarts().judge(Death(0, 5.0, at_work=False), 0.0) == RestartAfter(0.5)


def test_deaths_at_work_are_counted_by_the_messages_and_waited_for_only_briefly() -> None:
    policy = restarts(work_counts_deaths=True)
    verdicts = [policy.judge(Death(-11, 0.1, at_work=True), now * 0.5) for now in range(50)]
    assert set(verdicts) == {RestartAfter(AT_WORK_CAP_S)}
    assert policy.judge(Death(-11, 0.1, at_work=False), 25.0) == RestartAfter(0.5)


def test_deaths_at_work_count_where_the_work_does_not_count_them() -> None:
    policy = restarts()
    verdicts = [policy.judge(Death(-11, 0.1, at_work=True), now * 0.5) for now in range(6)]
    assert isinstance(verdicts[-1], GiveUp)


def test_a_queue_that_is_away_is_waited_for() -> None:
    policy = restarts()
    verdicts = [policy.judge(Death(3, None, at_work=False), 0.0) for _ in range(20)]
    assert verdicts[:3] == [RestartAfter(0.5), RestartAfter(1), RestartAfter(2)]
    assert verdicts[-1] == RestartAfter(30.0)


def test_wrong_settings_are_not_tried_again() -> None:
    verdict = restarts().judge(Death(2, None, at_work=False), 0.0)
    assert isinstance(verdict, GiveUp)
    assert "settings" in verdict.reason


def test_two_is_an_exit_code_like_any_other_for_one_that_was_ready() -> None:
    assert restarts().judge(Death(2, 5.0, at_work=False), 0.0) == RestartAfter(0.5)


@pytest.mark.parametrize(("code", "words"), [(3, "exit code 3"), (-9, "SIGKILL"), (-40, "signal 40")])
def test_an_end_is_told_in_words(code: int, words: str) -> None:
    assert str(Death(code, None, at_work=False)) == words


# -- heartbeats ----------------------------------------------------------------------------------------


def test_a_heartbeat_survives_its_journey() -> None:
    heartbeat = Heartbeat(
        "ready",
        running=2,
        stuck=1,
        job=JOB,
        threads=8,
        done=5,
        busy_s=1.5,
        backlog=(Backlog("messages", 3, 17), Backlog("replies", 0, None)),
    )
    assert Heartbeat.decode(heartbeat.encode()) == heartbeat


def test_a_heartbeat_is_short_enough_to_be_written_at_once() -> None:
    backlog = tuple(Backlog(f"queue-{number}", 1, 1) for number in range(500))
    line = Heartbeat("ready", done=7, backlog=backlog).encode()
    assert len(line) <= MAX_BYTES
    assert Heartbeat.decode(line) == Heartbeat("ready", done=7)


@pytest.mark.parametrize(
    "line", [b"", b"{}", b"[]", b'{"state":"ready"', b'{"x":1,"job":null,"backlog":null}']
)
def test_what_is_no_heartbeat_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        Heartbeat.decode(line)


# -- health --------------------------------------------------------------------------------------------


def test_a_silent_child_is_killed() -> None:
    assert is_silent(10.0, timeout_s=10.0) is None
    diagnosis = is_silent(10.1, timeout_s=10.0)
    assert diagnosis is not None
    assert diagnosis.remedy == "kill"


def test_a_child_that_is_whole_is_let_alone() -> None:
    assert is_impaired(Heartbeat("ready", running=3, job=JOB, threads=8)) is None


@pytest.mark.parametrize(
    ("impaired", "reason"),
    [
        (Heartbeat("ready", running=1, stuck=1, job=JOB), "stuck: count id is past its time limit"),
        (Heartbeat("ready", threads=6, lost_threads=2), "lost 2 of its threads"),
    ],
)
def test_an_impaired_child_is_replaced(impaired: Heartbeat, reason: str) -> None:
    diagnosis = is_impaired(impaired)
    assert diagnosis is not None
    assert diagnosis.remedy == "replace"
    assert diagnosis.cause.text.startswith(reason)


def test_a_draining_child_may_finish_what_can_be_finished() -> None:
    assert cannot_finish(Heartbeat("draining", running=2, stuck=1, job=JOB)) is None
    assert cannot_finish(Heartbeat("draining", running=0)) is None
    assert cannot_finish(Heartbeat("draining", running=1, stuck=1, job=JOB)) is not None


# -- recycling -----------------------------------------------------------------------------------------


def test_only_memory_that_stays_high_counts() -> None:
    usage = ChildUsage(UsageLimits(memory_bytes=100 * MB))
    for rss in [*[101] * (SAMPLES - 1), 99, *[101] * (SAMPLES - 1)]:
        usage.sample(rss * MB)
        assert usage.exceeded(age_s=1e9, jobs=10**9) is None
    usage.sample(101 * MB)
    assert usage.exceeded(age_s=0, jobs=0) == Cause("memory", "memory over 100 MB in 3 samples")


def test_age_and_work_count() -> None:
    usage = ChildUsage(UsageLimits(age_s=60, jobs=1_000))
    assert usage.exceeded(age_s=59, jobs=999) is None
    assert usage.exceeded(age_s=60, jobs=0) == Cause("age", "age over 60 s")
    assert usage.exceeded(age_s=0, jobs=1_000) == Cause("jobs", "1,000 messages done")


def test_nothing_is_limited_by_default() -> None:
    usage = ChildUsage(UsageLimits())
    usage.sample(10**12)
    assert not usage.is_over_the_hard_limit(10**12)
    assert usage.exceeded(age_s=1e9, jobs=10**9) is None


# -- autoscaling ---------------------------------------------------------------------------------------


def load(ready: int = 0, wait_s: float = 0.0, done: int = 0, busy_s: float = 0.0) -> Load:
    return Load(ready, wait_s, done, busy_s, elapsed_s=5.0)


def scaler() -> Autoscaler:
    return Autoscaler(least=2, most=10, threads=8, target_wait_s=10.0)


def test_a_backlog_is_met_with_what_it_takes_at_once() -> None:
    # Half a second each: 960 messages are 480 s of work, which six workers of 8 threads do in 10 s.
    assert scaler().update(load(ready=960, done=10, busy_s=5.0), 0.0) == 7  # and one thread is busy


def test_there_are_never_more_than_most_nor_fewer_than_least() -> None:
    assert scaler().update(load(ready=1_000_000), 0.0) == 10
    assert scaler().update(load(), 0.0) == 2


def test_a_wait_over_the_target_means_one_more_whatever_was_measured() -> None:
    many = scaler()
    assert many.update(load(ready=1, wait_s=11.0, done=1, busy_s=0.001), 0.0) == 3
    assert many.update(load(ready=1, wait_s=16.0), 5.0) == 4


def test_workers_go_one_at_a_time_and_slowly() -> None:
    many = scaler()
    many.update(load(ready=1_000_000), 0.0)
    wanted = [many.update(load(), now) for now in range(5, 5 + int(FEWER_AFTER_S) * 3, 5)]
    assert wanted[int(FEWER_AFTER_S) // 5 - 1] == 10
    assert (wanted[int(FEWER_AFTER_S) // 5], wanted[-1]) == (9, 8)


def test_busy_workers_are_kept_though_nothing_waits() -> None:
    many = scaler()
    many.update(load(ready=1_000_000), 0.0)
    for now in range(5, 1_000, 5):
        assert many.update(load(done=8, busy_s=400.0), now) == 10  # 80 threads
