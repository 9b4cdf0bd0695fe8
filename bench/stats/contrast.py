"""Is the mean of b beyond that of a by more than a margin? Pairs (trials of one block) are judged by the
paired t test, two separate series by Welch's. For ratios pass logarithms: 0.02 is a ratio of about 1.02.
"""

from collections.abc import Sequence
from math import inf, sqrt
from typing import NamedTuple

import numpy as np
from scipy import special

POWER = 0.8
"""Chance with which the smallest effect that could have been shown would have been shown."""
MOST_TRIALS = 1000
"""Beyond so many a number of trials is no advice."""
_FLAT = 1e-12
"""A standard error this small beside 1 is none: all trials gave the same number."""


class Contrast(NamedTuple):
    """``mean`` of b − a, its standard ``error``, degrees of freedom ``df``, and ``n`` trials a side
    (pairs, or the shorter series).
    """

    mean: float
    error: float
    df: float
    n: int

    @property
    def spread(self) -> float:
        """The error if there were one trial a side."""
        return self.error * sqrt(self.n)


def of_pairs(a: Sequence[float], b: Sequence[float]) -> Contrast | None:
    """From values matched by position (Student 1908); None below two pairs."""
    found = np.asarray(b, dtype=float) - np.asarray(a, dtype=float)
    if found.size < 2:
        return None
    error = float(found.std(ddof=1)) / sqrt(found.size)
    return Contrast(float(found.mean()), error, found.size - 1, int(found.size))


def of_series(a: Sequence[float], b: Sequence[float]) -> Contrast | None:
    """From two separate series (B. L. Welch, Biometrika 34, 1947); None where one has fewer than two."""
    x, y = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if min(x.size, y.size) < 2:
        return None
    vx, vy = float(x.var(ddof=1)) / x.size, float(y.var(ddof=1)) / y.size
    below = vx**2 / (x.size - 1) + vy**2 / (y.size - 1)
    df = (vx + vy) ** 2 / below if below > 0 else x.size + y.size - 2
    return Contrast(float(y.mean() - x.mean()), sqrt(vx + vy), df, int(min(x.size, y.size)))


def interval(found: Contrast, confidence: float = 0.95) -> tuple[float, float]:
    """Both ends of the t interval of the mean."""
    half = _quantile(found.df, 0.5 + confidence / 2) * found.error
    return found.mean - half, found.mean + half


def p_beyond(found: Contrast, margin: float) -> float:
    """Two-sided p-value of "the true difference is not beyond ± ``margin``", by the t test at the margin."""
    beyond = abs(found.mean) - margin
    if found.error < _FLAT:
        return 0.0 if beyond > _FLAT else 1.0
    return float(min(1.0, 2 * special.stdtr(found.df, -beyond / found.error)))


def smallest_shown(found: Contrast, margin: float, alpha: float = 0.05) -> float:
    """The smallest true difference that as many trials, spread like these, would show to be beyond the margin
    with a chance of ``POWER``: margin + (t of α + t of the power) × error, the usual approximation to the
    noncentral t.
    """
    return margin + (_quantile(found.df, 1 - alpha / 2) + _quantile(found.df, POWER)) * found.error


def trials_to_decide(found: Contrast, margin: float, alpha: float = 0.05) -> int | None:
    """How many trials a side it would take in all until the interval lies on one side of the margin, if the
    mean and the spread stay as they are; None for more than ``MOST_TRIALS``.
    """
    gap = abs(abs(found.mean) - margin)
    if found.error < _FLAT:
        return found.n
    ns = np.arange(found.n + 1, MOST_TRIALS + 1)
    df = (ns - 1) * found.df / (found.n - 1)
    enough = special.stdtrit(df, 1 - alpha / 2) * found.spread / np.sqrt(ns) < gap
    return int(ns[np.argmax(enough)]) if enough.any() else None


def _quantile(df: float, p: float) -> float:
    return float(special.stdtrit(df, p)) if df > 0 else inf
