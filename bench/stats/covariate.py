"""Host speed as a covariate: trials of a cell adjusted to one speed of the host, where that provably narrows.

Analysis of covariance with one common slope (R. A. Fisher, Statistical Methods for Research Workers, 4th ed.
1932, §49.1; Snedecor and Cochran, Statistical Methods, ch. 18): within its cell a trial's y = log metric
follows x = log of the time that the reference spin took beside it. The slope is that of all cells together,
each measured from its own mean; one degree of freedom is spent on it. Knows nothing of metrics or hosts.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bench.stats.intervals import CONFIDENCE

Floats = NDArray[np.float64]

SIGNIFICANCE = 0.01
"""Largest p-value of the slope at which it is used: of runs without a relation, one in a hundred."""

NARROWER = 0.75
"""Largest share of the residual variance, predicted leaving one out, that may be left: 0.75 makes intervals
13 % narrower. For less nobody should have to read about an adjustment."""

LEAST_DF = 5
"""Degrees of freedom that must be left for the residual variance, as three trials in three cells have:
with fewer, t and the slope itself are guesses."""

LEAST_SPREAD = 1e-9
"""Standard deviation of x within cells below which there is nothing to relate to."""


class Group(NamedTuple):
    """One cell: ``y`` = log metric and ``x`` = log spin time of its trials, matched by position."""

    y: Sequence[float]
    x: Sequence[float]


class Adjusted(NamedTuple):
    """A cell's mean of y at the run's mean x, with its 95 % t interval."""

    mean: float
    lower: float
    upper: float
    n: int


class Covariance(NamedTuple):
    """``slope`` of y on x, common to all cells, and ``r2``, the share of the variance within cells that it
    explains. ``p`` of "it is 0": F test with 1 and ``df`` degrees of freedom. ``left``: the share of the
    variance that remains when each trial is predicted from the others. ``means`` of the groups in their
    order, at ``at``, the mean x of all trials.
    """

    slope: float
    r2: float
    p: float
    df: int
    left: float
    at: float
    means: tuple[Adjusted, ...]


def adjusted(groups: Sequence[Group]) -> Covariance | None:
    """Common slope, what it explains, and the adjusted means; None where ``groups`` are too few or too small
    to tell, or x does not vary.

    Raises ValueError for a group whose y and x differ in length, or that is empty.
    """
    if any(len(g.y) != len(g.x) or not len(g.y) for g in groups):
        raise ValueError("a group needs as many x as y, and at least one")
    df = sum(len(g.y) - 1 for g in groups) - 1
    if df < LEAST_DF:
        return None
    y, x = (_within([getattr(g, name) for g in groups]) for name in ("y", "x"))
    spread, total = float(x @ x), float(y @ y)
    if spread <= x.size * LEAST_SPREAD**2 or total <= 0:
        return None
    slope = float(x @ y) / spread
    rest = y - slope * x
    error = float(rest @ rest)
    f = np.inf if error <= 0 else (total - error) / (error / df)
    at = float(np.concatenate([np.asarray(g.x, dtype=float) for g in groups]).mean())
    variance = error / df
    return Covariance(
        slope=slope,
        r2=1 - error / total,
        p=float(special.fdtrc(1, df, f)) if np.isfinite(f) else 0.0,
        df=df,
        left=_left(y, x, rest, [len(g.y) for g in groups]),
        at=at,
        means=tuple(_mean(g, slope, at, variance, spread, df) for g in groups),
    )


def narrows(found: Covariance | None) -> bool:
    """Whether the adjustment may be used: the slope is significant, and of the variance within cells at most
    ``NARROWER`` is left when each trial is predicted from the others.
    """
    return found is not None and found.p < SIGNIFICANCE and found.left <= NARROWER


def _within(columns: Sequence[Sequence[float]]) -> Floats:
    """All values, each less the mean of its group."""
    return np.concatenate([np.asarray(c, dtype=float) - np.mean(c) for c in columns])


def _mean(group: Group, slope: float, at: float, variance: float, spread: float, df: int) -> Adjusted:
    n, away = len(group.y), float(np.mean(group.x)) - at
    mean = float(np.mean(group.y)) - slope * away
    half = float(special.stdtrit(df, 0.5 + CONFIDENCE / 2)) * (variance * (1 / n + away**2 / spread)) ** 0.5
    return Adjusted(mean, mean - half, mean + half, n)


def _left(y: Floats, x: Floats, rest: Floats, sizes: Sequence[int]) -> float:
    """Σ of squared errors of predicting each trial from the others (PRESS; D. M. Allen, Technometrics 16,
    1974) with the slope ÷ without it. Trials alone in their cell predict nothing and are left out.
    """
    n = np.repeat(sizes, sizes)
    kept = n > 1
    alone = 1 - 1 / n[kept]
    with_slope = np.maximum(alone - x[kept] ** 2 / float(x @ x), 1e-12)
    return float(((rest[kept] / with_slope) ** 2).sum() / ((y[kept] / alone) ** 2).sum())
