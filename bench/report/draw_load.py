"""The pictures of loads that change, drawn from their data: tasks over time, phases, searches, host speed."""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from bench import units
from bench.report import figures, labels, palette, sheet
from bench.report.draw import LOG_FROM
from bench.report.draw_time import dashes
from bench.report.drift import DriftFigure
from bench.report.flow import FlowFigure, FlowPanel
from bench.report.phases import PhaseFigure, PhaseLine, PhasePanel
from bench.report.searches import SearchFigure, SearchPanel, StepDot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHAPES = ("o", "s", "^", "D", "v")
"""Markers of cells with the same colour."""
CHAR_PT = 5.2
"""Width of a letter of 8 points, generously."""
AXES_PT = 480.0
"""Width of axes that have a line of the sheet to themselves and a legend."""
CLIP = 2.0
"""Arrivals above so many times the fastest completions are cut off: a burst would flatten all the rest."""
BEYOND = 4.0
"""Intervals that reach further than this from the trials are cut off where the axis is logarithmic."""
STEP_PANELS_IN = 2.5


def flow(data: FlowFigure) -> "Figure":
    """Arrivals (grey) and completions a second, below them the backlog; two lines of axes a circumstance."""
    figure = sheet.sheet(3.9 * len(data.panels) + 0.1)
    ratios = [1.0, 1.0] * len(data.panels)
    grid = figure.subplots(2 * len(data.panels), 1, squeeze=False, gridspec_kw={"height_ratios": ratios})
    axes = [line[0] for line in grid]
    for i, panel in enumerate(data.panels):
        _flow_panel(axes[2 * i], axes[2 * i + 1], panel)
    return figure


def _flow_panel(top: "Axes", bottom: "Axes", panel: FlowPanel) -> None:
    handles = [sheet.patch("due", facecolor=palette.IDLE, edgecolor=palette.FAINT, linewidth=0.8)]
    top.fill_between(panel.t, panel.due, step="mid", color=palette.IDLE, linewidth=0)
    top.step(panel.t, panel.due, where="mid", color=palette.FAINT, lw=0.8)
    for line, dash in zip(panel.lines, dashes([line.pool for line in panel.lines]), strict=True):
        look: dict[str, Any] = {"color": palette.pool_colour(line.pool), "linestyle": dash}
        top.plot(line.t, line.completed, **look)
        bottom.plot(line.backlog_t, line.backlog, **look)
        handles.append(sheet.handle(line.label, lw=2, **look))
    fastest = max((max(line.completed) for line in panel.lines), default=1.0)
    top.set_ylim(0, max(1e-9, min(max(panel.due), CLIP * fastest), fastest) * 1.12)
    bottom.set_ylim(bottom=0)
    places = _phase_names(panel)
    for axes in (top, bottom):
        axes.set_xlim(0, panel.end)
        axes.grid(visible=True, axis="y")
        for start, _ in places:
            axes.axvline(start, color=palette.FAINT, lw=0.8, linestyle=(0, (1, 2)))
    for start, name in places:
        top.annotate(
            name, (start, 1), xycoords=("data", "axes fraction"), xytext=(2, 2),
            textcoords="offset points", ha="left", va="bottom", fontsize=8, color=palette.FAINT,
        )  # fmt: skip
    top.set_title(panel.title, pad=16 if places else None)
    top.set_ylabel("tasks/s")
    top.tick_params(labelbottom=False)
    bottom.set(xlabel="time since the first task was due (s)", ylabel="backlog (tasks)")
    top.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1.0), handlelength=1.8)


def _phase_names(panel: FlowPanel) -> list[tuple[float, str]]:
    """(start, what is written there): the name if there is room until the next, else its number, else
    nothing. Phases that begin together share a line.
    """
    starts = sorted({start for start, _ in panel.phases})
    out = []
    for start, after in pairwise([*starts, panel.end]):
        room = (after - start) / panel.end * AXES_PT - 4
        names = [name for begin, name in panel.phases if begin == start]
        numbers = ", ".join(name.split(" ", 1)[0] for name in names)
        choices = (" · ".join(names), numbers)
        out.append((start, next((text for text in choices if len(text) * CHAR_PT <= room), "")))
    return out


