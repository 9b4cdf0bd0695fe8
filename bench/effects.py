"""What one axis does by itself: each level against the best one, over all cells that differ in nothing else.

A ranking compares cells one by one, each with only its own trials. A question about one setting ("does a deep
prefetch cost anything?") is asked of every pool at once: within a block, the geometric mean over the other
settings stands for the level, and levels are then compared pair by pair like cells.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import geometric_mean

from bench.measured import HIGHER_IS_BETTER, TrialResult
from bench.model import Cell, Label
from bench.stats.paired import holm, paired

SIGNIFICANCE = 0.05
"""Chance that anything is told apart that is equal; over all comparisons of a circumstance (Holm)."""

MARGIN = 0.02
"""A difference that surely is smaller than this is none: nobody changes a setting for it."""

Blocks = dict[int, float]
"""Block → geometric mean of the metric over the other settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """``ratio`` is the metric at ``level`` ÷ at ``base``, the axis's best level, with its 95 % interval.

    Taken over ``others`` combinations of the other settings, in ``pairs`` blocks. ``p`` is adjusted
    (Holm) for all effects of the circumstance.
    """

    axis: str
    base: Label
    level: Label
    others: int
    pairs: int
    ratio: float
    lower: float
    upper: float
    p: float

    @property
    def told_apart(self) -> bool:
        """Whether the trials show that the level is not as good as the base."""
        return self.p < SIGNIFICANCE and not same(self.lower, self.upper)


def same(lower: float | None, upper: float | None) -> bool:
    """Whether the interval of a ratio lies within the margin around 1."""
    return lower is not None and upper is not None and lower >= 1 - MARGIN and upper <= 1 + MARGIN


def effects(
    cells: Sequence[Cell], axes: Sequence[str], results: Sequence[TrialResult], metric: str
) -> tuple[Effect, ...]:
    """Effects of all ``axes`` among ``cells``; of an axis with one level, or too few trials, none."""
    values = {(r.cell, r.block): r.metrics[metric] for r in results if r.ok and r.metrics.get(metric, 0) > 0}
    found = [effect for axis in axes for effect in _axis(cells, axis, values, metric)]
    adjusted = holm([effect.p for effect in found])
    return tuple(replace(effect, p=p) for effect, p in zip(found, adjusted, strict=True))


def _axis(
    cells: Sequence[Cell], axis: str, values: Mapping[tuple[str, int], float], metric: str
) -> list[Effect]:
    rows: dict[tuple[tuple[str, Label], ...], dict[Label, str]] = {}
    for cell in cells:
        other = tuple((path, label) for path, label in cell.settings.items() if path != axis)
        rows.setdefault(other, {})[cell.settings[axis]] = cell.id
    levels = list(dict.fromkeys(cell.settings[axis] for cell in cells))
    measured = {cell for cell, _ in values}
    whole = [row for row in rows.values() if len(row) == len(levels) and measured.issuperset(row.values())]
    if len(levels) < 2 or len(whole) < 2:
        return []
    blocks = sorted({block for _, block in values})
    means: dict[Label, Blocks] = {level: {} for level in levels}
    for block in blocks:
        if all((row[level], block) in values for row in whole for level in levels):
            for level in levels:
                means[level][block] = geometric_mean(values[row[level], block] for row in whole)
    common = list(means[levels[0]])
    if len(common) < 2:
        return []
    best = max if metric in HIGHER_IS_BETTER else min
    base = best(levels, key=lambda level: geometric_mean(means[level].values()))
    return [_effect(axis, base, level, means, len(whole)) for level in levels if level != base]


def _effect(axis: str, base: Label, level: Label, means: Mapping[Label, Blocks], others: int) -> Effect:
    pair = paired(list(means[level].values()), list(means[base].values()))
    assert pair.lower is not None and pair.upper is not None and pair.p is not None  # two blocks at least
    return Effect(
        axis=axis, base=base, level=level, others=others, pairs=pair.n,
        ratio=pair.ratio, lower=pair.lower, upper=pair.upper, p=pair.p,
    )  # fmt: skip
