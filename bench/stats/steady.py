"""Where in a trial the rate of completions is settled: warm-up cut by MSER-5, the drain tail by the caller.

MSER (marginal standard error rule): K. P. White, "An effective truncation heuristic for bias reduction in
simulation output", Simulation 69 (1997); MSER-5, on means of 5: White, Cobb and Spratt, "A comparison of
five steady-state truncation heuristics", Proc. 2000 Winter Simulation Conference. The rule picks the cut
that makes the rest's mean most certain.

The series is the time each bin of completions took. A bin holds the same number of completions: a whole
number of rounds (one completion for each slot), and never fewer than five. Pools whose tasks end in waves
(twenty equal sleeps started together) then give equal bins, where bins of equal time would alternate
between full and empty.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

BATCH = 5
"""Fewest completions in a bin: the 5 of MSER-5."""

MIN_BINS = 10
"""Fewest bins to judge by: half may be cut, and five are the least that a trend can be tested on."""

MAX_BINS = 200
"""Most bins; more completions make larger bins, so that the cut is decided on means and not on single
tasks."""

LEFT = 5
"""Bins at the end where the criterion is not looked at: of so few, some look equal by chance (White 1997)."""

EQUAL = 1e-6
"""Relative spread of a series up to which it counts as constant: what is left is rounding."""

TREND = 0.05
"""Change of rate across the window, relative to its mean, from which it is called drifting (if also
significant). Half of the ±10 % at which an interval is doubted for its width."""

SIGNIFICANCE = 0.01
"""Chance of calling a settled window drifting or never settled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Steady:
    """``verdict`` steady, drifting or never (``why`` says it in words); ``start`` and ``end`` of the window
    in the seconds of the given times, ``tasks`` completions in it, ``rate`` 1/s (NaN for never).
    """

    verdict: str
    start: float
    end: float
    tasks: int
    rate: float
    why: str = ""


def mser(values: NDArray[np.float64], most: int | None = None) -> int:
    """How many leading values to cut, at ``most`` so many: the d that minimises Σ_{i≥d} (yᵢ − ȳ_d)² / (n −
    d)², the squared standard error of the mean of what is left.

    ``LEFT`` values always stay; 0 for a shorter or constant series.
    """
    if values.size <= LEFT or np.ptp(values) <= EQUAL * abs(values.mean()):
        return 0
    centred = (values - values.mean())[::-1]
    left = np.arange(1, values.size + 1)
    sums, squares = np.cumsum(centred), np.cumsum(centred**2)
    criterion = ((squares - sums**2 / left) / left**2)[::-1]
    longest = values.size - LEFT
    return int(np.argmin(criterion[: 1 + (longest if most is None else min(most, longest))]))


def trend(values: NDArray[np.float64]) -> tuple[float, float]:
    """Change across the series by its least-squares line, relative to the mean, and the p-value of its slope
    (t test, two-sided).
    """
    n = values.size
    x = np.arange(n) - (n - 1) / 2
    slope = float(x @ values / (x @ x))
    rest = values - values.mean() - slope * x
    error = float(np.sqrt((rest @ rest) / max(n - 2, 1) / (x @ x)))
    change = slope * (n - 1) / float(values.mean())
    if error <= abs(slope) * 1e-9:
        return change, 0.0 if abs(change) > 1e-9 else 1.0
    return change, float(2 * special.stdtr(n - 2, -abs(slope / error)))


def rate(ends: NDArray[np.float64], slots: int) -> float:
    """Completions a second between the first and the last of the sorted times ``ends`` (s).

    (n − b) ÷ (mean of the last b − mean of the first b), b = ``slots``: the time from the centre of the
    first round to that of the last. With one slot it is (n − 1) ÷ (last − first). That simple form is up
    to one round too high when tasks end in waves of b; the mean over a round is exact for every periodic
    pattern. NaN for fewer than two completions.
    """
    b = min(slots, ends.size // 2)
    if b < 1:
        return float("nan")
    span = float(ends[-b:].mean() - ends[:b].mean())
    return (ends.size - b) / span if span > 0 else float("nan")


def steady(ends: NDArray[np.float64], *, slots: int, tail: float) -> Steady:
    """The window of ``ends`` (sorted completion times, s) from the cut of MSER-5 to ``tail`` (s), with its
    verdict.

    At most half is cut. drifting: a significant trend of at least ``TREND`` is left. never: too few
    completions, or there is such a trend and the rule itself would cut more than half.
    """
    ends = ends[ends <= tail]
    bins, size = _bins(ends, slots)
    if bins.size < MIN_BINS:
        needed = MIN_BINS * size + 1
        why = f"{ends.size} completions before the drain tail, {needed} are needed with {slots} slots"
        return _never(ends, why)
    cut = mser(bins, bins.size // 2)
    change, p = trend(bins[cut:])
    drifts = p < SIGNIFICANCE and abs(change) >= TREND
    if drifts and mser(bins) > bins.size // 2:
        return _never(ends, "the rate of completions was still changing in the second half")
    window = ends[cut * size :]
    return Steady(
        verdict="drifting" if drifts else "steady",
        start=float(window[0]),
        end=float(window[-1]),
        tasks=int(window.size),
        rate=rate(window, slots),
        why=f"the rate of completions changed by {-change * 100:+.0f} % across the window" if drifts else "",
    )


def _bins(ends: NDArray[np.float64], slots: int) -> tuple[NDArray[np.float64], int]:
    """How long each bin of equally many completions took (s), and how many completions that is."""
    rounds = max(-(-BATCH // slots), (ends.size - 1) // (slots * MAX_BINS), 1)
    size = rounds * slots
    return np.diff(ends[::size]), size


def _never(ends: NDArray[np.float64], why: str) -> Steady:
    first, last = (float(ends[0]), float(ends[-1])) if ends.size else (0.0, 0.0)
    return Steady(verdict="never", start=first, end=last, tasks=int(ends.size), rate=float("nan"), why=why)
