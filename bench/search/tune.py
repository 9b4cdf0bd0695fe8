"""A search for the best setting that ends with fresh trials: which trials, in which order, until when.

Searching and confirming are two scenarios of one run, ``NAME`` and ``NAME-confirmed``: what the search saw of
its winner is a lucky number, so the answer rests on the confirmation alone. Everything is derived from the
stored trials; a run that was stopped goes on where it was.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np

from bench import plan, ranking, units
from bench.effects import MARGIN
from bench.errors import UsageError
from bench.model import Cell, Scenario, Trial
from bench.search import strategy
from bench.search.belief import Belief, Tried, tried
from bench.search.goal import COST, SURE, Goal
from bench.store import Run

CONFIRMED = "-confirmed"
"""What the scenario of the fresh trials is called, after the other's name."""

BLOCKS, LEAST_BLOCKS = 5, 3
"""Of the confirmation; the fewer where the budget is short."""

SPARE = 1.1
"""Times the seconds of its trials are kept for the confirmation: some will take longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the search comes to: ``contenders`` cannot be told from the best, ``winner`` is the cheapest of
    those that seem as good, ``runner_up`` the best of the others. ``kept``: whether the conditions surely
    hold for the winner.
    """

    winner: str
    runner_up: str | None
    contenders: tuple[str, ...]
    kept: bool


class Tuning:
    """``clock`` says how many seconds of the ``budget`` are gone. ``run`` is where trials are stored."""

    def __init__(
        self,
        run: Run,
        *,
        goal: Goal,
        candidates: Sequence[str],
        default: str,
        name: str,
        seed: int,
        budget: float,
        clock: Callable[[], float],
    ) -> None:
        self._run, self._goal, self._default, self._seed = run, goal, default, seed
        self._budget, self._clock = budget, clock
        self._scenario = run.scenarios[0]
        self._cells = {cell.id: cell for cell in self._scenario.cells}
        self.strategy = strategy.make(name, [self._cells[id] for id in candidates], goal, seed, default)

    @property
    def most(self) -> int:
        """About how many trials fit into the budget."""
        each = fmean(plan.trial_seconds(cell.setup) for cell in self._cells.values())
        return max(len(self._run.results()) + 1, round(self._budget / each))

    def trials(self) -> Iterator[Trial]:
        """Those of the search that are missing, then those of the confirmation."""
        position = len(self._run.results())
        if len(self._run.scenarios) == 1:
            for cell, block in self._searched():
                position += 1
                yield plan.one(self._scenario, self._cells[cell], block, self._seed, position=position)
            self._settle()
        if len(self._run.scenarios) > 1:
            fresh = self._run.scenarios[1]
            done = {result.trial for result in self._run.results()}
            for trial in plan.missing(plan.trials([fresh], self._seed), done):
                if trial.block > LEAST_BLOCKS and self._late(trial, fresh):
                    return
                position += 1
                yield replace(trial, position=position)

    def _spent(self) -> float:
        """Seconds of the budget: by the clock, and no less than the trials took."""
        return max(self._clock(), sum(r.seconds for r in self._run.results()))

    def _searched(self) -> Iterator[tuple[str, int]]:
        """Until nothing is left to learn, or only time for the confirmation; but whatever a search begins
        with is tried first, though that should take longer than was estimated.
        """
        while True:
            history = self.history()
            found = self.strategy.next_trial(history)
            if found is None:
                return
            untried = set(self.strategy.first) - {t.cell for t in history}
            needed = self._seconds(history)(found[0]) + (0.0 if untried else self._reserve(history))
            if history and self._spent() + needed > self._budget:
                return
            yield found

    def history(self) -> list[Tried]:
        """Trials of the search, in their order."""
        name = self._scenario.name
        return [tried(self._goal, result) for result in self._run.results() if result.scenario == name]

    def _settle(self) -> None:
        """Write down who is confirmed, so that a run that is resumed confirms the same."""
        choice = choose(self.strategy.belief(self.history()), self.history())
        if choice is None or not choice.kept:
            return
        wanted = dict.fromkeys(filter(None, (choice.winner, choice.runner_up, self._default)))
        left = self._budget - self._spent()
        seconds = self._seconds(self.history())
        a_block = sum(map(seconds, wanted))
        repeats = BLOCKS if BLOCKS * a_block <= left else LEAST_BLOCKS
        cells = tuple(self._cells[id] for id in wanted)
        metric = self._scenario.metric if self._goal.metric == COST else self._goal.metric
        fresh = replace(
            self._scenario, name=self._scenario.name + CONFIRMED, cells=cells, repeats=repeats, gates=(),
            metric=metric,
        )  # fmt: skip
        self._run.add(fresh)

    def _late(self, trial: Trial, fresh: Scenario) -> bool:
        """Whether the block of this trial would go beyond the budget."""
        seconds = self._seconds(self.history())
        first = trial.cell.id == plan.block(fresh, trial.block, self._seed, first=1)[0].cell.id
        return first and self._spent() + sum(seconds(c.id) for c in fresh.cells) > self._budget

    def _seconds(self, history: Sequence[Tried]) -> Callable[[str], float]:
        """How long a trial of a cell takes, from those that were run."""
        seen: dict[str, list[float]] = {}
        for t in history:
            seen.setdefault(t.cell, []).append(t.seconds)
        return lambda id: fmean(seen[id]) if id in seen else plan.trial_seconds(self._cells[id].setup)

    def _reserve(self, history: Sequence[Tried]) -> float:
        """Seconds that a confirmation of what leads now takes."""
        choice = choose(self.strategy.belief(history), history)
        ids = [self._default] + ([choice.winner, choice.runner_up or choice.winner] if choice else [])
        seconds = self._seconds(history)
        whole = SPARE * BLOCKS * sum(map(seconds, ids))
        return whole if whole < self._budget / 3 else whole / BLOCKS * LEAST_BLOCKS


