"""The mean of a few trials with its 95 % t interval; the trials are the sample, never their tasks."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

CONFIDENCE = 0.95


class Interval(NamedTuple):
    """``point`` with the ``lower`` and ``upper`` end of its interval, or None where ``n`` is below 2."""

    point: float
    lower: float | None
    upper: float | None
    n: int


def t_quantile(n: int, confidence: float = CONFIDENCE) -> float:
    """Student's two-sided quantile for ``n`` values: the half-width in standard errors."""
    return float(special.stdtrit(n - 1, 0.5 + confidence / 2))


def arithmetic(values: Sequence[float]) -> Interval:
    """Mean with its t interval, for values that are or can be zero: counts, lateness.

    Raises ValueError without values.
    """
    data = np.asarray(values, dtype=float)
    if data.size == 0:
        raise ValueError("no values to average")
    point = float(data.mean())
    if data.size < 2:
        return Interval(point, None, None, 1)
    half = t_quantile(data.size) * float(data.std(ddof=1)) / data.size**0.5
    return Interval(point, point - half, point + half, int(data.size))


def geometric(values: Sequence[float]) -> Interval:
    """Geometric mean with the t interval of the logarithms, for values above zero.

    Effects on times and rates are factors ("3 % slower"), so their logarithms are what is near normal; an
    interval of a time then never reaches below zero. Raises ValueError without values or at one not above 0.
    """
    data = np.asarray(values, dtype=float)
    if not (data > 0).all():
        raise ValueError("a geometric mean needs values above zero")
    logs = arithmetic(np.log(data).tolist())
    if logs.lower is None or logs.upper is None:
        return Interval(float(data[0]), None, None, logs.n)
    point, lower, upper = np.exp([logs.point, logs.lower, logs.upper]).tolist()
    return Interval(point, lower, upper, logs.n)
