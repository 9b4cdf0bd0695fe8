"""Two settings compared pair by pair: ratio, interval, p-value; Holm's correction for many."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bench.stats import contrast
from bench.stats.intervals import geometric


class Paired(NamedTuple):
    """Geometric mean of the ratios a/b with its 95 % interval, and the two-sided p-value of "the ratio is 1".

    Interval and p are None below two pairs.
    """

    ratio: float
    lower: float | None
    upper: float | None
    p: float | None
    n: int


def paired(a: Sequence[float], b: Sequence[float]) -> Paired:
    """Compare ``a`` with ``b``, values above zero, matched by position (the trials of one block).

    The paired t test on log a − log b (Student 1908): what a block does to both (a slow hour of the host)
    cancels. Raises ValueError for unequal lengths, no pairs, or a value not above zero.
    """
    if len(a) != len(b):
        raise ValueError("pairs need as many values on both sides")
    if not (np.asarray([a, b]) > 0).all():
        raise ValueError("ratios need values above zero")
    ratios = (np.asarray(a, dtype=float) / np.asarray(b, dtype=float)).tolist()
    interval = geometric(ratios)
    logs = contrast.of_pairs(np.log(b).tolist(), np.log(a).tolist())
    p = None if logs is None else contrast.p_beyond(logs, margin=0.0)
    return Paired(interval.point, interval.lower, interval.upper, p, interval.n)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted so that together they err as rarely as one (S. Holm, Scand. J. Statistics 6,
    1979).
    """
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = highest
    return adjusted
