"""Quantiles of many tasks, refused where the sample is too small to hold them."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

LEVELS: Mapping[str, float] = MappingProxyType(
    {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999}
)

BEYOND = 10
"""Values that must lie beyond a quantile before it is stated: p50 from 20 values, p90 from 100, p95 from 200,
p99 from 1 000, p999 from 10 000. The number beyond is binomial; with 10 its relative standard deviation is
1/√10, about a third, and the 95 % order-statistic interval still lies inside the sample (David and
Nagaraja, Order Statistics, 7.1)."""


def needed(level: float) -> int:
    """How many values the quantile at ``level`` (0 to 1) needs."""
    return round(BEYOND / (1 - level))


def quantiles(values: NDArray[np.float64], levels: Sequence[float]) -> list[float | None]:
    """One quantile for each level, linear between order statistics (numpy's default, type 7 of Hyndman and
    Fan 1996); None where ``values`` has too few.
    """
    enough = [level for level in levels if values.size >= needed(level)]
    found = dict(zip(enough, np.quantile(values, enough).tolist(), strict=True)) if enough else {}
    return [found.get(level) for level in levels]
