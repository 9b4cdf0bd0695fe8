"""What the trials of a search make one believe of each candidate: least squares over cells and blocks.

A trial's score is that of its cell, plus what its block did to all (the host), plus noise that is alike for
all cells. The noise is not taken from the few trials of a cell but from all of them, and from ``PRIOR_NOISE``
while there are hardly any (moderated variance: G. K. Smyth, Stat. Appl. Genet. Mol. Biol. 3, 2004).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bench.grammar import Condition
from bench.measured import TrialResult
from bench.search.goal import SURE, Goal

Floats = NDArray[np.float64]

PRIOR_NOISE, PRIOR_DF = 0.08, 4
"""Standard deviation of a trial's logarithm before anything is known, and how many trials that is worth."""

MOST_FAILED = 2
"""Failed trials after which a cell is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A finished trial of the search. ``score`` as in Goal, ``limits`` the metric of each condition;
    NaN where it has none. ``seconds`` it took.
    """

    cell: str
    block: int
    ok: bool
    score: float
    limits: tuple[float, ...]
    memory: float
    cpu: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """Arrays over ``cells``: ``mean`` score with its ``covariance`` (cells × cells), number of ``tries``,
    and the ``chance`` that all conditions hold. Never tried: NaN, or what a model says. ``noise`` of a trial
    with ``df`` degrees of freedom.
    """

    cells: tuple[str, ...]
    mean: Floats
    covariance: Floats
    tries: NDArray[np.int64]
    chance: Floats
    noise: float
    df: float

    @property
    def leader(self) -> int | None:
        """Index of the best of those tried that surely keep the conditions; None where none does."""
        fit = (self.tries > 0) & (self.chance >= SURE) & np.isfinite(self.mean)
        return int(np.argmax(np.where(fit, self.mean, -np.inf))) if fit.any() else None

    @property
    def nearest(self) -> int | None:
        """The leader, or else the one most likely to keep the conditions, of equals the best."""
        tried = (self.tries > 0) & np.isfinite(self.mean)
        if not tried.any():
            return None
        order = np.lexsort((np.where(tried, self.mean, -np.inf), np.where(tried, self.chance, -1)))
        leader = self.leader
        return int(order[-1]) if leader is None else leader

    def behind(self, best: int) -> tuple[Floats, Floats]:
        """By how much each is behind ``best``, and the error of that."""
        own = np.diag(self.covariance)
        variance = own + own[best] - 2 * self.covariance[best]
        return self.mean[best] - self.mean, np.sqrt(np.maximum(variance, 0.0))

    def worse(self, best: int, margin: float, level: float) -> NDArray[np.bool_]:
        """Which are shown (with an error of 1 − ``level``) to be worse than ``best`` by more than margin."""
        behind, error = self.behind(best)
        return np.asarray((behind - margin) / np.maximum(error, 1e-12) > special.stdtrit(self.df, level))


def tried(goal: Goal, result: TrialResult) -> Tried:
    """A result as the search sees it."""
    metrics = result.metrics
    return Tried(
        cell=result.cell,
        block=result.block,
        ok=result.ok,
        score=goal.score(result),
        limits=tuple(metrics.get(c.metric, math.nan) for c in goal.conditions),
        memory=metrics.get("memory", math.nan),
        cpu=metrics.get("cpu_per_task", math.nan),
        seconds=result.seconds,
    )


def believe(cells: Sequence[str], history: Sequence[Tried], goal: Goal) -> Belief:
    """The belief after ``history``, cell by cell: nothing is said of cells that were not tried."""
    index = {cell: i for i, cell in enumerate(cells)}
    seen = [t for t in history if t.cell in index]
    good = [t for t in seen if t.ok and math.isfinite(t.score)]
    mean, covariance, noise, df = _fit(index, good, [t.score for t in good])
    tries = np.bincount([index[t.cell] for t in seen], minlength=len(cells))
    lost = np.bincount([index[t.cell] for t in seen if t not in good], minlength=len(cells))
    mean[(tries > 0) & np.isnan(mean)] = -np.inf
    chance = np.ones(len(cells))
    for n, condition in enumerate(goal.conditions):
        chance *= _chance(index, seen, n, condition)
    chance[(lost >= MOST_FAILED) | ((lost > 0) & (lost == tries))] = 0.0
    chance[lost > 0] = np.minimum(chance[lost > 0], SURE / 2)
    return Belief(
        cells=tuple(cells), mean=mean, covariance=covariance, tries=tries, chance=chance, noise=noise, df=df
    )


def _chance(index: dict[str, int], seen: Sequence[Tried], n: int, condition: Condition) -> Floats:
    """That the cell's mean keeps the condition; 0 where every trial says nothing of it, 1 where untried."""
    known = [t for t in seen if not math.isnan(t.limits[n])]
    chance = np.ones(len(index))
    for cell in {t.cell for t in seen} - {t.cell for t in known}:
        chance[index[cell]] = 0.0
    if not known:
        return chance
    if condition.counts or condition.limit <= 0 or min(t.limits[n] for t in known) <= 0:
        for t in known:  # zero has no logarithm: one trial that breaks it is enough
            chance[index[t.cell]] *= condition.keeps(t.limits[n])
        return chance
    mean, covariance, _, df = _fit(index, known, [math.log(t.limits[n]) for t in known])
    error = np.sqrt(np.diag(covariance))
    way = 1 if condition.op.startswith("<") else -1
    found = special.stdtr(df, way * (math.log(condition.limit) - mean) / np.maximum(error, 1e-12))
    return np.where(np.isnan(mean), chance, found)


def _fit(
    index: dict[str, int], seen: Sequence[Tried], values: Sequence[float]
) -> tuple[Floats, Floats, float, float]:
    """Mean of each cell and their covariance, noise and its degrees of freedom.

    What blocks do is held small by a ridge of one, as if it varied as much as the noise: a block of one trial
    says nothing of itself.
    """
    n = len(index)
    mean, covariance = np.full(n, np.nan), np.full((n, n), np.nan)
    if not seen:
        return mean, covariance, PRIOR_NOISE, PRIOR_DF
    cells = sorted({index[t.cell] for t in seen})
    blocks = sorted({t.block for t in seen})
    x = np.zeros((len(seen), len(cells) + len(blocks)))
    for row, t in enumerate(seen):
        x[row, cells.index(index[t.cell])] = 1
        x[row, len(cells) + blocks.index(t.block)] = 1
    ridge = np.diag([0.0] * len(cells) + [1.0] * len(blocks))
    inverse = np.linalg.inv(x.T @ x + ridge)
    found = inverse @ x.T @ np.asarray(values, dtype=float)
    rest = np.asarray(values) - x @ found
    df = max(len(seen) - len(cells), 0)
    squares = float(rest @ rest) + float(found[len(cells) :] @ found[len(cells) :])
    noise = math.sqrt((PRIOR_DF * PRIOR_NOISE**2 + squares) / (PRIOR_DF + df))
    mean[cells] = found[: len(cells)]
    covariance[np.ix_(cells, cells)] = noise**2 * inverse[: len(cells), : len(cells)]
    return mean, covariance, noise, float(PRIOR_DF + df)
