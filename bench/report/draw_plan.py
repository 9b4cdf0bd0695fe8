"""The pictures of a plan: time against rate, what was measured on it, and how slots slow each other down."""

from typing import TYPE_CHECKING

import numpy as np

from bench import units
from bench.report import labels, palette, sheet
from bench.report.draw import LOG_FROM
from bench.report.plan_words import Told

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEIGHT_IN = 3.6
BAND = 0.18
"""Opacity."""
FOR_EVER = 1e9
"""Seconds, for what never ends."""


def dots(found: Told) -> list[tuple[float, float]]:
    """What was measured with this layout: rate (1/s) and the SLO's metric (s)."""
    metric = found.ask.slo.metric
    seen = [(rate, metrics[metric]) for rate, metrics in found.best.measured if metric in metrics]
    return seen + [(found.ask.rate, one.measured.point) for one in found.verified if one.metric == metric]


def curve(found: Told) -> "Figure":
    """The SLO's metric against the rate: the plan's curve, its wanted rate with the interval, the knee, the
    limit, and what was measured with this layout.
    """
    plan, ask, metric = found.best, found.ask, found.ask.slo.metric
    figure = sheet.sheet(HEIGHT_IN)
    axes = figure.subplots()
    colour = palette.pool_colour(plan.family.setup.fleet[0].pool)
    points = [p for p in plan.curve.points if p.keeps_up]
    band = _band(axes, found, colour)
    axes.plot([p.rate for p in points], [p.metrics[metric] for p in points], color=colour, lw=1.8)
    seen = dots(found)
    if seen:
        xs, ys = zip(*seen, strict=True)
        axes.plot(xs, ys, "o", ms=5, color=palette.INK, mfc=palette.PAPER, mew=1.3, zorder=4)
    _planned(axes, found, colour)
    axes.axvline(plan.curve.knee, color=palette.FAINT, lw=1, linestyle=(0, (1, 2)))
    axes.axhline(ask.slo.limit, color=palette.INK, lw=1, linestyle=(0, (4, 2)))
    _axes(axes, found, [ask.slo.limit, *(p.metrics[metric] for p in points), *(y for _, y in seen)])
    handles = [
        sheet.handle("predicted", color=colour, lw=1.8),
        *([sheet.patch("on a slower or faster host", color=colour, alpha=BAND, lw=0)] if band else []),
        sheet.handle("one more trial at the wanted rate, 95 %", marker="o", ms=6, color=colour),
        *([sheet.handle("measured", marker="o", ms=5, color=palette.INK, mfc=palette.PAPER)] if seen else []),
        sheet.handle(
            f"the knee, {units.format_rate(plan.curve.knee)}",
            color=palette.FAINT,
            lw=1,
            linestyle=(0, (1, 2)),
        ),
        sheet.handle("the SLO's limit", color=palette.INK, lw=1, linestyle=(0, (4, 2))),
    ]
    sheet.legend(figure, handles)
    return figure


def _band(axes: "Axes", found: Told, colour: str) -> bool:
    """The same curve where everything takes as much longer, or shorter, as the ends of the capacity's
    interval say: at 1/f of the rate f times as long. False where no interval is known.
    """
    plan, metric = found.best, found.ask.slo.metric
    if plan.capacity_range is None:
        return False
    points = [p for p in plan.curve.points if p.keeps_up]
    slow, fast = (
        [*((p.rate / factor, p.metrics[metric] * factor) for p in points), (plan.capacity / factor, FOR_EVER)]
        for factor in (plan.capacity / end for end in plan.capacity_range)
    )
    xs, ys = zip(*fast, *reversed(slow), (slow[0][0], fast[0][1]), strict=True)
    axes.fill(xs, ys, color=colour, alpha=BAND, lw=0)
    return True


def _planned(axes: "Axes", found: Told, colour: str) -> None:
    planned, metric = found.best.planned, found.ask.slo.metric
    low, high = planned.lower.get(metric), planned.upper.get(metric)
    if low is not None and high is not None:
        top = min(high, FOR_EVER)
        axes.plot([planned.rate] * 2, [low, top], color=colour, lw=2.5, alpha=0.6, zorder=3)
    axes.plot([planned.rate], [planned.metrics[metric]], "o", ms=6, color=colour, zorder=5)


def _axes(axes: "Axes", found: Told, values: list[float]) -> None:
    metric = found.ask.slo.metric
    log = max(values) > LOG_FROM * min(values)
    low, high = (min(values) / 1.6, max(values) * 1.6) if log else (0.0, max(values) * 1.12)
    if log:
        axes.set_yscale("log")
    axes.set_ylim(low, high)
    if log:
        sheet.log_ticks(axes.yaxis, low, high, apart=0.12)
    sheet.human(axes.yaxis, metric)
    sheet.human(axes.xaxis, "throughput")
    axes.set_xlim(0, found.best.capacity * 1.03)
    axes.grid(visible=True, axis="y")
    axes.set_xlabel(f"rate, up to the capacity of {units.format_rate(found.best.capacity)}")
    axes.set_ylabel(f"{labels.metric_text(metric)}{', log scale' if log else ''}")


def slowdown(found: Told) -> "Figure":
    """The mean service time against the busy slots it was measured among, and the model's line."""
    plan = found.best
    fitted, samples = plan.model, plan.family.samples
    figure = sheet.sheet(HEIGHT_IN - 0.4)
    axes = figure.subplots()
    colour = palette.pool_colour(plan.family.setup.fleet[0].pool)
    most = 2 * fitted.widest
    line = fitted.law.one * fitted.slowdown(most, fitted.cores)[1:]
    at = np.arange(1, most + 1)
    seen = round(max(s.busy for s in samples))
    axes.plot(at[:seen], line[:seen], color=colour, lw=1.8)
    axes.plot(at[seen - 1 :], line[seen - 1 :], color=colour, lw=1.8, linestyle=(0, (4, 2)))
    means = [float(s.services.mean()) for s in samples]
    axes.plot([s.busy for s in samples], means, "o", ms=4, color=palette.INK, mfc=palette.PAPER, mew=1.1)
    axes.set_xlim(0, most * 1.03)
    axes.set_ylim(0, max(*means, float(line.max())) * 1.1)
    sheet.human(axes.yaxis, "makespan")
    axes.grid(visible=True, axis="y")
    axes.set_xlabel(f"busy slots of a {'node' if fitted.by_node else 'host'}")
    axes.set_ylabel("mean service time")
    sheet.legend(
        figure,
        [
            sheet.handle("a trial", marker="o", ms=4, color=palette.INK, mfc=palette.PAPER),
            sheet.handle("model", color=colour, lw=1.8),
            sheet.handle("beyond what was measured", color=colour, lw=1.8, linestyle=(0, (4, 2))),
        ],
    )
    return figure
