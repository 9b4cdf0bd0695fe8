"""A metric over many runs, drawn: a panel for each cell, its levels, and where they changed."""

from collections.abc import Sequence
from itertools import pairwise
from textwrap import wrap
from typing import TYPE_CHECKING, Any, NamedTuple

from bench import analyse
from bench.history import History, Series
from bench.report import figures, history, palette, sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_PANELS = 12
BEYOND = 1.0
"""Intervals may stretch the axis by this many times the range of the points, then they are cut off."""
FONT_SIZE = 8
TITLE_SIZE = 8.5
BOLD = 1.1
"""So many times as wide a bold letter is."""


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
    cut = any(_is_cut(series) for series in shown)
    handles = [
        sheet.handle("a run, 95 % interval", marker="o", ms=3.5, color=palette.NEUTRAL),
        *([sheet.handle("interval goes on", marker="^", ms=4, color=palette.NEUTRAL)] if cut else []),
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
    points = [point.estimate.point for point in series.points]
    low, high = _limits(series)
    axes.set_xlim(-0.7, len(points) - 0.3)
    letters = int(_columns_of_text(axes) * FONT_SIZE / TITLE_SIZE / BOLD)
    axes.set_title(title(history.name(found, series), letters), fontsize=TITLE_SIZE, parse_math=False)
    axes.grid(visible=True, axis="y")
    sheet.human(axes.yaxis, found.metric)
    _days(axes, series)
    _intervals(axes, series, low, high)
    axes.plot(range(len(points)), points, "o", ms=3.5, color=palette.NEUTRAL)
    ends = [0, *(change.index for change in series.changes), len(points)]
    for first, last in pairwise(ends):
        mean = analyse.estimate(found.metric, points[first:last]).point
        axes.plot([first - 0.4, last - 0.6], [mean, mean], color=palette.INK, lw=1.5)
    lines = _changes(axes, found, series)
    axes.set_ylim(low, high + (high - low) * (0.04 + 0.11 * lines))


def title(text: str, letters: int) -> str:
    """The text in at most two lines of so many letters, with ``…`` for what is too much of its beginning: its
    end tells it apart.
    """
    lines, head, gone = wrap(text, letters), letters // 2, 0
    while len(lines) > 2:
        gone += 1
        lines = wrap(f"{text[:head]}…{text[head + gone :]}", letters)
    return "\n".join(lines)


def _limits(series: Series) -> tuple[float, float]:
    """What the axis shows of points and intervals."""
    estimates = [point.estimate for point in series.points]
    points = [estimate.point for estimate in estimates]
    room = (max(points) - min(points)) * BEYOND or 0.1 * abs(points[0]) or 1.0
    low = min(e.point if e.lower is None else e.lower for e in estimates)
    high = max(e.point if e.upper is None else e.upper for e in estimates)
    edge = 0.05 * (min(high, max(points) + room) - max(low, min(points) - room)) or 0.05 * room
    low = max(low, min(points) - room) - edge
    return max(0.0, low) if min(points) > 0 else low, min(high, max(points) + room) + edge


def _is_cut(series: Series) -> bool:
    low, high = _limits(series)
    found = [point.estimate for point in series.points]
    return any(
        e.lower is not None and e.upper is not None and not low <= e.lower <= e.upper <= high for e in found
    )


def _intervals(axes: "Axes", series: Series, low: float, high: float) -> None:
    """A line for each, with a triangle where it goes on beyond ``low`` or ``high``."""
    look: dict[str, Any] = {"color": palette.NEUTRAL, "alpha": 0.6, "clip_on": False}
    for x, estimate in enumerate(point.estimate for point in series.points):
        if estimate.lower is None or estimate.upper is None:
            continue
        axes.plot([x, x], [max(low, estimate.lower), min(high, estimate.upper)], lw=1, **look)
        for end, shape, beyond in ((low, "v", estimate.lower < low), (high, "^", estimate.upper > high)):
            if beyond:
                axes.plot(x, end, shape, ms=4, mew=0, **look)


def _changes(axes: "Axes", found: History, series: Series) -> int:
    """A dashed line for each with its size beside it; returns how many lines of text that took."""
    room = len(series.points) / _columns_of_text(axes)
    texts = [history.change_text(found, change).partition(" (")[0] for change in series.changes]
    widths = [room * (len(text) + 0.5) for text in texts]
    at = [change.index - 0.5 for change in series.changes]
    placed = places(at, widths, len(series.points) - 0.3)
    for x, text, change, place in zip(at, texts, series.changes, placed, strict=True):
        colour = palette.VERDICT_COLOURS[history.direction(found, change)]
        axes.axvline(x, color=colour, lw=1.2, linestyle=(0, (4, 2)))
        if place:
            axes.annotate(
                text, (x, 1), xycoords=("data", "axes fraction"),
                xytext=(3 if place.right else -3, -3 - 11 * place.line), textcoords="offset points",
                ha="left" if place.right else "right", color=colour, fontsize=FONT_SIZE, va="top",
            )  # fmt: skip
    return max((place.line + 1 for place in placed if place), default=0)


def _columns_of_text(axes: "Axes") -> float:
    """About how many letters of ``FONT_SIZE`` are as wide as the panel."""
    spec = axes.get_subplotspec()
    columns = spec.get_gridspec().ncols if spec else 1
    return (sheet.WIDTH_IN / columns - 0.7) * 72 / (0.6 * FONT_SIZE)


class Place(NamedTuple):
    """Where a label stands beside its dashed line, and in which line of text from above."""

    right: bool
    line: int


def places(at: Sequence[float], widths: Sequence[float], end: float) -> list[Place | None]:
    """A place for each label so that none crosses a dashed line (``at``), another label or the frame, from
    the left one's to ``end``; None where there is no room.
    """
    out: list[Place | None] = []
    gaps = [right - left for left, right in pairwise([-0.7, *at, end])]
    used = 0.0  # of the gap on the left, by the label before
    for n, width in enumerate(widths):
        if width <= gaps[n + 1]:
            out.append(Place(right=True, line=0))
        elif width <= gaps[n]:
            out.append(Place(right=False, line=int(used + width > gaps[n])))
        else:
            out.append(None)
        used = width if out[-1] and out[-1].right else 0.0
    return out


def _days(axes: "Axes", series: Series) -> None:
    """The days of the first run, the middle one and the last below them."""
    last = len(series.points) - 1
    at = sorted({0, (last + 1) // 2, last})
    days = [f"{series.points[index].at:%Y-%m-%d}" for index in at]
    keep = [n for n, day in enumerate(days) if day not in days[:n]]
    axes.set_xticks([at[n] for n in keep], [days[n] for n in keep])
    for label, n in zip(axes.get_xticklabels(), keep, strict=True):
        label.set_horizontalalignment("left" if at[n] == 0 else "right" if at[n] == last else "center")
