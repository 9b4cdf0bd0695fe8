"""Other ways to search, to hold ours against: at random, the grid block by block, and Optuna's TPE."""

import math
import random
from collections.abc import Sequence
from typing import Any

from bench.errors import EnvironmentFault
from bench.grammar import text_of
from bench.model import Cell
from bench.search.belief import Belief, Tried, believe
from bench.search.goal import Goal


class Plain:
    """A search that believes what it saw, candidate by candidate."""

    def __init__(self, cells: Sequence[Cell], goal: Goal, seed: int) -> None:
        self._cells, self._goal, self._seed = tuple(cells), goal, seed
        self._ids = tuple(cell.id for cell in cells)

    @property
    def first(self) -> Sequence[str]:
        """Who draws lots names none beforehand."""
        return ()

    def belief(self, history: Sequence[Tried]) -> Belief:
        """What is known of every candidate."""
        return believe(self._ids, history, self._goal)


class Random(Plain):
    """Any candidate, each time."""

    def next_trial(self, history: Sequence[Tried]) -> tuple[str, int] | None:
        """Cell and number of the next trial; it never ends by itself."""
        number = len(history) + 1
        return random.Random(f"{self._seed} {number}").choice(self._ids), number


class Grid(Plain):
    """Every candidate, block after block."""

    @property
    def first(self) -> Sequence[str]:
        """All of them."""
        return self._ids

    def next_trial(self, history: Sequence[Tried]) -> tuple[str, int] | None:
        """Cell and block of the next trial; it never ends by itself."""
        block, place = divmod(len(history), len(self._ids))
        order = list(self._ids)
        random.Random(self._seed + block).shuffle(order)
        return order[place], block + 1


class Optuna(Plain):
    """Tree-structured Parzen estimator of Optuna, asked and told; a trial that breaks a condition counts as
    worse than all others.
    """

    def __init__(self, cells: Sequence[Cell], goal: Goal, seed: int) -> None:
        super().__init__(cells, goal, seed)
        self._axes = list(cells[0].settings)
        self._labels = [
            list(dict.fromkeys(text_of(cell.settings[axis]) for cell in cells)) for axis in self._axes
        ]
        self._by_settings = {
            tuple(text_of(cell.settings[axis]) for axis in self._axes): cell.id for cell in cells
        }

    def next_trial(self, history: Sequence[Tried]) -> tuple[str, int] | None:
        """Cell and number of the next trial; it never ends by itself.

        Raises EnvironmentFault where Optuna is not installed: whoever only reads the run does without.
        """
        try:
            import optuna
        except ImportError:
            raise EnvironmentFault(
                "Optuna is not installed.", "pip install 'celery-bench[optuna]', or another --strategy."
            ) from None
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._optuna = optuna
        study = self._optuna.create_study(
            direction="maximize", sampler=self._optuna.samplers.TPESampler(seed=self._seed + len(history))
        )
        study.add_trials(
            [self._told(t, value) for t, value in zip(history, self._values(history), strict=True)]
        )
        number = len(history) + 1
        for _ in range(100):  # until it names a candidate: not every combination is one
            trial = study.ask(self._spaces())
            cell = self._by_settings.get(tuple(trial.params[axis] for axis in self._axes))
            if cell is not None:
                return cell, number
            study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
        return random.Random(f"{self._seed} {number}").choice(self._ids), number

    def _spaces(self) -> dict[str, Any]:
        kinds = self._optuna.distributions.CategoricalDistribution
        return {axis: kinds(labels) for axis, labels in zip(self._axes, self._labels, strict=True)}

    def _told(self, t: Tried, value: float) -> Any:
        labels = next(key for key, cell in self._by_settings.items() if cell == t.cell)
        params = dict(zip(self._axes, labels, strict=True))
        return self._optuna.trial.create_trial(params=params, distributions=self._spaces(), value=value)

    def _values(self, history: Sequence[Tried]) -> list[float]:
        finite = [t.score for t in history if math.isfinite(t.score)]
        worst = min(finite, default=0.0) - 1.0

        def kept(t: Tried) -> bool:
            limits = zip(self._goal.conditions, t.limits, strict=True)
            return t.ok and math.isfinite(t.score) and all(c.keeps(x) for c, x in limits)

        return [t.score if kept(t) else worst for t in history]
