"""The pictures of settings, drawn from their data (``figures``): thin, no decisions about what is shown."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from bench import units
from bench.measured import Estimate
from bench.report import figures, labels, palette, sheet, tables
from bench.report.figures import MetricFigure, Panel, PercentileFigure, Row, T, WaitFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LABEL_WIDTH = 30
ROW_IN = 0.27
MARKERS = {"p50": "o", "p90": "|", "p95": "d", "p99": "s", "p999": "^", "max": "x"}
LOG_FROM = 20.0
"""A duration axis turns logarithmic where the largest is this many times the smallest."""


def metric(data: MetricFigure, *, ranked: bool = True) -> "Figure":
    """A dot and its interval for each cell, its trials as small dots, the value in figures at the right.

    ``ranked``: the best and those level with it are filled and their values bold; otherwise all are filled.
    """
    figure, panels = _panels(data.rows, data.panels)
    for axes, panel in panels:
        top = max((max(m.trials, default=m.point) for m in panel.values if m), default=1.0)
        high = max([top, *(m.upper for m in panel.values if m and m.upper and m.upper < 2 * top)])
        scale, unit = sheet.scale_of(data.metric, high)
        for y, (row, mark) in enumerate(zip(data.rows, panel.values, strict=True)):
            if mark is not None:
                _mark(axes, y, mark, palette.pool_colour(row.pool), scale, filled=mark.level or not ranked)
                text = tables.number(data.metric, Estimate(point=mark.point)).point
                weight = "bold" if mark.level and ranked else "normal"
                axes.annotate(
                    text, (1.0, y), xycoords=("axes fraction", "data"), ha="right", va="center",
                    fontsize=8, fontweight=weight,
                )  # fmt: skip
        axes.set_xlim(0, (high / scale or 1.0) * 1.3)
        word = labels.metric_text(data.metric)
        axes.set_xlabel(f"{word}{f' ({unit})' if unit else ''}, {figures.is_better(data.metric)}")
    large = {"marker": "o", "ms": 6, "color": palette.NEUTRAL}
    places = [
        sheet.handle("best, or perhaps as good", **large),
        sheet.handle("behind, or probably behind", mfc=palette.PAPER, **large),
    ]
    sheet.legend(
        figure,
        [
            *(places if ranked else [sheet.handle("mean", **large)]),
            sheet.handle("95 % interval", color=palette.NEUTRAL, lw=2.5),
            sheet.handle("one trial", marker="o", ms=2.5, color=palette.NEUTRAL, alpha=0.6),
        ],
    )
    return figure


def _mark(axes: "Axes", y: float, mark: figures.Mark, colour: str, scale: float, *, filled: bool) -> None:
    if mark.lower is not None and mark.upper is not None:
        axes.plot([mark.lower / scale, mark.upper / scale], [y, y], color=colour, lw=2.5, zorder=2)
    xs = [t / scale for t in mark.trials]
    axes.plot(xs, [y + 0.27] * len(xs), "o", ms=2.2, color=colour, alpha=0.6, mew=0, zorder=2)
    face = colour if filled else palette.PAPER
    axes.plot([mark.point / scale], [y], "o", ms=6, color=colour, mfc=face, mew=1.5, zorder=3)


def percentiles(data: PercentileFigure) -> "Figure":
    """From the median to the slowest task, a mark for each percentile; log axis if they lie far apart."""
    figure, panels = _panels(data.rows, data.panels)
    seen: dict[str, None] = {}
    for axes, panel in panels:
        values = [v for cell in panel.values if cell for v in cell.values() if v > 0]
        for y, (row, cell) in enumerate(zip(data.rows, panel.values, strict=True)):
            if cell:
                seen |= dict.fromkeys(cell)
                _percentile_row(axes, y, cell, palette.pool_colour(row.pool))
        log = bool(values) and max(values) > LOG_FROM * min(values)
        sheet.duration_axis(axes, values, log=log)
        axes.set_xlabel(
            f"{labels.duration_title(data.duration).lower()}{', log scale' if log else ''}, less is better"
        )
    names = {"p50": "median", "max": "slowest task"}
    sheet.legend(
        figure,
        [
            sheet.handle(names.get(p, p), marker=MARKERS[p], ms=5, color=palette.NEUTRAL)
            for p in MARKERS
            if p in seen
        ],
    )
    return figure


def _percentile_row(axes: "Axes", y: float, cell: dict[str, float], colour: str) -> None:
    xs = list(cell.values())
    axes.plot([min(xs), max(xs)], [y, y], color=colour, lw=1, alpha=0.6)
    for name, x in cell.items():
        size = 6.0 if name in ("p50", "p90") else 4.5
        axes.plot([x], [y], MARKERS[name], color=colour, ms=size, mew=1.4)


def waits(data: WaitFigure) -> "Figure":
    """One bar for each cell: the parts of a task's way end to end, mean seconds."""
    figure, panels = _panels(data.rows, data.panels)
    seen = {part for panel in data.panels for cell in panel.values for part in cell or ()}
    parts = [part for part in (*figures.CANVAS_PARTS, *figures.WAIT_PARTS) if part in seen]
    for axes, panel in panels:
        high = max((sum(cell.values()) for cell in panel.values if cell), default=1.0)
        scale, unit = sheet.scale_of("makespan", high)
        for y, cell in enumerate(panel.values):
            left = 0.0
            for part in parts:
                width = (cell or {}).get(part, 0.0) / scale
                if width > 0:
                    axes.barh(y, width, left=left, height=0.62, **_wait_look(part))
                    left += width
            if cell:
                axes.annotate(
                    units.format_duration(sum(cell.values())), (left, y), xytext=(4, 0),
                    textcoords="offset points", va="center", fontsize=8,
                )  # fmt: skip
        axes.set_xlim(0, (high / scale or 1.0) * 1.22)
        axes.set_xlabel(f"mean time per task ({unit})")
    names = {
        "overhead": "overhead of a canvas",
        "path": "longest service of each stage",
        "lateness": "late publishing",
        "service": "running",
    }
    sheet.legend(figure, [sheet.patch(names.get(p, p.replace("_", " ")), **_wait_look(p)) for p in parts])
    return figure