def phases(data: PhaseFigure) -> "Figure":
    """The metric of each phase, a colour for each pool, with intervals and trials."""
    wide = max(len(panel.phases) for panel in data.panels)
    figure, grid = sheet.grid(len(data.panels), 2.6 + 0.012 * wide * 10)
    values = [m.point for p in data.panels for line in p.lines for m in line.values if m and m.point > 0]
    log = bool(values) and max(values) > LOG_FROM * min(values)
    looks = _shapes([line for panel in data.panels for line in panel.lines])
    for (axes, _), panel in zip(grid, data.panels, strict=True):
        _phase_panel(axes, panel, data.metric, looks, log=log)
    handles = [
        sheet.handle(label, color=palette.pool_colour(pool), marker=looks[label], ms=5, lw=1.5)
        for label, pool in {line.label: line.pool for panel in data.panels for line in panel.lines}.items()
    ]
    sheet.legend(figure, handles)
    return figure


def _phase_panel(
    axes: "Axes", panel: PhasePanel, metric: str, looks: Mapping[str, str], *, log: bool
) -> None:
    marks = [mark for line in panel.lines for mark in line.values if mark]
    top = max((max(m.point, *m.trials) for m in marks), default=1.0)
    high = max([top, *(m.upper for m in marks if m.upper and m.upper < 2 * top)])
    spread = min(0.14, 0.6 / max(1, len(panel.lines)))
    for i, line in enumerate(panel.lines):
        colour = palette.pool_colour(line.pool)
        aside = (i - (len(panel.lines) - 1) / 2) * spread
        places = [(x + aside, mark) for x, mark in enumerate(line.values) if mark]
        whole = [mark.point if mark else float("nan") for mark in line.values]
        axes.plot([x + aside for x in range(len(whole))], whole, color=colour, lw=0.8, alpha=0.5)
        for x, mark in places:
            if mark.lower is not None and mark.upper is not None:
                axes.plot([x, x], [mark.lower, mark.upper], color=colour, lw=2)
            axes.plot([x] * len(mark.trials), mark.trials, "o", ms=2, color=colour, alpha=0.6, mew=0)
            axes.plot([x], [mark.point], looks[line.label], ms=5, color=colour)
    many = len(panel.phases) > 4
    axes.set_xticks(
        range(len(panel.phases)), panel.phases, rotation=35 if many else 0, ha="right" if many else "center"
    )
    if not many:
        axes.set_xticklabels([_two_lines(name) for name in panel.phases])
    axes.set_xlim(-0.5, len(panel.phases) - 0.5)
    axes.set_title(panel.title)
    axes.grid(visible=False, axis="x")
    axes.grid(visible=True, axis="y")
    if log:
        axes.set_yscale("log")
        points = [x for m in marks for x in (m.point, *m.trials) if x > 0]
        bottom, top = axes.get_ylim()
        axes.set_ylim(max(bottom, min(points) / BEYOND), min(top, max(points) * BEYOND))
        sheet.log_ticks(axes.yaxis, *axes.get_ylim(), apart=0.12)
    else:
        axes.set_ylim(0, high * 1.12 or 1.0)
    sheet.human(axes.yaxis, metric)
    word = labels.metric_text(metric)
    axes.set_ylabel(f"{word}{', log scale' if log else ''}\n{figures.is_better(metric)}")


def _two_lines(name: str) -> str:
    """``1 constant 50/s`` with its pace on a line of its own."""
    head, _, pace = name.partition(" ")
    kind, _, rest = pace.partition(" ")
    return f"{head} {kind}\n{rest}"


def _shapes(lines: Iterable[PhaseLine]) -> dict[str, str]:
    """A marker for each label, another for each of the same colour."""
    out: dict[str, str] = {}
    pools: list[str | None] = []
    for line in lines:
        if line.label not in out:
            out[line.label] = SHAPES[pools.count(line.pool) % len(SHAPES)]
            pools.append(line.pool)
    return out


def searches(data: SearchFigure) -> "Figure":
    """Every step's rate against the SLO's metric, filled where held, hollow where missed; the answer."""
    figure, grid = sheet.grid(len(data.panels), STEP_PANELS_IN)
    dots = [dot for panel in data.panels for dot in panel.dots]
    values = [dot.value for dot in dots if dot.value] + [panel.limit for panel in data.panels]
    log = max(values) > LOG_FROM * min(values)
    rates = [dot.rate for dot in dots]
    for (axes, first), panel in zip(grid, data.panels, strict=True):
        _rate_axis(axes, min(rates), max(rates))
        _search_panel(axes, panel, (min(values), max(values)), log=log)
        if first:
            axes.set_ylabel(f"{panel.metric}{', log scale' if log else ''}")
    look = {"marker": "o", "ms": 5, "color": palette.NEUTRAL}
    handles = [
        sheet.handle("held", **look),
        sheet.handle("missed", mfc=palette.PAPER, **look),
        sheet.handle("the SLO's limit", color=palette.INK, lw=1, linestyle=(0, (4, 2))),
        sheet.handle("capacity", color=palette.NEUTRAL, lw=1.5),
        sheet.patch("its 95 % interval", facecolor=palette.NEUTRAL, alpha=0.2, linewidth=0),
    ]
    if any(dot.value is None for dot in dots):
        handles.insert(
            2, sheet.handle("tasks never ended", marker="^", ms=5, mfc=palette.PAPER, color=palette.NEUTRAL)
        )
    sheet.legend(figure, handles)
    return figure


