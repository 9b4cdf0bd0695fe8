"""Every pool runs with the settings that were asked for, seen from inside the worker."""

import contextlib
import os
import signal
from pathlib import Path

import psutil
import pytest

from bench import analyse, events
from bench.model import Broker, Limits
from bench.run import eventlog

pytestmark = pytest.mark.real

POOLS = [("prefork", 2), ("threads", 4), ("gevent", 8), ("eventlet", 8), ("solo", 1)]


def workers() -> list[psutil.Process]:
    """The nodes of the trial that runs now."""
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            if any("worker.py" in word for word in child.cmdline()):
                found.append(child)
    return found


@pytest.mark.parametrize(("pool", "concurrency"), POOLS)
@pytest.mark.parametrize("prefetch", [0, 3])
def test_settings_take_effect(bench, sleep, pool, concurrency, prefetch):
    result, _ = bench.measure(sleep(0.01), pool=pool, concurrency=concurrency, prefetch=prefetch, flood=60)
    assert result.ok, result.log_tail
    assert result.mismatches == ()
    (node,) = result.effective
    assert node["prefetch_count"] == concurrency * prefetch
    assert node["concurrency"] == concurrency


@pytest.mark.alone
@pytest.mark.parametrize(("pool", "concurrency"), [("prefork", 1), ("threads", 1), ("solo", 1)])
def test_prefetch_0_takes_the_whole_queue_and_1_does_not(bench, sleep, pool, concurrency):
    def received_before_fifth_end(prefetch):
        _, recording = bench.measure(
            sleep(0.03), pool=pool, concurrency=concurrency, prefetch=prefetch, flood=60
        )
        tasks = analyse.tasks(recording.events)
        fifth = tasks["ended"].sort_values().iloc[4]
        return int((tasks["received"] < fifth).sum())

    assert received_before_fifth_end(1) <= 10
    if pool != "solo":  # solo fetches between tasks: unlimited only means that nothing stops it
        assert received_before_fifth_end(0) == 60


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_nodes_share_the_work(bench, sleep, pool):
    result, recording = bench.measure(sleep(0.02), pool=pool, concurrency=2, prefetch=1, nodes=3, flood=90)
    share = analyse.tasks(recording.events).groupby("node").size()
    assert sorted(share.index) == [0, 1, 2]
    assert share.min() >= 20
    assert len(result.effective) == 3


def test_a_killed_worker_is_a_failed_trial_with_its_log(bench, sleep):
    def kill(phase, completed):
        if phase == "load" and completed >= 5:
            os.kill(workers()[0].pid, signal.SIGKILL)

    result, _ = bench.measure(sleep(0.05), concurrency=2, flood=400, on_tick=kill)
    assert result.outcome == "failed"
    assert result.reason == "worker 0 was killed by SIGKILL"
    assert result.counts["published"] == 400
    assert 5 <= result.counts["completed"] < 400
    assert result.counts["lost"] == 400 - result.counts["completed"]


def test_a_killed_pool_child_costs_its_task_and_the_trial_goes_on(bench, sleep):
    result, _ = bench.measure(sleep(0.5), concurrency=2, flood=12, on_tick=bench.kill_child())
    assert result.ok, result.reason
    assert result.counts["failed"] == 1
    assert result.counts["completed"] == 11


def test_a_stalled_trial_is_given_up_with_its_reason(bench, sleep):
    result, _ = bench.measure(sleep(0.01, weight=99), sleep(60, weight=1), concurrency=1, flood=100,
                              limits=Limits(stall=2.0))  # fmt: skip
    assert result.outcome == "failed"
    assert "no completion for 2 s" in result.reason


def test_a_worker_that_is_never_ready_is_a_failed_trial(bench):
    result, _ = bench.measure("noop", flood=10, limits=Limits(boot=0.01))
    assert result.outcome == "failed"
    assert "not ready after 0.01 s" in result.reason


def test_a_broker_that_dies_is_a_failed_trial_and_the_next_gets_another(bench, sleep):
    def kill(phase, completed):
        if phase == "load" and completed >= 5:
            os.kill(bench.brokers._running[Broker().server].child.pid, signal.SIGKILL)

    result, _ = bench.measure(sleep(0.05), concurrency=2, flood=200, on_tick=kill)
    assert result.outcome == "failed"
    assert "broker died" in result.reason or "loader" in result.reason
    again, _ = bench.measure("noop", flood=20)
    assert again.ok


def test_workers_do_not_carry_the_harness(bench, sleep):
    """No library of the harness is mapped into a worker, so none is in its memory figures."""
    maps = []

    def look(phase, completed):
        if phase == "load" and not maps:
            maps.append(Path(f"/proc/{workers()[0].pid}/maps").read_text())

    bench.measure(sleep(0.05), concurrency=1, flood=30, on_tick=look)
    assert "python" in maps[0]
    for library in (
        "numpy",
        "pandas",
        "pyarrow",
        "scipy",
        "matplotlib",
        "pydantic_core",
    ):  # billiard itself brings psutil
        assert library not in maps[0]


def test_agent_and_analysis_speak_the_same_numbers():
    for name in (
        "INTENDED",
        "SENT",
        "RECEIVED",
        "STARTED",
        "ENDED",
        "SUCCESS",
        "FAILURE",
        "RETRY",
        "IGNORED",
    ):
        assert getattr(eventlog, name) == getattr(events, name)


def test_threads_files_and_broker_commands_are_counted(bench, sleep):
    result, _ = bench.measure(sleep(0.05), pool="threads", concurrency=12, flood=360)
    workers, broker = result.resources["workers"], result.resources["broker"]
    assert workers["threads"] >= 12
    assert 0 < workers["uss"] <= workers["memory"]
    assert workers["switches"] > 0
    assert broker["fds"] > 5
    assert result.broker["commands"] >= 2 * 360, "every task is pushed and popped"
