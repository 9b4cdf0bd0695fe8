"""One small interface for every way to search: what was tried → what to try next."""

from collections.abc import Callable, Sequence
from typing import Protocol

from bench.model import Cell
from bench.search.belief import Belief, Tried
from bench.search.goal import Goal
from bench.search.model import Model
from bench.search.race import Race
from bench.search.simple import Grid, Optuna, Random

MOST_RACING = 30
"""Candidates up to which all of them race; more are searched by a model."""


class Strategy(Protocol):
    """The same history gives the same answer: a search that was stopped goes on from its trials alone."""

    @property
    def first(self) -> Sequence[str]:
        """Ids of the cells that are tried in any case, before anything is known."""

    def next_trial(self, history: Sequence[Tried]) -> tuple[str, int] | None:
        """Id of the cell to try, and the block that the trial counts to; None: nothing is left to learn."""

    def belief(self, history: Sequence[Tried]) -> Belief:
        """What the history makes one believe of every candidate."""


def make(name: str, cells: Sequence[Cell], goal: Goal, seed: int, default: str = "") -> Strategy:
    """The strategy of this name, as in ``tune --strategy``, over these candidates; a model begins with
    ``default``.
    """
    if name == "auto":
        name = "race" if len(cells) <= MOST_RACING else "model"
    if name == "model":
        return Model(cells, goal, seed, default)
    kinds: dict[str, Callable[[Sequence[Cell], Goal, int], Strategy]]
    kinds = {"random": Random, "grid": Grid, "optuna": Optuna, "race": Race}
    return kinds[name](cells, goal, seed)