def _wait_look(part: str) -> dict[str, Any]:
    look: dict[str, Any] = {"facecolor": palette.WAIT_COLOURS[part], "linewidth": 0}
    if part == "prefetch_wait":
        look |= {"hatch": "////", "edgecolor": palette.HATCH}
    return look


def _panels(
    rows: Sequence[Row], panels: Sequence[Panel[T]]
) -> tuple["Figure", Iterable[tuple["Axes", Panel[T]]]]:
    """A grid of panels that share their rows: labels left, lines between pools, notes where nothing is."""
    names = ["\n".join(wrap(row.label, LABEL_WIDTH, max_lines=3, placeholder=" …")) for row in rows]
    lines = max((name.count("\n") + 1 for name in names), default=1)
    height = 0.75 + len(rows) * ROW_IN * (0.55 + 0.45 * lines)
    figure, grid = sheet.grid(len(panels), height)
    for (axes, first), panel in zip(grid, panels, strict=True):
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_yticks(range(len(rows)), names if first else [""] * len(rows))
        axes.set_title(panel.title)
        for y, (before, row) in enumerate(pairwise(rows)):
            if before.pool != row.pool:
                axes.axhline(y + 0.5, color=palette.GRID, lw=0.8)
        for y, note in enumerate(panel.notes):
            if note and panel.values[y] is None:
                axes.annotate(
                    note, (0.01, y), xycoords=("axes fraction", "data"), va="center", fontsize=8,
                    fontstyle="italic", color=palette.FAINT,
                )  # fmt: skip
    return figure, [(axes, panel) for (axes, _), panel in zip(grid, panels, strict=True)]
