"""Searches on made-up machines with known truth: what they believe, where they look, what they end with."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from bench import grammar
from bench.model import Cell, Label, Load, Setup, TaskCall
from bench.search import strategy
from bench.search.belief import Belief, Tried, believe
from bench.search.goal import Goal
from bench.search.model import features
from bench.search.tune import choose

SETUP = Setup(workload=(TaskCall(task="noop"),), load=Load(tasks=1))
UP = Goal(metric="throughput", maximize=True)
LOW_P99 = Goal(metric="throughput", maximize=True, conditions=(grammar.parse("p99(service) < 100ms"),))

Truth = Callable[[Mapping[str, Label]], float]


def cells(**axes: Sequence[Label]) -> list[Cell]:
    """Every combination."""
    rows: list[dict[str, Label]] = [{}]
    for name, labels in axes.items():
        rows = [{**row, f"workers.{name}": label} for row in rows for label in labels]
    return [Cell(id=f"c{i}", settings=row, setup=SETUP) for i, row in enumerate(rows)]


def tasks_per_second(settings: Mapping[str, Label]) -> float:
    """10 ms of waiting and 1 ms of CPU on two cores for prefork, one for threads."""
    slots = float(settings["workers.concurrency"])
    cores = 2 if settings.get("workers.pool") == "prefork" else 1
    return min(slots / 0.011, cores / 0.001) * math.exp(-slots / 2000)


@dataclass
class Machine:
    """Trials with this ``truth``, ``noise`` each (log) and a drift that all trials of a time share."""

    truth: Truth
    noise: float
    seed: int
    p99: Truth = lambda _: 0.01
    failing: Sequence[str] = ()
    history: list[Tried] = field(default_factory=list)

    def search(self, name: str, candidates: Sequence[Cell], goal: Goal = UP, most: int = 400) -> Belief:
        by_id = {cell.id: cell for cell in candidates}
        searching = strategy.make(name, candidates, goal, self.seed)
        rng = np.random.default_rng(self.seed)
        drift = 0.0
        while len(self.history) < most and (found := searching.next_trial(self.history)):
            if len(self.history) % 9 == 1:  # nothing but the history counts
                assert found == strategy.make(name, candidates, goal, self.seed).next_trial(self.history)
            drift = 0.9 * drift + rng.normal(0, self.noise / 2)
            settings = by_id[found[0]].settings
            score = math.log(self.truth(settings)) + drift + rng.normal(0, self.noise)
            limits = tuple(self.p99(settings) * math.exp(rng.normal(0, self.noise)) for _ in goal.conditions)
            ok = found[0] not in self.failing
            self.history.append(
                Tried(cell=found[0], block=found[1], ok=ok, score=score if ok else -math.inf,
                      limits=limits if ok else (math.nan,) * len(limits), memory=1.0, cpu=1.0, seconds=1.0)
            )  # fmt: skip
        return searching.belief(self.history)


FEW = cells(pool=["prefork", "threads"], concurrency=[1, 2, 4, 8, 16, 32, 64, 128])
MANY = cells(
    pool=["prefork", "threads"],
    concurrency=[1, 2, 3, 5, 8, 12, 18, 27, 40, 60, 90, 135, 200, 300, 500],
    prefetch=[1, 4],
)


def regret(found: Belief, candidates: Sequence[Cell], truth: Truth, history: Sequence[Tried]) -> float:
    choice = choose(found, history)
    assert choice is not None
    chosen = next(cell for cell in candidates if cell.id == choice.winner)
    return 1 - truth(chosen.settings) / max(truth(cell.settings) for cell in candidates)


def test_least_squares_gives_back_the_cells_whatever_the_blocks_did() -> None:
    rng = np.random.default_rng(1)
    truth, host = {"a": 1.0, "b": 1.2, "c": 0.7}, rng.normal(0, 0.05, 12)
    history = [
        Tried(cell=cell, block=b, ok=True, score=mean + host[b] + rng.normal(0, 0.02), limits=(),
              memory=1, cpu=1, seconds=1)
        for b in range(12) for cell, mean in truth.items()
    ]  # fmt: skip
    found = believe(["a", "b", "c", "never"], history, UP)
    behind, error = found.behind(1)
    assert behind[:3] == pytest.approx([0.2, 0, 0.5], abs=0.03)
    assert error[0] == pytest.approx(found.noise * math.sqrt(2 / 12), rel=0.05)
    assert found.noise < 0.05, "the drift of the host is no noise"
    assert list(found.tries) == [12, 12, 12, 0]
    assert math.isnan(found.mean[3])


def test_the_chance_of_a_condition_is_that_of_the_mean() -> None:
    def history(value: float, n: int) -> list[Tried]:
        return [
            Tried(cell="a", block=b, ok=True, score=1.0, limits=(value,), memory=1, cpu=1, seconds=1)
            for b in range(n)
        ]

    assert believe(["a"], history(0.05, 3), LOW_P99).chance[0] > 0.99
    assert believe(["a"], history(0.1, 3), LOW_P99).chance[0] == pytest.approx(0.5, abs=0.01)
    assert believe(["a"], history(0.2, 3), LOW_P99).chance[0] < 0.01
    assert believe(["a"], history(math.nan, 3), LOW_P99).chance[0] == 0.0
    one, many = (believe(["a"], history(0.095, n), LOW_P99).chance[0] for n in (1, 20))
    assert one < 0.9 < many, "one trial near the limit is not sure, twenty are"


@pytest.mark.parametrize(("name", "candidates", "most"), [("race", FEW, 3.0), ("model", MANY, 0.5)])
def test_it_finds_a_good_one_with_so_many_trials_for_each_candidate(
    name: str, candidates: list[Cell], most: float
) -> None:
    worst = []
    for seed in range(4):
        machine = Machine(tasks_per_second, 0.05, seed)
        found = machine.search(name, candidates, most=round(most * len(candidates)))
        worst.append(regret(found, candidates, tasks_per_second, machine.history))
    assert sorted(worst)[-2] <= 0.05


def test_a_race_drops_the_slow_and_repeats_the_fast() -> None:
    machine = Machine(tasks_per_second, 0.05, 3)
    machine.search("race", FEW)
    tries = {cell.id: sum(t.cell == cell.id for t in machine.history) for cell in FEW}
    slow = [c.id for c in FEW if tasks_per_second(c.settings) < 300]
    fast = [c.id for c in FEW if tasks_per_second(c.settings) > 1600]
    assert max(tries[id] for id in slow) == 1
    assert min(tries[id] for id in fast) >= 2


@pytest.mark.parametrize("name", ["race", "model"])
def test_a_condition_keeps_the_fastest_from_winning(name: str) -> None:
    """p99 grows with concurrency: 100 ms are reached at 40 slots."""
    broken = 0
    for seed in range(5):
        machine = Machine(tasks_per_second, 0.05, seed, p99=lambda s: float(s["workers.concurrency"]) / 400)
        choice = choose(machine.search(name, FEW, LOW_P99, most=150), machine.history)
        assert choice is not None
        assert choice.kept
        chosen = next(cell.settings for cell in FEW if cell.id == choice.winner)
        broken += float(chosen["workers.concurrency"]) > 40
        assert tasks_per_second(chosen) > 1300, "of those that keep it a good one"
    assert broken == 0


def test_where_nobody_keeps_the_condition_the_nearest_is_known() -> None:
    machine = Machine(tasks_per_second, 0.05, 1, p99=lambda s: 0.2 + float(s["workers.concurrency"]))
    choice = choose(machine.search("race", FEW, LOW_P99), machine.history)
    assert choice is not None
    assert not choice.kept
    assert next(c for c in FEW if c.id == choice.winner).settings["workers.concurrency"] == 1


@pytest.mark.parametrize("name", ["race", "model"])
def test_who_fails_does_not_win_and_is_not_tried_for_ever(name: str) -> None:
    best = max(FEW, key=lambda cell: tasks_per_second(cell.settings))
    machine = Machine(tasks_per_second, 0.03, 2, failing=[best.id])
    choice = choose(machine.search(name, FEW, most=200), machine.history)
    assert choice is not None
    assert choice.winner != best.id
    assert sum(t.cell == best.id for t in machine.history) <= 2


@pytest.mark.parametrize("name", ["random", "grid", "optuna"])
def test_the_others_only_try_candidates_and_never_end(name: str) -> None:
    machine = Machine(tasks_per_second, 0.05, 1)
    found = machine.search(name, FEW, most=40)
    assert len(machine.history) == 40
    assert found.tries.sum() == 40
    if name == "grid":
        assert set(found.tries) == {2, 3}
    if name == "optuna":
        good = [c.id for c in FEW if tasks_per_second(c.settings) > 900]
        assert sum(t.cell in good for t in machine.history[20:]) > sum(
            t.cell in good for t in machine.history[:10]
        )


def test_up_to_thirty_race() -> None:
    assert type(strategy.make("auto", FEW, UP, 1)) is type(strategy.make("race", FEW, UP, 1))
    assert type(strategy.make("auto", MANY, UP, 1)) is type(strategy.make("model", MANY, UP, 1))
    first = strategy.make("auto", MANY, UP, 1, MANY[7].id).first
    assert first[0] == MANY[7].id
    assert {cell.settings["workers.pool"] for cell in MANY if cell.id in first} == {"prefork", "threads"}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_time_that_is_left_goes_to_what_nobody_expected(seed: int) -> None:
    """One setting is far better than all around it: no process foresees it, only trying it does."""

    def peak(settings: Mapping[str, Label]) -> float:
        lucky = tuple(settings.values()) == ("threads", 4)
        return tasks_per_second(settings) * (8 if lucky else 1)

    machine = Machine(peak, 0.02, seed)
    found = machine.search("model", FEW, most=100)
    assert regret(found, FEW, peak, machine.history) == 0
    assert set(found.tries > 0) == {True}
    assert len(machine.history) < 100, "and then it ends by itself"


def test_settings_become_numbers_from_0_to_1() -> None:
    x, kinds = features(
        [c.settings for c in cells(pool=["a", "b"], concurrency=[1, 10, 100], prefetch=[0, 1, 4])]
    )
    assert (x.min(), x.max()) == (0.0, 1.0)
    assert set(kinds) == {("a",), ("b",)}
    prefetch = x[:3, -1]
    assert prefetch[0] > prefetch[2] > prefetch[1], "0 is unlimited"
