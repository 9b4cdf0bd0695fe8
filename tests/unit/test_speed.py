"""Estimates at one host speed: only where the spin provably explains the trials, in the way it can."""

import numpy as np
import pytest

from bench.analyse import estimate, summarise
from bench.measured import TrialResult
from bench.model import Cell, Load, Scenario, Setup, TaskCall
from bench.speed import at_one_speed, spin_of

RATES = {"a": 100.0, "b": 200.0, "c": 400.0}


def trial(cell: str, block: int, throughput: float, spin: float) -> TrialResult:
    return TrialResult(
        trial=f"{cell}-{block}", scenario="s", cell=cell, block=block, position=block, seed=1, started_at="",
        outcome="ok", metrics={"throughput": throughput, "makespan": 1000 / throughput, "memory": 1e6},
        host={"spin_before": spin, "spin_after": spin},
    )  # fmt: skip


def measured(drift: float, noise: float, sign: float = 1.0, seed: int = 1) -> dict[str, list[TrialResult]]:
    """Six blocks of three cells on a host whose speed changes by ``drift`` (standard deviation, log)."""
    rng = np.random.default_rng(seed)
    out: dict[str, list[TrialResult]] = {cell: [] for cell in RATES}
    for block in range(1, 7):
        for cell, rate in RATES.items():
            slow = rng.normal(0, drift)
            seen = rate * np.exp(-sign * slow + rng.normal(0, noise))
            out[cell].append(trial(cell, block, seen, 0.02 * np.exp(slow)))
    return out


def estimates(trials: dict[str, list[TrialResult]]) -> list[dict[str, object]]:
    names = ("throughput", "makespan", "memory")
    return [{n: estimate(n, [r.metrics[n] for r in own]) for n in names} for own in trials.values()]


def test_drift_that_the_spin_explains_is_taken_out() -> None:
    trials = measured(drift=0.1, noise=0.01)
    before = estimates(trials)
    after = at_one_speed(before, list(trials.values()))
    usual = np.exp(np.mean([np.log(r.host["spin_before"]) for own in trials.values() for r in own])) / 0.02
    for was, now, rate in zip(before, after, RATES.values(), strict=True):
        assert now["throughput"].adjusted and now["makespan"].adjusted and not now["memory"].adjusted
        wide, narrow = (e["throughput"].upper - e["throughput"].lower for e in (was, now))
        assert narrow < wide / 3
        assert now["throughput"].point == pytest.approx(rate / usual, rel=0.02)
        assert now["throughput"].n == 6


def test_without_relation_nothing_changes() -> None:
    trials = measured(drift=0.0, noise=0.05)
    rng = np.random.default_rng(3)
    shaken = {
        cell: [trial(cell, r.block, r.metrics["throughput"], 0.02 * np.exp(rng.normal(0, 0.1))) for r in own]
        for cell, own in trials.items()
    }
    before = estimates(shaken)
    assert at_one_speed(before, list(shaken.values())) == before


def test_a_slow_host_that_makes_tasks_faster_is_no_explanation() -> None:
    """Seen: with a neighbour on the other core the spin was faster and the trials slower."""
    trials = measured(drift=0.1, noise=0.01, sign=-1.0)
    before = estimates(trials)
    assert at_one_speed(before, list(trials.values())) == before


def test_a_trial_without_a_spin_leaves_all_as_it_is() -> None:
    trials = measured(drift=0.1, noise=0.01)
    bare = trial("a", 7, 100.0, 0.02)
    trials["a"].append(TrialResult(**{f: getattr(bare, f) for f in bare.__slots__ if f != "host"}))
    before = estimates(trials)
    assert at_one_speed(before, list(trials.values())) == before
    assert spin_of(trials["a"][-1]) is None


def test_a_summary_says_what_was_adjusted() -> None:
    setup = Setup(workload=(TaskCall(task="noop"),), load=Load(tasks=10))
    cells = tuple(Cell(id=cell, settings={"x": cell}, setup=setup) for cell in RATES)
    scenario = Scenario(name="s", question="?", metric="throughput", repeats=6, cells=cells)
    trials = measured(drift=0.1, noise=0.01)
    found = summarise(scenario, [r for own in trials.values() for r in own])
    assert [s.metrics["throughput"].adjusted for s in found] == [True] * 3
    assert [s.metrics["memory"].adjusted for s in found] == [False] * 3
