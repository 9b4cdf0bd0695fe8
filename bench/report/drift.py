"""How much the machine's speed drifted over a run, and how much of the trials' differences that explains."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

from bench import model
from bench.report import labels
from bench.report.view import CellView, ScenarioView

FEWEST = 4
"""Trials with a reference spin, below which there is nothing to see."""
FEWEST_FREE = 3
"""Degrees of freedom below which no correlation is told: with fewer nearly every one is large."""
SIGNIFICANCE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftDot:
    """One trial, the ``position``-th of its run. ``spin``: its reference spin ÷ the run's median. ``metric``:
    its number ÷ its cell's geometric mean; None where it has none, or the cell no other trial.
    """

    position: int
    spin: float
    metric: float | None
    pool: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftFigure:
    """``r``: correlation of log metric and log spin, each minus its cell's mean, over ``n`` trials; ``p``:
    the chance of one as large between things that have nothing to do with each other. None where trials are
    too few or all alike. ``what``: the metrics in words.
    """

    dots: tuple[DriftDot, ...]
    what: str
    r: float | None
    p: float | None
    n: int

    @property
    def text(self) -> str:
        """In one sentence."""
        spins = [dot.spin for dot in self.dots]
        drift = f"The reference spin took between {min(spins):.2f} and {max(spins):.2f} of its median"
        if self.r is None or self.p is None:
            return f"{drift}."
        found = f"r = {self.r:.2f} over {self.n} trials".replace("-", "−")
        if self.p >= SIGNIFICANCE:
            return f"{drift}; the differences between equal trials have no sure part in it ({found})."
        share = f"{self.r**2 * 100:.0f} %"
        return f"{drift}, which explains {share} of the variation between equal trials ({found})."


def drift_figure(views: Sequence[ScenarioView]) -> DriftFigure | None:
    """None where fewer than ``FEWEST`` trials have a spin, or it never changed."""
    spins = [spin for view in views for r in view.results if (spin := _spin(r))]
    if len(spins) < FEWEST or min(spins) == max(spins):
        return None
    usual = median(spins)
    mixed = len({view.scenario.metric in model.HIGHER_IS_BETTER for view in views}) > 1
    dots: list[DriftDot] = []
    pairs: list[tuple[float, float]] = []
    cells = 0
    for view in views:
        turned = mixed and view.scenario.metric in model.HIGHER_IS_BETTER
        for cell in view.cells:
            own, relative = _cell(cell, view.scenario.metric, usual, turned=turned)
            dots += own
            pairs += relative
            cells += bool(relative)
    names = dict.fromkeys(
        f"1 ÷ {labels.metric_text(m)}" if mixed and m in model.HIGHER_IS_BETTER else labels.metric_text(m)
        for m in (view.scenario.metric for view in views)
    )
    r, p = correlation(pairs, cells)
    dots.sort(key=lambda dot: dot.position)
    return DriftFigure(dots=tuple(dots), what=labels.listed(list(names)), r=r, p=p, n=len(pairs))


def _spin(result: model.TrialResult) -> float | None:
    """Seconds of the reference spin around the trial: the mean of before and after."""
    found = [result.host[name] for name in ("spin_before", "spin_after") if result.host.get(name)]
    return fmean(found) if found else None


def _cell(
    cell: CellView, metric: str, usual: float, *, turned: bool
) -> tuple[list[DriftDot], list[tuple[float, float]]]:
    """The cell's trials as dots, and (log spin, log metric) of each minus the cell's means."""
    trials = [(result, spin) for result in cell.results if (spin := _spin(result))]
    logs = {
        result.trial: (-1 if turned else 1) * math.log(value)
        for result, _ in trials
        if result.ok and (value := result.metrics.get(metric, 0.0)) > 0
    }
    if len(logs) < 2:
        logs = {}
    mean = fmean(logs.values()) if logs else 0.0
    spun = {result.trial: math.log(spin) for result, spin in trials if result.trial in logs}
    mean_spin = fmean(spun.values()) if spun else 0.0
    dots = [
        DriftDot(
            position=result.position,
            spin=spin / usual,
            metric=math.exp(logs[result.trial] - mean) if result.trial in logs else None,
            pool=cell.pool,
        )
        for result, spin in trials
    ]
    return dots, [(spun[trial] - mean_spin, log - mean) for trial, log in logs.items()]


def correlation(pairs: Sequence[tuple[float, float]], groups: int) -> tuple[float | None, float | None]:
    """Pearson's r of pairs that have mean 0 within each of ``groups``, and its two-sided p (Student's t).

    Every group's mean takes a degree of freedom. (None, None) where fewer than ``FEWEST_FREE`` are left.
    """
    from scipy import stats  # late: half a second

    free = len(pairs) - groups - 1
    xx, yy = (sum(pair[i] ** 2 for pair in pairs) for i in (0, 1))
    if free < FEWEST_FREE or xx <= 0 or yy <= 0:
        return None, None
    r = max(-1.0, min(1.0, sum(x * y for x, y in pairs) / math.sqrt(xx * yy)))
    if abs(r) == 1:
        return r, 0.0
    return r, float(2 * stats.t.sf(abs(r) * math.sqrt(free / (1 - r * r)), free))
