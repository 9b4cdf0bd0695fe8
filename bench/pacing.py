"""Pure: when is the n-th task of a load due, and which task of the mix is it?

A shape is one function ``(load, rng) → due times``, entered in ``_SHAPES``. No clock is read here: due times
are fixed before a trial starts, so that a slow loader shows as lateness and never shifts the schedule.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from bench.model import Load

Floats = npt.NDArray[np.float64]

_DUE, _CHOICE = 1, 2  # independent streams of the same seed
_MOST_KINDS = np.iinfo(np.int16).max + 1


def due_times(load: Load, seed: int) -> Floats:
    """When each task should be published: ``load.count`` ascending seconds from the start of the load.

    The same load and seed give the same times. Raises ValueError for a shape that is not known.
    """
    if load.shape not in _SHAPES:
        raise ValueError(f"{load.shape!r} is not a shape of load; known: {', '.join(_SHAPES)}")
    return _SHAPES[load.shape](load, np.random.default_rng([_DUE, seed]))


def choices(weights: Sequence[float], n: int, seed: int) -> npt.NDArray[np.int16]:
    """Which entry of the workload each of ``n`` tasks is: indices into ``weights``, in random order.

    The counts are exactly proportional (largest remainder), so that no trial gets more of the long tasks than
    another; only the order is drawn. Raises ValueError for weights that are not positive and finite.
    """
    shares = np.asarray(weights, dtype=np.float64)
    if shares.ndim != 1 or not 0 < len(shares) <= _MOST_KINDS:
        raise ValueError(f"between 1 and {_MOST_KINDS} weights, not {len(shares) if shares.ndim else 0}")
    if not (np.isfinite(shares).all() and (shares > 0).all()):
        raise ValueError("weights must be positive and finite")
    index = np.arange(len(shares), dtype=np.int16)
    return np.random.default_rng([_CHOICE, seed]).permutation(np.repeat(index, _counts(shares, n)))


def _counts(shares: Floats, n: int) -> npt.NDArray[np.int64]:
    """``n`` split in proportion to ``shares``; what is left goes to the largest remainders."""
    exact = n * (shares / shares.max() / (shares / shares.max()).sum())
    counts: npt.NDArray[np.int64] = np.floor(exact).astype(np.int64)
    left = n - int(counts.sum())
    counts[np.argsort(counts - exact, kind="stable")[:left]] += 1
    return counts


def _flood(load: Load, _rng: np.random.Generator) -> Floats:
    return np.zeros(load.count)


def _constant(load: Load, _rng: np.random.Generator) -> Floats:
    if not load.rate or load.rate <= 0:
        raise ValueError("a constant load needs a rate above 0")
    return np.arange(load.count) / load.rate


_SHAPES: Mapping[str, Callable[[Load, np.random.Generator], Floats]] = {
    "flood": _flood,
    "constant": _constant,
}
