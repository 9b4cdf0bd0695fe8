"""Host speed: estimates stated at one speed of the machine, where the reference spin provably explains why
equal trials differ. Rule, simulation and data are in docs/methodology.md, "Host speed".
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from bench.measured import DURATIONS, HIGHER_IS_BETTER, METRICS, Estimate, TrialResult
from bench.stats.covariate import Covariance, Group, adjusted, narrows

_TIMES = tuple(f"({name})" for name in DURATIONS if name not in ("lateness", "broker_wait"))
ADJUSTABLE = {"throughput", "makespan", "cpu_per_task"}.union(
    metric for metric in METRICS if metric.endswith(_TIMES)
)
"""Metrics that a slower machine makes worse."""


def spins(result: TrialResult) -> list[float]:
    """Seconds of the reference spins before and after the trial, those that were read."""
    return [result.host[name] for name in ("spin_before", "spin_after") if result.host.get(name)]


def spin_of(result: TrialResult) -> float | None:
    """Seconds of the reference spin around the trial, the mean of before and after; None where not read."""
    found = spins(result)
    return fmean(found) if found else None


def at_one_speed(
    estimates: Sequence[Mapping[str, Estimate]], trials: Sequence[Sequence[TrialResult]]
) -> list[dict[str, Estimate]]:
    """The estimates of each cell, those of a metric replaced (and marked ``adjusted``) where its differences
    between equal trials go with the spin so much that all intervals become narrower.

    ``trials`` are the good trials of each cell, in the order of ``estimates``.
    """
    out = [dict(cell) for cell in estimates]
    for metric in ADJUSTABLE.intersection(*estimates) if estimates else ():
        found = explained(metric, trials)
        if found is None or not narrows(found) or not _plausible(metric, found):
            continue
        for cell, mean in zip(out, found.means, strict=True):
            point, lower, upper = (math.exp(value) for value in (mean.mean, mean.lower, mean.upper))
            cell[metric] = replace(cell[metric], point=point, lower=lower, upper=upper, adjusted=True)
    return out


def explained(metric: str, trials: Iterable[Sequence[TrialResult]]) -> Covariance | None:
    """How the metric of equal trials goes with the spin; None where a cell has fewer than two of both, a
    trial lacks one, or the trials are too few or too equal to tell.
    """
    groups = []
    for cell in trials:
        pairs = [(r.metrics.get(metric, 0.0), spin_of(r)) for r in cell]
        logs = [(math.log(value), math.log(s)) for value, s in pairs if value > 0 and s]
        if len(logs) < max(2, len(cell)):
            return None
        groups.append(Group(y=[y for y, _ in logs], x=[x for _, x in logs]))
    return adjusted(groups)


def _plausible(metric: str, found: Covariance) -> bool:
    """A spin that takes longer goes with fewer tasks a second, and with longer times."""
    return found.slope < 0 if metric in HIGHER_IS_BETTER else found.slope > 0
