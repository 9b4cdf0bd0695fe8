"""Other ways to search, to hold ours against: at random, the grid block by block, and Optuna's TPE."""

import math
import random
from collections.abc import Mapping, Sequence
from typing import Any

from bench.errors import EnvironmentFault
from bench.grammar import text_of
from bench.model import Cell, Label
from bench.search.belief import Belief, Tried, believe
from bench.search.goal import Goal


def _positive(label: Label) -> bool:
    return isinstance(label, int | float) and not isinstance(label, bool) and label > 0


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
    worse than all others. Of numbers it names any on a logarithmic scale, and the candidate next to it is
    tried; everything else are categories.
    """

    def __init__(self, cells: Sequence[Cell], goal: Goal, seed: int) -> None:
        super().__init__(cells, goal, seed)
        labels = {axis: [cell.settings[axis] for cell in cells] for axis in cells[0].settings}
        self._numbers = {
            axis: (float(min(own)), float(max(own)))
            for axis, own in labels.items()
            if all(_positive(label) for label in own) and len(set(own)) > 1
        }
        self._categories = {
            axis: list(dict.fromkeys(map(text_of, own)))
            for axis, own in labels.items()
            if axis not in self._numbers
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
            cell = self._nearest(trial.params)
            if cell is not None:
                return cell, number
            study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
        return random.Random(f"{self._seed} {number}").choice(self._ids), number

    def _spaces(self) -> dict[str, Any]:
        kinds = self._optuna.distributions
        numbers = {a: kinds.FloatDistribution(*ends, log=True) for a, ends in self._numbers.items()}
        return numbers | {a: kinds.CategoricalDistribution(own) for a, own in self._categories.items()}

    def _nearest(self, params: Mapping[str, Any]) -> str | None:
        """The candidate with these categories whose numbers are the fewest times larger or smaller."""
        same = [
            cell
            for cell in self._cells
            if all(text_of(cell.settings[axis]) == params[axis] for axis in self._categories)
        ]

        def far(cell: Cell) -> float:
            return sum(math.log(float(cell.settings[a]) / params[a]) ** 2 for a in self._numbers)

        return min(same, key=far).id if same else None

    def _told(self, t: Tried, value: float) -> Any:
        settings = next(cell.settings for cell in self._cells if cell.id == t.cell)
        params: dict[str, Any] = {axis: float(settings[axis]) for axis in self._numbers}
        params |= {axis: text_of(settings[axis]) for axis in self._categories}
        return self._optuna.trial.create_trial(params=params, distributions=self._spaces(), value=value)

    def _values(self, history: Sequence[Tried]) -> list[float]:
        finite = [t.score for t in history if math.isfinite(t.score)]
        worst = min(finite, default=0.0) - 1.0

        def kept(t: Tried) -> bool:
            limits = zip(self._goal.conditions, t.limits, strict=True)
            return t.ok and math.isfinite(t.score) and all(c.keeps(x) for c, x in limits)

        return [t.score if kept(t) else worst for t in history]