def _search_panel(axes: "Axes", panel: SearchPanel, span: tuple[float, float], *, log: bool) -> None:
    colour = palette.pool_colour(panel.pool)
    low, high = (span[0] / 1.6, span[1] * 2.2) if log else (0.0, span[1] * 1.15)
    if panel.lower is not None and panel.upper is not None:
        axes.axvspan(panel.lower, panel.upper, color=colour, alpha=0.18, lw=0)
    if panel.rate is not None:
        axes.axvline(panel.rate, color=colour, lw=1.5)
    axes.axhline(panel.limit, color=palette.INK, lw=1, linestyle=(0, (4, 2)))
    for dot in panel.dots:
        _step(axes, dot, colour, high)
    axes.set_ylim(low, high)
    if log:
        axes.set_yscale("log")
        axes.set_ylim(low, high)
        sheet.log_ticks(axes.yaxis, low, high, apart=0.12)
    sheet.human(axes.yaxis, "makespan")
    axes.grid(visible=True, axis="y")
    answer = units.format_rate(panel.rate) if panel.rate is not None else ""
    words = ", ".join(word for word in (answer, panel.note) if word)
    axes.set_title(f"{panel.title}: {words}" if words else panel.title)


def _rate_axis(axes: "Axes", low: float, high: float) -> None:
    """The same for all panels, so that capacities can be compared by eye."""
    axes.set_xscale("log")
    axes.set_xlim(low / 1.2, high * 1.2)
    sheet.log_ticks(axes.xaxis, low, high)
    sheet.human(axes.xaxis, "throughput")
    axes.set_xlabel("rate offered, log scale")


def _step(axes: "Axes", dot: StepDot, colour: str, top: float) -> None:
    face = colour if dot.held else palette.PAPER
    if dot.value is None:
        axes.plot([dot.rate], [top / 1.12], "^", ms=5, color=colour, mfc=face, mew=1.3, clip_on=False)
    else:
        axes.plot([dot.rate], [dot.value], "o", ms=5, color=colour, mfc=face, mew=1.3, zorder=3)


def drift(data: DriftFigure) -> "Figure":
    """Axes over the trials in the order they ran: the reference spin; below, the metric where it is known."""
    figure = sheet.sheet(3.5 if data.told else 2.2)
    panels = figure.subplots(2 if data.told else 1, 1, sharex=True, squeeze=False)[:, 0]
    xs = [dot.position for dot in data.dots]
    panels[0].plot(xs, [dot.spin for dot in data.dots], color=palette.FAINT, lw=0.8)
    panels[0].plot(xs, [dot.spin for dot in data.dots], "o", ms=3.5, color=palette.INK)
    for axes, word in zip(panels, ("reference spin\n÷ median", f"{data.what}\n÷ cell's mean"), strict=False):
        axes.axhline(1.0, color=palette.FAINT, lw=0.8, linestyle=(0, (4, 2)))
        axes.set_ylabel(word)
        axes.grid(visible=True, axis="y")
        axes.margins(x=0.02, y=0.15)
    panels[-1].set_xlim(min(xs) - 0.5, max(xs) + 0.5)
    sheet.whole_numbers(panels[-1].xaxis)
    panels[-1].set_xlabel("trial, in the order they ran")
    if data.told:
        _relative(figure, panels[1], data)
    return figure


def _relative(figure: "Figure", axes: "Axes", data: DriftFigure) -> None:
    """Each trial's metric ÷ its cell's mean, in its pool's colour."""
    pools = list(dict.fromkeys(dot.pool for dot in data.dots))
    for pool in pools:
        known = {d.position: d.metric for d in data.dots if d.pool == pool and d.metric is not None}
        axes.plot(list(known), list(known.values()), "o", ms=3.5, color=palette.pool_colour(pool))
    sheet.legend(
        figure,
        [sheet.handle(pool or "", marker="o", ms=4, color=palette.pool_colour(pool)) for pool in pools],
    )