def choose(belief: Belief, history: Sequence[Tried]) -> Choice | None:
    """Who wins after the search; None where nothing was measured."""
    best = belief.nearest
    if best is None:
        return None
    fit = (belief.tries > 0) & (belief.chance >= SURE) & np.isfinite(belief.mean)
    fit[best] = True
    behind, _ = belief.behind(best)
    apart = belief.worse(best, 0.0, SURE)
    apart[best] = False
    contenders = [int(i) for i in np.argsort(behind) if fit[i] and not apart[i]]
    as_good = [i for i in contenders if behind[i] <= MARGIN]
    ids = belief.cells
    costs = {t.cell: (t.memory, t.cpu) for t in history if t.ok}
    prices = [(ids[i], *_known(costs.get(ids[i], (0.0, 0.0)))) for i in as_good]
    winner = ids.index(ranking.cheapest(prices) or ids[best])
    others = [best] if winner != best else [int(i) for i in np.argsort(behind) if fit[i] and i != best]
    return Choice(
        winner=ids[winner],
        runner_up=ids[others[0]] if others else None,
        contenders=tuple(ids[i] for i in contenders),
        kept=bool(belief.chance[winner] >= SURE),
    )


def _known(costs: tuple[float, float]) -> tuple[float, float]:
    """What is not known costs more than anything."""
    memory, cpu = (cost if cost > 0 else math.inf for cost in costs)
    return memory, cpu


def least_seconds(
    cells: Mapping[str, Cell], candidates: Sequence[str], default: str, goal: Goal, name: str, seed: int
) -> tuple[int, float]:
    """With how many trials a search begins, and how long these and the shortest confirmation take."""
    first = strategy.make(name, [cells[id] for id in candidates], goal, seed, default).first
    seconds = {id: plan.trial_seconds(cells[id].setup) for id in {*first, default}}
    confirming = LEAST_BLOCKS * (seconds[default] + 2 * min(seconds.values()))
    return len(first), sum(seconds[id] for id in first) + confirming


def check_budget(
    cells: Mapping[str, Cell],
    candidates: Sequence[str],
    default: str,
    goal: Goal,
    name: str,
    seed: int,
    budget: float,
) -> None:
    """Raises UsageError where the budget is too small for one trial of each that a search begins with."""
    trials, seconds = least_seconds(cells, candidates, default, goal, name, seed)
    if seconds > budget:
        first = f"{units.plural(trials, 'first trial')} and " if trials else ""
        raise UsageError(
            f"{units.format_duration(budget)} is too short: {first}a confirmation take"
            f"{'' if first else 's'} about {units.format_duration(seconds)}.",
            f"Say --budget {max(1, round(1.5 * seconds / 60))}m, keep fewer candidates (--only), or let a"
            " trial do less (load).",
        )  # fmt: skip
