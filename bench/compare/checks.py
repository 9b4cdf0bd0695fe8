"""The rules of a verdict: one metric of two cells, by the ratio candidate ÷ base and its 95 % interval.

Trials of one run are paired by block (paired t on logarithms), trials of different runs are two separate
samples (Welch's t).

With a *margin* that is too small to matter: **worse** or **better** where the trials show that the
difference is beyond the margin (t test at the margin, p below 5 % after Holm over all checks of the
comparison), **same** where the whole interval lies within it, else **undecided**. Counts (failed, retried,
lost, duplicated) are compared by their difference a trial, and their margin is zero. Where a value is zero
(nothing was completed) there are no logarithms: then differences are taken as shares of the base's mean.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from bench.effects import MARGIN, SIGNIFICANCE
from bench.measured import COUNTS, HIGHER_IS_BETTER, TrialResult
from bench.model import Label
from bench.stats import contrast
from bench.stats.contrast import Contrast
from bench.stats.paired import holm

BESIDES = ("cpu_per_task", "memory", "failed", "lost")
"""Compared besides what a scenario is about."""
LOG, SHARE, COUNT = "log", "share", "count"
"""What differences are taken of: logarithms, shares of the base's mean, or plain numbers."""
WORSE, BETTER, SAME, UNDECIDED = "worse", "better", "same", "undecided"
MISSED = 0.05
"""Chance that something just beyond the margin is shown to be "no worse": one-sided, as is usual for
equivalence (D. J. Schuirmann, J. Pharmacokinetics and Biopharmaceutics 15, 1987)."""
VERDICTS = (WORSE, BETTER, UNDECIDED, SAME)
"""In the order in which they are told: first what calls for something to be done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two cells that differ in nothing but the side they are on, and the trials of each that went well.

    ``settings`` is what they have in common, ``candidate`` the name of its side. ``failed``: trials that did
    not go well, base and candidate, and the ``reasons`` of the first of each.
    """

    scenario: str
    settings: Mapping[str, Label]
    candidate: str
    cells: tuple[str, str]
    trials: tuple[tuple[TrialResult, ...], tuple[TrialResult, ...]]
    failed: tuple[int, int] = (0, 0)
    reasons: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One metric of one pair. ``value`` is the ratio candidate ÷ base, of a count the difference a trial,
    with its interval (1 − alpha); None where there is none, ``why`` says why.

    ``values``: of every trial on both sides, matched by position where trials are paired. ``p`` is adjusted
    for all checks of the comparison. ``smallest``: the smallest change (0.05: 5 %; of a count, tasks a trial)
    that these trials could have shown with a chance of 80 %. ``more``: how many more blocks would decide if
    nothing else changed; None where that is known not to help, or not to be had. ``no_worse``: shown to be no
    worse than the margin allows, with an error of ``MISSED``.
    """

    pair: Pair
    metric: str
    verdict: str
    values: tuple[tuple[float, ...], tuple[float, ...]]
    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    p: float | None = None
    smallest: float | None = None
    more: int | None = None
    no_worse: bool = False
    why: str = ""

    @property
    def passes(self) -> bool:
        """Whether it is shown to be no worse than the margin allows: same, better, or between the two."""
        return self.verdict in (SAME, BETTER) or self.no_worse

    @property
    def is_uncomputed(self) -> bool:
        """Whether a side has trials, but not this number: more of them would not bring it."""
        return any(
            trials and not any(self.metric in trial.metrics for trial in trials)
            for trials in self.pair.trials
        )

    @property
    def n(self) -> int:
        """Trials on the side that has fewer: pairs, where they are paired."""
        return min(map(len, self.values))


Values = tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """A check before all others are known."""

    pair: Pair
    metric: str
    values: Values
    found: Contrast | None
    scale: str
    margin: float
    why: str


def checks(
    pairs: Iterable[Pair],
    metrics: Mapping[str, Sequence[str]],
    *,
    by_block: bool,
    margin: float = MARGIN,
    alpha: float = SIGNIFICANCE,
) -> tuple[Check, ...]:
    """Every one of the ``metrics`` (by the pairs' scenario) of every pair, judged together; one that a side
    does not have is undecided, of ``BESIDES`` left out where neither has it. ``margin``: 0.02 is 2 %.
    ``alpha``: the chance that any difference is falsely shown to be beyond it, and 1 − alpha the confidence
    of the intervals.
    """
    judged = [
        _judged(pair, metric, by_block=by_block, margin=margin)
        for pair in pairs
        for metric in metrics[pair.scenario]
        if metric not in BESIDES or any(pair.failed) or _has(pair, metric)
    ]
    able = [each for each in judged if each.found is not None and not _flat(each.found)]
    raw = [contrast.p_beyond(each.found, each.margin) for each in able if each.found is not None]
    adjusted = dict(zip(map(id, able), holm(raw), strict=True))
    return tuple(_check(each, adjusted.get(id(each), 1.0), len(able), alpha) for each in judged)


def _has(pair: Pair, metric: str) -> bool:
    return any(metric in trial.metrics for side in pair.trials for trial in side)


def _flat(found: Contrast) -> bool:
    """No difference in any trial, so that nothing could ever be told apart: such a check takes nothing away
    from the others (R. E. Tarone, Biometrics 46, 1990).
    """
    return found.mean == 0 and found.error == 0


def _judged(pair: Pair, metric: str, *, by_block: bool, margin: float) -> _Judged:
    values = _by_block(pair, metric) if by_block else _all(pair, metric)
    scale = (
        COUNT if metric in COUNTS else LOG if min(map(min, filter(None, values)), default=1) > 0 else SHARE
    )
    part = _Judged(
        pair=pair,
        metric=metric,
        values=values,
        found=None,
        scale=scale,
        margin={COUNT: 0.0, LOG: math.log1p(margin), SHARE: margin}[scale],
        why="",
    )
    if not all(values):
        return replace(part, why=_missing(pair, metric, by_block=by_block))
    if len(values[0]) < 2 or len(values[1]) < 2:
        return replace(part, why="One trial says nothing of the spread.")
    compared = contrast.of_pairs if by_block else contrast.of_series
    mean = fmean(values[0])
    if scale == SHARE and any(map(any, values)) and mean <= 0:
        return replace(part, why="The base is zero, so there is no ratio.")
    series = values
    if scale == LOG:
        series = tuple(map(math.log, values[0])), tuple(map(math.log, values[1]))
    elif scale == SHARE and mean > 0:
        series = tuple(v / mean for v in values[0]), tuple(v / mean for v in values[1])
    return replace(part, found=compared(*series))


def _by_block(pair: Pair, metric: str) -> Values:
    """The metric of both sides in the blocks that have both."""
    base, candidate = ({t.block: t.metrics[metric] for t in s if metric in t.metrics} for s in pair.trials)
    common = sorted(base.keys() & candidate.keys())
    return tuple(base[block] for block in common), tuple(candidate[block] for block in common)


def _all(pair: Pair, metric: str) -> Values:
    base, candidate = (tuple(t.metrics[metric] for t in s if metric in t.metrics) for s in pair.trials)
    return base, candidate


def _missing(pair: Pair, metric: str, *, by_block: bool) -> str:
    for side, name in enumerate(("the base", pair.candidate)):
        trials, reason = pair.trials[side], pair.reasons[side]
        if not trials and pair.failed[side]:
            return f"Every trial of {name} failed{f': {reason}' if reason else ''}".rstrip(".") + "."
        if not trials:
            return f"There is no trial of {name}."
        if not any(metric in trial.metrics for trial in trials):
            return f"{metric} was not computed for {name}: see the doubts of celery-bench show."
    return "No block has both." if by_block else "One side has no such number."


def _check(judged: _Judged, p: float, family: int, alpha: float) -> Check:
    pair, metric, found, margin = judged.pair, judged.metric, judged.found, judged.margin
    if found is None:
        return Check(pair=pair, metric=metric, verdict=UNDECIDED, values=judged.values, why=judged.why)
    lower, upper = contrast.interval(found, 1 - alpha)
    each = alpha / max(1, family)
    verdict = _verdict(metric, found.mean, (lower, upper), margin, significant=p < alpha)
    total = contrast.trials_to_decide(found, margin, each) if verdict == UNDECIDED else None
    back = {COUNT: _difference, LOG: math.exp, SHARE: _ratio}[judged.scale]
    change = math.expm1 if judged.scale == LOG else _difference
    return Check(
        pair=pair,
        metric=metric,
        verdict=verdict,
        values=judged.values,
        value=back(found.mean),
        lower=back(lower),
        upper=back(upper),
        p=p,
        smallest=change(contrast.smallest_shown(found, margin, each)),
        more=None if total is None else total - found.n,
        no_worse=_no_worse(metric, contrast.interval(found, 1 - 2 * MISSED), margin),
        why=_why(verdict, (lower, upper), margin, family),
    )


def _no_worse(metric: str, ends: tuple[float, float], margin: float) -> bool:
    return ends[0] >= -margin if metric in HIGHER_IS_BETTER else ends[1] <= margin


def _difference(value: float) -> float:
    return value


def _ratio(value: float) -> float:
    return max(0.0, round(1 + value, 12))  # nothing at all is 0, not 1e-16, and less there is not


def _verdict(metric: str, mean: float, ends: tuple[float, float], margin: float, *, significant: bool) -> str:
    if significant and abs(mean) > margin:
        return BETTER if (mean > 0) == (metric in HIGHER_IS_BETTER) else WORSE
    return SAME if -margin <= ends[0] and ends[1] <= margin else UNDECIDED


def _why(verdict: str, ends: tuple[float, float], margin: float, family: int) -> str:
    """Why there is no verdict, in a sentence."""
    if verdict != UNDECIDED:
        return ""
    low, high = ends
    if low > margin or high < -margin:
        return f"Beyond the margin by itself, but with {family} checks not surely."
    if low > 0 or high < 0:
        return "There is a difference, perhaps within the margin."
    return "The interval reaches beyond the margin."
