"""A metric over many runs, drawn: a panel for each cell, its levels, and where they changed."""

from itertools import pairwise
from typing import TYPE_CHECKING

from bench import analyse
from bench.history import History, Series
from bench.report import figures, history, palette, sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_PANELS = 12
BEYOND = 1.0
"""Intervals may stretch the axis by this many times the range of the points, then they are cut off."""


def drawn(found: History) -> tuple[Series, ...]:
    """The series that have a panel."""
    return found.series[:MOST_PANELS]


def history_figure(found: History) -> "Figure":
    """Each run a dot with its interval; a line for each level, a mark where it changed."""
    shown = drawn(found)
    figure, grid = sheet.grid(len(shown), 2.4)
    for (axes, first), series in zip(grid, shown, strict=True):
        _panel(axes, found, series)
        if first:
            axes.set_ylabel(figures.is_better(found.metric))
    colours = palette.VERDICT_COLOURS
    handles = [
        sheet.handle("a run, 95 % interval", marker="o", ms=3.5, color=palette.NEUTRAL),
        sheet.handle("level", color=palette.INK, lw=1.5),
    ]
    told = {history.direction(found, change) for series in shown for change in series.changes}
    handles += [
        sheet.handle(f"{word} since", color=colours[word], lw=1.2, linestyle=(0, (4, 2)))
        for word in (history.WORSE, history.BETTER)
        if word in told
    ]
    sheet.legend(figure, handles)
    return figure


def _panel(axes: "Axes", found: History, series: Series) -> None:
    estimates = [point.estimate for point in series.points]
    points = [estimate.point for estimate in estimates]
    for x, estimate in enumerate(estimates):
        if estimate.lower is not None and estimate.upper is not None:
            axes.plot([x, x], [estimate.lower, estimate.upper], color=palette.NEUTRAL, lw=1, alpha=0.6)
    axes.plot(range(len(points)), points, "o", ms=3.5, color=palette.NEUTRAL)
    ends = [0, *(change.index for change in series.changes), len(points)]
    for first, last in pairwise(ends):
        mean = analyse.estimate(found.metric, points[first:last]).point
        axes.plot([first - 0.4, last - 0.6], [mean, mean], color=palette.INK, lw=1.5)
    for change in series.changes:
        colour = palette.VERDICT_COLOURS[history.direction(found, change)]
        axes.axvline(change.index - 0.5, color=colour, lw=1.2, linestyle=(0, (4, 2)))
        axes.annotate(
            history.change_text(found, change).partition(" (")[0], (change.index - 0.5, 1),
            xycoords=("data", "axes fraction"), xytext=(3, -3), textcoords="offset points",
            color=colour, fontsize=8, va="top",
        )  # fmt: skip
    _axes(axes, found, series)


def _axes(axes: "Axes", found: History, series: Series) -> None:
    values = [point.estimate.point for point in series.points]
    room = (max(values) - min(values)) * BEYOND or 0.1 * abs(values[0]) or 1.0
    low, high = axes.get_ylim()
    floor = 0.0 if min(values) >= 0 else low
    axes.set_ylim(max(floor, low, min(values) - room), min(high, max(values) + room) + 0.25 * room)
    at = sorted({0, len(values) // 2, len(values) - 1})
    days = [f"{series.points[index].at:%Y-%m-%d}" for index in at]
    keep = [n for n, day in enumerate(days) if day not in days[:n]]
    axes.set_xticks([at[n] for n in keep], [days[n] for n in keep])
    axes.set_xlim(-0.7, len(values) - 0.3)
    for label, n in zip(axes.get_xticklabels(), keep, strict=True):
        label.set_horizontalalignment(
            "left" if at[n] == 0 else "right" if at[n] == len(values) - 1 else "center"
        )
    axes.set_title(history.name(found, series))
    axes.grid(visible=True, axis="y")
    sheet.human(axes.yaxis, found.metric)
