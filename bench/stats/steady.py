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

BOUNDED = 0.2
"""Change across the window from which it never settled: the mean then says little of any part of the trial;
below, the mean of the window is within a tenth of every part, usable with a doubt."""

SIGNIFICANCE = 0.01
"""Chance of calling a settled window drifting or never settled."""

NEARLY_HALF = 0.4
"""Share of the bins that were cut, from which the rest is looked at twice: warm-ups of a third are still cut
without it."""

FIFTHS = 5
"""Parts of the window that are compared with each other."""

WANDERING = 0.001
"""p-value from which parts that differ by ``BOUNDED`` are no chance; smaller than ``SIGNIFICANCE``, because
long tasks that follow each other make bins depend on their neighbours."""

FLAT = 0.05
"""p-value of a trend from which a later cut counts as flat."""

LATER_CUTS = 24
"""How many later cuts are tried where MSER leaves a trend."""


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
    """The window of ``ends`` (sorted completion times, s) from the cut of the warm-up to ``tail`` (s), with
    its verdict.

    At most half is cut. drifting: a significant trend of ``TREND`` to ``BOUNDED`` is left. never: too few
    completions, a greater trend, or one that only a cut of more than half would end, or parts that differ
    as much without a trend.
    """
    ends = ends[ends <= tail]
    bins, size = _bins(ends, slots)
    if bins.size < MIN_BINS:
        needed = MIN_BINS * size + 1
        why = f"{ends.size} completions before the drain tail, {needed} are needed with {slots} slots"
        return _never(ends, why)
    logs = np.log(np.maximum(bins, EQUAL * bins.mean()))
    cut = warm_up(logs)
    change, p = _change(logs[cut:])
    drifts = p < SIGNIFICANCE and abs(change) >= TREND
    if drifts and _at_least(change, p, bins.size - cut) >= BOUNDED:
        return _never(ends, f"the rate of completions changed by {change * 100:+.0f} % until the end")
    if _only_later(logs, cut):
        return _never(ends, "the rate of completions was still changing in the second half")
    if _wanders(logs[cut:]):
        return _never(ends, f"parts of the window differ by more than {BOUNDED * 100:.0f} % in their rate")
    window = ends[cut * size :]
    return Steady(
        verdict="drifting" if drifts else "steady",
        start=float(window[0]),
        end=float(window[-1]),
        tasks=int(window.size),
        rate=rate(window, slots),
        why=f"the rate of completions changed by {change * 100:+.0f} % across the window" if drifts else "",
    )


def warm_up(logs: NDArray[np.float64]) -> int:
    """How many leading bins to cut, at most half: MSER's cut of the logarithms ``logs`` of their times, moved
    later where it leaves a trend and a line that ends in a flat rest explains the bins better than one line.

    Logarithms, because slow bins also scatter more, and MSER would rather cut those than a fast start.
    """
    most = logs.size // 2
    cut = mser(logs, most)
    whole = logs[cut:]
    if _p_value(whole) >= SIGNIFICANCE:
        return cut
    for later in np.unique(np.linspace(cut, most, LATER_CUTS + 1).astype(int))[1:]:
        rest = logs[later:]
        if _p_value(rest) >= FLAT and _settles(whole, int(later) - cut):
            return int(later)
    return cut


def _settles(values: NDArray[np.float64], at: int) -> bool:
    """Whether a line up to ``at`` and a constant from there explain ``values`` better than one line, by the
    Bayesian information criterion (G. Schwarz, Annals of Statistics 6, 1978) with the bend as one more
    parameter.
    """
    n = values.size
    bent = _rest_of_line(values[:at]) + float(((values[at:] - values[at:].mean()) ** 2).sum())
    gain = n * np.log(max(bent, 1e-300) / max(_rest_of_line(values), 1e-300))
    return bool(gain + np.log(n) < 0)


def _rest_of_line(values: NDArray[np.float64]) -> float:
    """Sum of the squares that the least-squares line leaves."""
    centred = values - values.mean()
    x = np.arange(values.size) - (values.size - 1) / 2
    along = float(x @ centred) ** 2 / max(float(x @ x), 1e-300)
    return max(float(centred @ centred) - along, 0.0)


def _change(logs: NDArray[np.float64]) -> tuple[float, float]:
    """Relative change of the rate across bins whose times have these logarithms, and its p-value."""
    shifted = logs - logs.mean() + 1.0
    change, p = trend(shifted)
    return float(np.expm1(-change)), p


def _at_least(change: float, p: float, n: int) -> float:
    """The size of a trend through ``n`` bins less its standard error: of few, uneven bins it is a guess."""
    t = float(special.stdtrit(n - 2, 1 - p / 2))
    return abs(change) * (1 - 1 / t)


def _p_value(logs: NDArray[np.float64]) -> float:
    return _change(logs)[1]


def _only_later(logs: NDArray[np.float64], cut: int) -> bool:
    """Whether more than half would have to be cut: nearly half was, the whole changes beyond bounds, and the
    rest still leans the same way.
    """
    whole, p = _change(logs)
    left, p_left = _change(logs[cut:])
    far = p < SIGNIFICANCE and abs(whole) >= BOUNDED and cut > NEARLY_HALF * logs.size
    return far and p_left < FLAT and abs(left) >= TREND and whole * left > 0


def _wanders(logs: NDArray[np.float64]) -> bool:
    """Whether fifths of the window differ beyond bounds without a trend: one-way analysis of variance."""
    parts = np.array_split(logs, FIFTHS)
    means, sizes = np.array([p.mean() for p in parts]), np.array([p.size for p in parts])
    if np.ptp(means) < np.log1p(BOUNDED):
        return False
    between = float(sizes @ (means - logs.mean()) ** 2) / (FIFTHS - 1)
    within = sum(float(((p - p.mean()) ** 2).sum()) for p in parts) / max(logs.size - FIFTHS, 1)
    p = special.fdtrc(FIFTHS - 1, max(logs.size - FIFTHS, 1), between / max(within, 1e-300))
    return bool(p < WANDERING)


def _bins(ends: NDArray[np.float64], slots: int) -> tuple[NDArray[np.float64], int]:
    """How long each bin of equally many completions took (s), and how many completions that is."""
    rounds = max(-(-BATCH // slots), (ends.size - 1) // (slots * MAX_BINS), 1)
    size = rounds * slots
    return np.diff(ends[::size]), size


def _never(ends: NDArray[np.float64], why: str) -> Steady:
    first, last = (float(ends[0]), float(ends[-1])) if ends.size else (0.0, 0.0)
    return Steady(verdict="never", start=first, end=last, tasks=int(ends.size), rate=float("nan"), why=why)
