"""Where the level of a series changed: PELT (R. Killick, P. Fearnhead, I. A. Eckley, JASA 107, 2012) on
values in units of the series' own noise. For rates and times pass logarithms.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import log

import numpy as np
from numpy.typing import NDArray

LEAST = 8
"""Shorter series are not searched: their noise is not known well enough to see anything but a landslide."""
SHORTEST = 2
"""A level lasts for so many values at least: one odd value is an outlier, not a change."""
SIMULATED = 400_000
"""So many values are simulated for a length, in ``LEAST_SERIES`` series at least."""
LEAST_SERIES = 4000
TAIL = 400
"""The largest simulated gains, from which those of a smaller chance are extrapolated."""
ODD = 3.0
"""In units of noise: no value counts as further from its neighbours."""
MOST_ALIKE = 0.6
"""Values that follow each other more closely than by this correlation are taken for changes of level."""
_LEFT_OUT = 10
"""The largest tenth of the steps may be changes, and tells nothing of the noise."""
_AT_ONCE = 500
"""Series whose numbers fit a processor's cache."""


def change_points(values: Sequence[float], alpha: float = 0.01) -> list[int]:
    """Indices at which a new level begins; none for fewer than ``LEAST`` values.

    ``alpha``: the chance that a series of this length without any change (independent normal values) shows
    one.
    """
    data = np.asarray(values, dtype=float)
    if data.size < LEAST or data.max() - data.min() <= 1e-9 * max(1.0, float(np.abs(data).max())):
        return []
    from ruptures import KernelCPD  # late: 0.9 s that only a long history need pay

    search = KernelCPD(kernel="linear", min_size=SHORTEST).fit(scaled(data))
    found = search.predict(pen=penalty(data.size, alpha))
    return [int(index) for index in found[:-1]]


def scaled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each row in units of its own noise; a value far from its neighbours is drawn in to ``ODD`` units.

    The noise is the long-run standard deviation of a first-order autoregression, from steps over one and two
    values: Var(xₜ − xₜ₋₁) = 2γ(1 − φ), Var(xₜ − xₜ₋₂) = 2γ(1 − φ²), and γ(1 + φ) ÷ (1 − φ) in the long
    run. Steps between levels are few: they are among the largest tenth, which is left out.
    """
    once, twice = (_step(values, lag) for lag in (1, 2))
    floor = 1e-3 * values.std(axis=-1)
    near = np.median(np.stack([_moved(values, by) for by in (-2, -1, 0, 1, 2)]), axis=0)
    unit = np.maximum(np.sqrt(once), floor)[..., None]
    calm = np.clip(values, near - ODD * unit, near + ODD * unit)
    phi = np.clip(twice / np.maximum(once, floor**2) - 1, 0, MOST_ALIKE)
    units: NDArray[np.float64] = unit * (np.sqrt(1 + phi) / (1 - phi))[..., None]
    return np.asarray((calm - calm.mean(axis=-1, keepdims=True)) / units)


def _step(values: NDArray[np.float64], lag: int) -> NDArray[np.float64]:
    """Half the mean square of what changes over ``lag`` values."""
    steps = np.sort(np.square(values[..., lag:] - values[..., :-lag]), axis=-1)
    kept = steps[..., : steps.shape[-1] - -(-steps.shape[-1] // _LEFT_OUT)]
    return np.asarray(kept.mean(axis=-1) / 2)


def _moved(values: NDArray[np.float64], by: int) -> NDArray[np.float64]:
    """The values ``by`` places further on, the outermost repeated."""
    at = np.clip(np.arange(values.shape[-1]) + by, 0, values.shape[-1] - 1)
    return values[..., at]


def penalty(n: int, alpha: float) -> float:
    """What a change point must gain (the square of units of noise) so that a series of ``n`` independent
    normal values shows one with chance ``alpha``: by simulation, the same each time.

    Where so small a chance was not simulated often enough, the tail of the gain's root is taken for
    exponential, which lies between that of a normal value (series are long) and Student's t (short).
    """
    gains = _gains(_alike(n))
    beyond = TAIL / (alpha * gains.size)
    if beyond <= 1:
        return float(np.quantile(gains, 1 - alpha))
    least, *largest = np.sqrt(gains[-TAIL - 1 :])
    return float((least + np.mean(largest - least) * log(beyond)) ** 2)


def _alike(n: int) -> int:
    """A length that stands for ``n``, with a penalty as large or larger.

    Of steps a whole number is left out, so their noise is taken for smaller each ten values, at 13, 23, 33 …,
    and the penalty jumps there and falls until the next. Above 200 it hardly moves.
    """
    step = 10 * max(1, n // 100)
    return n if n < 23 else 3 + (n - 3) // step * step


@lru_cache
def _gains(n: int) -> NDArray[np.float64]:
    """What the best change points gain in series of ``n`` independent normal values, in order."""
    rng = np.random.default_rng(n)
    left, gains = max(LEAST_SERIES, SIMULATED // n), []
    while left > 0:
        gains.append(_gain(scaled(rng.standard_normal((min(left, _AT_ONCE), n)))))
        left -= _AT_ONCE
    return np.sort(np.concatenate(gains))


def _gain(data: NDArray[np.float64]) -> NDArray[np.float64]:
    """By how much the best single change point lowers each row's sum of squares, or half of what the best two
    do, between which the level is another and after which it is the old one.
    """
    n = data.shape[-1]
    sums = np.cumsum((data - data.mean(axis=-1, keepdims=True)).T, axis=0, dtype=np.float32)
    sums = sums[SHORTEST - 1 : n - SHORTEST]
    before = np.arange(SHORTEST, n - SHORTEST + 1)[:, None]
    best = (sums**2 * (1 / before + 1 / (n - before))).max(axis=0)
    for inside in range(SHORTEST, n - 2 * SHORTEST + 1):
        between = sums[inside:] - sums[:-inside]
        most = np.maximum(between.max(axis=0), -between.min(axis=0))
        best = np.maximum(best, most**2 * (1 / inside + 1 / (n - inside)) / 2)
    return np.asarray(best, dtype=float)
