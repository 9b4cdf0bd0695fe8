"""Checks in stages: what is measured again, and how often they err, simulated on a host that drifts."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from bench import compare
from bench.measured import TrialResult
from bench.model import Cell, Load, Scenario, Setup, TaskCall, Trial
from bench.search.check import LOOKS, Checking

SETUP = Setup(workload=(TaskCall(task="noop"),), load=Load(tasks=1))
NOISE = 0.04
"""Of a trial, log: what equal trials on a shared machine differ by within a block."""
DRIFT = 0.05
"""Of the host from block to block."""

Speed = Callable[[Trial], float]


def scenario(kinds: int = 1) -> Scenario:
    cells = [
        Cell(id=f"{variant}{kind}", settings={"variant": variant, "workload": kind}, setup=SETUP)
        for kind in range(kinds)
        for variant in ("base", "head")
    ]
    return Scenario(name="s", question="?", metric="throughput", repeats=5, cells=tuple(cells))


@dataclass
class Measured:
    """A run whose trials are drawn: ``speed`` of a trial times that of a host that drifts by the block."""

    scenario: Scenario
    speed: Speed
    rng: np.random.Generator
    name: str = "run"
    done: list[TrialResult] = field(default_factory=list)
    host: float = 0.0
    block: int = 0

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        return (self.scenario,)

    def results(self) -> list[TrialResult]:
        return self.done

    def run(self, trial: Trial) -> None:
        if trial.block != self.block:
            self.block, self.host = trial.block, self.host + self.rng.normal(0, DRIFT)
        value = 1000 * self.speed(trial) * float(np.exp(self.host + self.rng.normal(0, NOISE)))
        self.done.append(
            TrialResult(
                trial=trial.id, scenario="s", cell=trial.cell.id, block=trial.block, position=trial.position,
                seed=trial.seed, started_at="", outcome="ok", settings=trial.cell.settings,
                metrics={"throughput": value, "makespan": 1e5 / value, "failed": 0.0, "lost": 0.0},
            )
        )  # fmt: skip


def check(speed: Speed, seed: int, kinds: int = 1, **more: Any) -> tuple[Checking, Measured]:
    asked = scenario(kinds)
    run = Measured(asked, speed, np.random.default_rng(seed))
    checking = Checking(run, asked, by="variant", baseline="base", seed=seed, **more)  # type: ignore[arg-type]
    for trial in checking.trials():
        run.run(trial)
    return checking, run


def slower(share: float, kind: int | None = None) -> Speed:
    def speed(trial: Trial) -> float:
        hit = trial.cell.settings["variant"] == "head" and kind in (None, trial.cell.settings["workload"])
        return 1 / (1 + share) if hit else 1.0

    return speed


def verdicts(checking: Checking) -> set[str]:
    assert checking.comparison is not None
    return {found.verdict for found in checking.comparison.checks}


def passes(checking: Checking) -> bool:
    assert checking.comparison is not None
    return all(found.passes for found in checking.comparison.checks)


def test_a_gross_regression_ends_at_the_first_look() -> None:
    checking, run = check(slower(0.4), 1)
    assert compare.WORSE in verdicts(checking)
    assert (checking.blocks, len(run.done)) == (LOOKS[0], 2 * LOOKS[0])


def test_only_what_is_open_is_measured_again_and_with_fresh_blocks() -> None:
    checking, run = check(slower(0.4, kind=0), 2, kinds=3)
    later = [trial for trial in run.done if trial.block > LOOKS[0]]
    assert later, "equal cells take longer than a gross regression"
    assert {trial.cell for trial in later}.isdisjoint({"base0", "head0"})
    assert compare.WORSE in verdicts(checking)
    assert len({(trial.cell, trial.block) for trial in run.done}) == len(run.done)
    assert [trial.position for trial in run.done] == list(range(1, len(run.done) + 1))


def test_what_no_trial_gives_is_not_waited_for() -> None:
    """A percentile of too few tasks, asked for alone."""
    checking, run = check(slower(0.5), seed=1, metrics=["p99(response)"])
    assert len(run.done) == 2 * LOOKS[0]
    assert checking.comparison is not None
    assert [found.is_uncomputed for found in checking.comparison.checks] == [True]


def test_when_time_is_over_what_there_is_is_judged() -> None:
    calls = iter(range(1000))
    checking, _run = check(slower(0.0), 3, expired=lambda: next(calls) > 7)
    assert LOOKS[0] < checking.blocks < LOOKS[1]
    assert checking.comparison is not None


@pytest.fixture(scope="module")
def equal() -> list[Checking]:
    """400 checks of three equal pairs and four metrics each."""
    return [check(slower(0.0), 100 + i, kinds=3)[0] for i in range(400)]


def test_equal_sides_are_hardly_ever_called_worse(equal: list[Checking]) -> None:
    assert sum(compare.WORSE in verdicts(checking) for checking in equal) <= 4, "1 %"


def test_equal_sides_mostly_pass(equal: list[Checking]) -> None:
    assert np.mean([passes(checking) for checking in equal]) > 0.8, "all three"
    assert np.median([checking.blocks for checking in equal]) <= LOOKS[-1]


def test_at_the_margin_no_more_than_the_error_that_was_planned() -> None:
    """Exactly at the margin chance errs most; one side of 5 % over all looks is 2.5 %."""
    found = [check(slower(0.02), 900 + i)[0] for i in range(400)]
    assert sum(compare.WORSE in verdicts(checking) for checking in found) <= 20, "2.5 %, three deviations"


@pytest.mark.parametrize(("share", "least", "looks"), [(0.10, 0.99, 3), (0.05, 0.99, 5)])
def test_a_regression_is_found(share: float, least: float, looks: int) -> None:
    found = [check(slower(share), 2000 + i)[0] for i in range(200)]
    assert np.mean([compare.WORSE in verdicts(checking) for checking in found]) >= least
    assert np.median([checking.blocks for checking in found]) <= LOOKS[looks - 1]
    assert np.mean([passes(checking) for checking in found]) <= 0.02
