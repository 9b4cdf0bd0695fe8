"""Few candidates: all of them race, block by block, and whoever is surely behind drops out.

A block is one trial of every candidate that is left, in random order. After each, those are dropped that are
shown to be worse than the best, surely break a condition, or fail (the idea of O. Maron and A. Moore,
Artificial Intelligence Review 11, 1997, with blocks). The race ends when one is left, or none of the others
can still be better by more than the margin.
"""

import random
from collections.abc import Sequence

import numpy as np

from bench.effects import MARGIN
from bench.model import Cell
from bench.search.belief import Belief, Tried, believe
from bench.search.goal import SURE, Goal

LEVEL = 0.99
"""How sure it must be that a candidate is behind before it drops out: there is no way back."""

MOST_BLOCKS = 20


class Race:
    """See above. ``seed``: of the order within the blocks."""

    def __init__(self, cells: Sequence[Cell], goal: Goal, seed: int) -> None:
        self._cells, self._goal, self._seed = tuple(cell.id for cell in cells), goal, seed

    @property
    def first(self) -> Sequence[str]:
        """All of them."""
        return self._cells

    def belief(self, history: Sequence[Tried]) -> Belief:
        """What is known of every candidate."""
        return believe(self._cells, history, self._goal)

    def next_trial(self, history: Sequence[Tried]) -> tuple[str, int] | None:
        """Cell and block of the next trial; None when the race is over."""
        left = set(self._cells)
        for block in range(1, MOST_BLOCKS + 1):
            order = [cell for cell in self._cells if cell in left]
            random.Random(self._seed + block).shuffle(order)
            done = {t.cell for t in history if t.block == block}
            for cell in order:
                if cell not in done:
                    return cell, block
            left &= self._survivors([t for t in history if t.block <= block], left)
            if len(left) < 2:
                return None
        return None

    def _survivors(self, history: Sequence[Tried], left: set[str]) -> set[str]:
        """Who goes on; nobody when the race is decided."""
        belief = self.belief(history)
        best = belief.nearest
        if best is None:
            return set()
        fit = belief.chance > 1 - SURE
        fit[best] = True
        running = np.isin(belief.cells, list(left)) & fit & ~belief.worse(best, 0.0, LEVEL)
        running[best] = True
        sure = belief.worse(best, -MARGIN, SURE)
        sure[best] = belief.chance[best] >= SURE or not self._goal.conditions
        if (sure | ~running).all():
            return set()
        return {belief.cells[i] for i in np.flatnonzero(running)}
