"""How much the machine's speed drifted over a run, and how much of the trials' differences that explains."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from bench import measured
from bench.report import labels
from bench.report.view import CellView, ScenarioView
from bench.speed import spin_of
from bench.stats.covariate import Group, adjusted

FEWEST = 4
"""Trials with a reference spin, below which there is nothing to see."""
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
    too few or all alike. ``what``: the metrics in words; ``adjusted``: those of them that are stated at the
    run's mean speed.
    """

    dots: tuple[DriftDot, ...]
    what: str
    r: float | None
    p: float | None
    n: int
    adjusted: tuple[str, ...] = ()

    @property
    def told(self) -> bool:
        """Whether any trial has a number to lay beside its spin."""
        return any(dot.metric is not None for dot in self.dots)

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
        said = f"{drift}, which explains {share} of the variation between equal trials ({found})"
        if not self.adjusted:
            return f"{said}."
        return f"{said}: {labels.listed(list(self.adjusted))} and its interval are stated at the mean speed."


def drift_figure(views: Sequence[ScenarioView]) -> DriftFigure | None:
    """None where fewer than ``FEWEST`` trials have a spin, or it never changed."""
    spins = [spin for view in views for r in view.results if (spin := spin_of(r))]
    if len(spins) < FEWEST or min(spins) == max(spins):
        return None
    usual = median(spins)
    mixed = len({view.scenario.metric in measured.HIGHER_IS_BETTER for view in views}) > 1
    dots: list[DriftDot] = []
    groups: list[Group] = []
    for view in views:
        turned = mixed and view.scenario.metric in measured.HIGHER_IS_BETTER
        for cell in view.cells:
            own, group = _cell(cell, view.scenario.metric, usual, turned=turned)
            dots += own
            groups += [group] if group.y else []
    names = dict.fromkeys(
        f"1 ÷ {labels.metric_text(m)}" if mixed and m in measured.HIGHER_IS_BETTER else labels.metric_text(m)
        for m in (view.scenario.metric for view in views)
    )
    found = adjusted(groups)
    dots.sort(key=lambda dot: dot.position)
    return DriftFigure(
        dots=tuple(dots),
        what=labels.listed(list(names)),
        r=math.copysign(math.sqrt(found.r2), found.slope) if found else None,
        p=found.p if found else None,
        n=sum(len(group.y) for group in groups),
        adjusted=tuple(dict.fromkeys(_adjusted(views))),
    )


def _adjusted(views: Sequence[ScenarioView]) -> Iterator[str]:
    """The scenarios' metrics, in words, whose intervals are stated at one host speed."""
    for view in views:
        metric = view.scenario.metric
        found = (cell.summary.metrics.get(metric) for cell in view.cells)
        if any(estimate is not None and estimate.adjusted for estimate in found):
            yield labels.metric_text(metric)


def _cell(cell: CellView, metric: str, usual: float, *, turned: bool) -> tuple[list[DriftDot], Group]:
    """The cell's trials as dots, and the log metric and log spin of each; empty with fewer than two."""
    trials = [(result, spin) for result in cell.results if (spin := spin_of(result))]
    logs = {
        result.trial: (-1 if turned else 1) * math.log(value)
        for result, _ in trials
        if result.ok and (value := result.metrics.get(metric, 0.0)) > 0
    }
    if len(logs) < 2:
        logs = {}
    mean = fmean(logs.values()) if logs else 0.0
    spun = {result.trial: math.log(spin) for result, spin in trials if result.trial in logs}
    dots = [
        DriftDot(
            position=result.position,
            spin=spin / usual,
            metric=math.exp(logs[result.trial] - mean) if result.trial in logs else None,
            pool=cell.pool,
        )
        for result, spin in trials
    ]
    return dots, Group(y=list(logs.values()), x=[spun[trial] for trial in logs])
