"""From a recording to numbers, on made events and samples whose answers are known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bench import analyse
from bench.events import COMPLETED, ENDED, EVENT_COLUMNS, FAILURE, INTENDED, SAMPLE_COLUMNS, STARTED, SUCCESS
from bench.measured import COUNTS, METRICS, TrialResult
from bench.model import Cell, Load, Scenario, Setup, TaskCall, Trial, Workers

T0 = 10**12


def trial(slots: int = 2, tasks: int = 100) -> Trial:
    setup = Setup(
        fleet=(Workers(concurrency=slots),), workload=(TaskCall(task="noop"),), load=Load(tasks=tasks)
    )
    cell = Cell(id="c0", settings={"workers.concurrency": slots}, setup=setup)
    return Trial(id="s-c0-0", scenario="s", cell=cell, block=0, position=3, seed=9)


def events(starts: object, ends: object, state: int = SUCCESS) -> pd.DataFrame:
    """One task for each pair, all intended at 0; NaN leaves an event out."""
    starts, ends = np.asarray(starts, dtype=float), np.asarray(ends, dtype=float)
    rows = [(seq, 0.0, INTENDED) for seq in range(len(starts))]
    rows += [(seq, at, STARTED) for seq, at in enumerate(starts) if not np.isnan(at)]
    rows += [(seq, at, ENDED) for seq, at in enumerate(ends) if not np.isnan(at)]
    frame = pd.DataFrame(
        [
            (seq, T0 + round(at * 1e9), kind, state if kind == ENDED else 0, 0, 0, 1, 0, 0)
            for seq, at, kind in rows
        ],
        columns=list(EVENT_COLUMNS),
    )
    return frame.astype(dict(EVENT_COLUMNS)).sort_values("t_ns", kind="stable", ignore_index=True)


def samples(*rows: tuple[float, str, float, float, float]) -> pd.DataFrame:
    """Samples from (seconds, group, cpu, memory, steal)."""
    full = [
        {
            "t_ns": T0 + round(t * 1e9),
            "group": group,
            "cpu": cpu,
            "memory": memory,
            "processes": 2,
            "steal": steal,
        }
        for t, group, cpu, memory, steal in rows
    ]
    return pd.DataFrame(full, columns=list(SAMPLE_COLUMNS)).astype(dict(SAMPLE_COLUMNS))


def recording(
    frame: pd.DataFrame, used: pd.DataFrame | None = None, outcome: str = "ok"
) -> analyse.Recording:
    used = analyse.Recording(started_at="", outcome="ok").samples if used is None else used
    return analyse.Recording(
        started_at="2026-11-20T21:15:00+00:00", outcome=outcome, events=frame, samples=used
    )


def test_what_celery_took_by_itself_counts_as_slots() -> None:
    """Tasks of 50 ms one after the other; ``auto`` was thought to be 2 and was 1."""
    frame = events(np.arange(40) * 0.05, np.arange(1, 41) * 0.05)
    ran = replace(recording(frame), effective=({"node": 0, "concurrency": 1},))
    for auto, used in ((True, 1.0), (False, 0.5)):
        asked = trial(tasks=40)
        setup = replace(asked.cell.setup, fleet=(Workers(auto=auto),))
        got = analyse.result(replace(asked, cell=replace(asked.cell, setup=setup)), ran)
        assert got.metrics["utilisation"] == pytest.approx(used)


def test_two_slots_of_equal_tasks() -> None:
    """400 tasks of 50 ms on two slots, never idle: 40/s, 10 s, fully used."""
    starts = np.repeat(np.arange(200) * 0.05, 2)
    got = analyse.result(trial(), recording(events(starts, starts + 0.05)))
    m = got.metrics
    assert m["throughput"] == pytest.approx(40.0)
    assert m["makespan"] == pytest.approx(10.0)
    assert m["utilisation"] == pytest.approx(1.0)
    assert [m["p50(service)"], m["mean(service)"]] == pytest.approx([0.05, 0.05])
    assert m["max(response)"] == pytest.approx(10.0)
    assert m["p50(wait)"] == pytest.approx(4.975)
    assert "p99(service)" not in m  # 400 tasks are too few
    assert got.steady["verdict"] == "steady"
    assert got.steady["end"] == pytest.approx(10.0)  # the last round still fills both slots
    assert [m[name] for name in COUNTS] == [0, 0, 0, 0]
    assert set(m) <= set(METRICS)


def test_the_drain_tail_is_in_the_makespan_and_not_in_the_throughput() -> None:
    """One node ends at 10 s, the other hoards ten tasks of 1 s more."""
    fast, slow = np.arange(1000) * 0.01, 10 + np.arange(10) * 1.0
    frame = events([*fast, *slow], [*(fast + 0.01), *(slow + 1)])
    m = analyse.result(trial(slots=11), recording(frame)).metrics
    assert m["makespan"] == pytest.approx(20.0)
    assert m["throughput"] == pytest.approx(100.0, rel=0.001)


def test_without_a_steady_window_throughput_is_completed_over_makespan() -> None:
    got = analyse.result(trial(), recording(events([0, 1, 2, 3], [1, 2, 3, 4])))
    assert got.steady["verdict"] == "never"
    assert got.metrics["throughput"] == pytest.approx(1.0)


def test_tasks_that_fail_are_timed_and_not_completed() -> None:
    got = analyse.result(trial(), recording(events([0, 1], [1, 3], state=FAILURE)))
    assert FAILURE not in COMPLETED
    assert got.counts["failed"] == got.metrics["failed"] == 2
    assert got.metrics["throughput"] == 0.0
    assert got.metrics["mean(service)"] == pytest.approx(1.5)


def test_resources_between_the_first_intended_and_the_last_ended() -> None:
    """Sampled at −1, 1 and 3 s; the load lasts from 0 to 2 s: half of each interval counts."""
    nan = float("nan")
    used = samples(
        (-1, "workers", 0.0, 100.0, nan), (-1, "pool", 0.0, nan, nan), (-1, "system", 0.0, nan, 0.0),
        (1, "workers", 0.2, 150.0, nan), (1, "pool", 1.0, 50.0, nan), (1, "system", 2.0, nan, 0.1),
        (3, "workers", 0.4, 120.0, nan), (3, "pool", 3.0, 90.0, nan), (3, "system", 4.0, nan, 0.3),
    )  # fmt: skip
    got = analyse.result(trial(), recording(events([0, 1, 1, 1], [1, 2, 2, np.nan]), used))
    assert got.resources["pool"] == pytest.approx({"cpu": 1.5, "memory": 90.0, "processes": 2})
    assert got.resources["system"] == pytest.approx({"cpu": 2.0, "steal": 0.15, "processes": 2})
    assert got.metrics["cpu"] == pytest.approx(1.7 / 2)
    assert got.metrics["cpu_per_task"] == pytest.approx(1.7 / 3)
    assert got.metrics["memory"] == 210.0  # the highest sum of one sample, not the sum of the highest


def test_a_failed_trial_has_counts_and_no_metrics() -> None:
    got = analyse.result(trial(), recording(events([0, np.nan], [1, np.nan]), outcome="failed"))
    assert got.counts == {
        "published": 2,
        "completed": 1,
        "failed": 0,
        "lost": 1,
        "retried": 0,
        "duplicated": 0,
    }
    assert got.metrics == {} and got.steady == {}
    nothing = analyse.result(trial(), analyse.Recording(started_at="", outcome="failed", reason="no worker"))
    assert set(nothing.counts.values()) == {0}


def test_an_ok_trial_in_which_nothing_ended() -> None:
    got = analyse.result(trial(), recording(events([0.0], [np.nan])))
    assert got.metrics == {}
    assert got.counts["lost"] == 1


def outcome(
    cell: str, block: int, metrics: dict[str, float], *, ok: bool = True, scenario: str = "s"
) -> TrialResult:
    return TrialResult(
        trial=f"{cell}-{block}", scenario=scenario, cell=cell, block=block, position=0, seed=0, started_at="",
        outcome="ok" if ok else "failed", metrics=metrics,
    )  # fmt: skip


def test_summaries_in_the_order_of_the_file() -> None:
    cells = tuple(
        Cell(id=i, settings={"x": i}, setup=Setup(workload=(TaskCall(task="noop"),), load=Load(tasks=1)))
        for i in ("b", "a", "c")
    )
    scenario = Scenario(name="s", question="?", metric="throughput", repeats=2, cells=cells)
    results = [
        outcome("a", 0, {"throughput": 10.0, "failed": 0}),
        outcome("b", 0, {"throughput": 7.0}),
        outcome("a", 1, {"throughput": 40.0, "failed": 2, "p99(wait)": 1.0}),
        outcome("b", 1, {}, ok=False),
        outcome("a", 0, {"throughput": 999.0}, scenario="another"),
    ]
    b, a, c = analyse.summarise(scenario, results)
    assert (a.cell, b.cell, c.cell) == ("a", "b", "c")
    assert a.metrics["throughput"].point == pytest.approx(20.0)
    assert (a.metrics["failed"].point, a.metrics["failed"].lower) == (1.0, 0.0)
    assert (a.metrics["p99(wait)"].n, a.metrics["p99(wait)"].upper) == (1, None)
    assert (b.trials, b.failed_trials, b.metrics["throughput"].n) == (2, 1, 1)
    assert (c.trials, c.metrics) == (0, {})


def test_searches_that_agree_are_no_surer_than_one_of_them():
    """Three searches end at the same step: their own intervals still stand."""
    setup = Setup(workload=(TaskCall(task="noop"),), load=Load(shape="saturate", slo="p95(response) < 1s"))
    cell = Cell(id="c", settings={}, setup=setup)
    scenario = Scenario(name="s", question="?", metric="capacity", repeats=3, cells=(cell,))

    def found(block: int, rate: float) -> TrialResult:
        search = {"outcome": "found", "rate": rate, "lower": rate * 0.94, "upper": rate * 1.06, "steps": []}
        return TrialResult(
            trial=f"t{block}", scenario="s", cell="c", block=block, position=block, seed=1, started_at="",
            outcome="ok", metrics={"capacity": rate}, search=search,
        )  # fmt: skip

    (alike,) = analyse.summarise(scenario, [found(n, 393.0) for n in (1, 2, 3)])
    capacity = alike.metrics["capacity"]
    assert (capacity.point, capacity.n) == (pytest.approx(393), 3)
    assert (capacity.lower, capacity.upper) == (pytest.approx(393 * 0.94), pytest.approx(393 * 1.06))
    (apart,) = analyse.summarise(scenario, [found(n, 393.0 * f) for n, f in ((1, 0.8), (2, 1.0), (3, 1.25))])
    assert apart.metrics["capacity"].lower < 393 * 0.8, "the trials differ by more than a search leaves open"
    (one,) = analyse.summarise(scenario, [found(1, 393.0)])
    assert one.metrics["capacity"].lower == pytest.approx(393 * 0.94)
