"""The pictures over time, drawn from their data: CPU and memory (``resources``), lanes (``lanes``)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bench import units
from bench.report import palette, sheet
from bench.report.lanes import Bars, LaneFigure, LanePanel
from bench.report.resources import ResourceFigure, ResourcePanel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.path import Path

DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)), (0, (3, 1)))
LANE_IN = 0.17
BAR = 0.84
"""How much of a lane's height a bar takes."""
SEPARABLE_PT = 2.0
"""Bars wider than this on paper get a thin line between them."""
PANEL_PT = 300.0


def resources(data: ResourceFigure) -> "Figure":
    """Cores used and memory held by the workers, one line a pool; two panels for each circumstance."""
    figure = sheet.sheet(2.2 * max(1, len(data.panels)) + 0.1)
    grid = figure.subplots(max(1, len(data.panels)), 2, squeeze=False)
    for (left, right), panel in zip(grid, data.panels, strict=False):
        _resource_panel(left, right, panel, data.cores)
    return figure


def _resource_panel(left: "Axes", right: "Axes", panel: ResourcePanel, cores: float | None) -> None:
    title = f"{panel.title}: " if panel.title else ""
    high = max((max(line.memory, default=0.0) for line in panel.lines), default=0.0)
    scale, unit = sheet.scale_of("memory", high)
    handles = []
    for line, dash in zip(panel.lines, dashes([line.pool for line in panel.lines]), strict=True):
        look: dict[str, Any] = {"color": palette.pool_colour(line.pool), "linestyle": dash}
        left.plot(line.cpu_t, line.cpu, **look)
        right.plot(line.memory_t, [m / scale for m in line.memory], marker="o", ms=3, **look)
        handles.append(sheet.handle(line.label, lw=2, **look))
    if cores:
        left.axhline(cores, color=palette.FAINT, lw=1, linestyle=(0, (1, 2)))
        left.annotate(
            f"all {cores:g} cores", (1, cores), xycoords=("axes fraction", "data"), xytext=(0, 2),
            textcoords="offset points", ha="right", fontsize=8, color=palette.FAINT,
        )  # fmt: skip
        left.set_ylim(top=max(left.get_ylim()[1], cores * 1.15))
    left.set_ylim(bottom=0)
    right.set_ylim(0, high / scale * 1.12 or 1.0)
    left.set(
        title=f"{title}CPU of the workers", xlabel="time since the first task was due (s)", ylabel="cores"
    )
    right.set(title="memory", xlabel="time since the first task was due (s)", ylabel=f"PSS ({unit})")
    for axes in (left, right):
        axes.set_xlim(0, max(line.end for line in panel.lines) * 1.02)
        axes.grid(visible=True, axis="y")
    right.legend(handles=handles, loc="center left", bbox_to_anchor=(1.02, 0.5), handlelength=1.8)


def dashes(pools: Sequence[str | None]) -> list[Any]:
    """Lines of the same colour differ by their dashes."""
    return [DASHES[pools[:i].count(pool) % len(DASHES)] for i, pool in enumerate(pools)]


def lanes(data: LaneFigure) -> "Figure":
    """Trials side by side on the same time axis; a bar is a task, paper-grey is an idle slot."""
    columns = max(len(row) for row in data.rows)
    heights = [max(_height(p) for p in row) for row in data.rows]
    figure = sheet.sheet(sum(heights) + 0.85 * len(heights) + 0.45)
    grid = figure.subplots(
        len(data.rows), columns, squeeze=False, gridspec_kw={"height_ratios": [h + 0.5 for h in heights]}
    )
    colours = palette.kind_colours(len(data.kinds))
    for line, row in zip(grid, data.rows, strict=True):
        end = max(p.makespan for p in row) * 1.02
        for axes, panel in zip(line, row, strict=False):
            _lane_panel(axes, panel, colours, end)
        for axes in line[len(row) :]:
            axes.remove()
    handles = [sheet.patch(k, facecolor=c, linewidth=0) for k, c in zip(data.kinds, colours, strict=True)]
    handles.append(sheet.patch("idle", facecolor=palette.IDLE, linewidth=0))
    if any(p.broken for row in data.rows for p in row):
        handles.append(sheet.handle("failed", marker="x", ms=5, color=palette.INK))
    sheet.legend(figure, handles)
    return figure


def _height(panel: LanePanel) -> float:
    return min(4.2, max(0.7, LANE_IN * panel.lanes))


def _lane_panel(axes: "Axes", panel: LanePanel, colours: tuple[str, ...], end: float) -> None:
    from matplotlib.patches import PathPatch

    ground = np.arange(panel.lanes, dtype=float)
    idle = _boxes(ground * 0, ground, ground * 0 + panel.makespan, ground * 0 + 1.0, ground * 0)
    axes.add_patch(PathPatch(idle, facecolor=palette.IDLE, linewidth=0))
    for bars in panel.bars:
        path = _boxes(bars.start, bars.lane, bars.width, bars.height, bars.foot)
        axes.add_patch(PathPatch(path, facecolor=colours[bars.kind], **_edge(bars, panel, colours, end)))
    if panel.broken:
        rows, times = zip(*panel.broken, strict=True)
        axes.plot(times, rows, "x", color=palette.INK, ms=4, mew=1)
    axes.axvline(panel.makespan, color=palette.INK, lw=1)
    last = f"last task ends: {units.format_duration(panel.makespan)}"
    axes.annotate(
        last, (panel.makespan, 1), xycoords=("data", "axes fraction"), xytext=(-2, 2),
        textcoords="offset points", ha="right", va="bottom", fontsize=8,
    )  # fmt: skip
    axes.set_xlim(0, end)
    axes.set_ylim(panel.lanes - 0.5, -0.5)
    _lane_axes(axes, panel)


def _lane_axes(axes: "Axes", panel: LanePanel) -> None:
    part = f"{panel.circumstance}: " if panel.circumstance else ""
    axes.set_title(f"{part}{panel.title}", pad=16)
    axes.set_xlabel("time since the first task was due (s)")
    axes.grid(visible=False)
    axes.spines["left"].set_visible(False)
    several = len(panel.nodes) > 1
    axes.set_yticks(
        [first + (n - 1) / 2 for _, first, n in panel.nodes],
        [name if several else "" for name in panel.names],
    )
    for _, first, _ in panel.nodes[1:]:
        axes.axhline(first - 0.5, color=palette.INK, lw=0.8)
    thinned = panel.lanes < panel.slots
    axes.set_ylabel(f"{panel.lanes} of {panel.slots} slots" if thinned else units.plural(panel.slots, "slot"))


def _edge(bars: Bars, panel: LanePanel, colours: tuple[str, ...], end: float) -> dict[str, Any]:
    """A paper line between bars where there is room for it, else none: it would hide thin bars."""
    wide = float(np.median(bars.width)) / end * PANEL_PT >= SEPARABLE_PT
    if panel.span is None and wide:
        return {"edgecolor": palette.PAPER, "linewidth": 0.5}
    return {"edgecolor": colours[bars.kind], "linewidth": 0.25 if panel.span is None else 0.0}


def _boxes(start: Any, lane: Any, width: Any, height: Any, foot: Any) -> "Path":
    """All bars as one path (a page with thousands of elements is slow)."""
    from matplotlib.path import Path

    low = lane + BAR / 2 - foot * BAR
    high = low - height * BAR
    x = np.stack([start, start + width, start + width, start, start], axis=1)
    y = np.stack([low, low, high, high, low], axis=1)
    codes = np.tile([Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY], len(start))
    return Path(np.stack([x.ravel(), y.ravel()], axis=1), codes)
