"""A search drawn: what candidates give and cost, trial by trial, and which settings matter."""

import math
from typing import TYPE_CHECKING, Any

from bench.report import figures, labels, palette, sheet, tuned_words
from bench.search.goal import COST, SURE
from bench.search.tuned import Shown, Tuned

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROOM = 1.1
"""Times the largest value that an axis ends at."""


def _pool(found: Tuned, cell: str) -> str:
    return found.cells[cell].setup.fleet[0].pool


def _goal_axis(axis: Any, found: Tuned) -> None:
    if found.goal.metric != COST:
        sheet.human(axis, found.goal.metric)


def _marked(found: Tuned) -> dict[str, str]:
    """What is special about some cells, in a word."""
    marked = {found.default: "Celery's default"}
    if found.advised and found.has_advice:
        both = " and Celery's default" if found.advised == found.default else ""
        marked[found.advised] = f"advised{both}"
    return marked


def front_figure(found: Tuned) -> "Figure":
    """Every candidate by its goal against memory, and against its p99 where that was computed."""
    latency = _latency(found)
    against = [metric for metric in ("memory", latency) if metric and _all_have(found, metric)]
    figure, grid = sheet.grid(len(against), 3.4)
    for n, ((axes, first), metric) in enumerate(zip(grid, against, strict=True)):
        _front_panel(axes, found, metric, named=n == 0)
        if first:
            axes.set_ylabel(tuned_words.better_text(found))
    pools = dict.fromkeys(_pool(found, each.cell) for each in found.shown)
    handles = [sheet.handle(pool, marker="o", ms=6, color=palette.pool_colour(pool)) for pool in pools]
    if any(each.chance < SURE for each in found.shown):
        handles.append(sheet.handle("condition not surely kept", marker="x", ms=5, color=palette.FAINT))
    if any(each.chance >= SURE for each in found.shown):
        handles.append(sheet.handle("Pareto front", color=palette.INK, lw=1))
    sheet.legend(figure, handles)
    return figure


def _latency(found: Tuned) -> str | None:
    flood = any(c.setup.load.shape == "flood" for c in found.cells.values())
    return (
        None if flood else next((m for m in ("p99(response)", "p95(response)") if _all_have(found, m)), None)
    )


def _all_have(found: Tuned, metric: str) -> bool:
    return bool(found.shown) and all(metric in each.metrics for each in found.shown)


def _front_panel(axes: "Axes", found: Tuned, metric: str, *, named: bool) -> None:
    from matplotlib.ticker import MultipleLocator

    most = max(each.metrics[metric] for each in found.shown)
    axes.set_xlim(0, ROOM * most)
    for each in found.shown:
        kept = each.chance >= SURE
        look: dict[str, Any] = {"marker": "o" if kept else "x", "ms": 6 if kept else 5, "alpha": 0.85}
        colour = palette.pool_colour(_pool(found, each.cell))
        axes.plot(each.metrics[metric], each.value, linestyle="none", color=colour, **look)
    front = _line(found, metric)
    axes.step(
        [p.metrics[metric] for p in front], [p.value for p in front],
        where="post", color=palette.INK, lw=1, zorder=1,
    )  # fmt: skip
    marked = _marked(found)
    for each in found.shown:
        if each.cell in marked:
            ring: dict[str, Any] = {"marker": "o", "ms": 11, "mfc": "none", "mew": 1.3, "color": palette.INK}
            axes.plot(each.metrics[metric], each.value, linestyle="none", **ring)
            if named:
                text = f"{marked[each.cell]}: {tuned_words.name(found, each.cell)}"
                _say(axes, each.metrics[metric], each.value, text)
    axes.set_xlabel(f"{figures.figure_title(metric)} ({figures.is_better(metric)})")
    sheet.human(axes.xaxis, metric)
    if metric == "memory":
        axes.xaxis.set_major_locator(MultipleLocator(_round_size(most)))
    _goal_axis(axes.yaxis, found)
    axes.set_ylim(0, ROOM * max(each.value for each in found.shown) or 1.0)
    axes.grid(visible=True)


def _round_size(most: float) -> int:
    """Bytes from tick to tick: a power of two, eight ticks at most."""
    return int(2 ** math.ceil(math.log2(most / 8)))


def _say(axes: "Axes", x: float, y: float, text: str) -> None:
    """A label beside a point, on the side that has room."""
    low, high = axes.get_xlim()
    right = x < (low + high) / 2
    axes.annotate(
        text, (x, y), xytext=(9 if right else -9, -4), textcoords="offset points",
        ha="left" if right else "right", va="top", fontsize=8, color=palette.INK,
    )  # fmt: skip


def _line(found: Tuned, metric: str) -> list[Shown]:
    """The candidates that keep the conditions and that no other such beats in both, from the least of the
    metric on.
    """
    out: list[Shown] = []
    sign = found.goal.sign
    fit = [each for each in found.shown if each.chance >= SURE]
    for each in sorted(fit, key=lambda s: (s.metrics[metric], -sign * s.value)):
        if not out or sign * each.value > sign * out[-1].value:
            out.append(each)
    return out


def path_figure(found: Tuned) -> "Figure":
    """Each trial of the search a dot, in the order they ran; a line for the candidate that had done best."""
    figure, grid = sheet.grid(1, 2.8)
    axes = grid[0][0]
    for step in found.steps:
        if step.value is not None:
            colour = palette.pool_colour(_pool(found, step.cell))
            axes.plot(step.number, step.value, "o", ms=5, color=colour, alpha=0.85)
    mean = {each.cell: each.value for each in found.shown}
    led = [(step.number, mean.get(step.leader or "")) for step in found.steps]
    axes.step(
        [n for n, value in led if value], [value for _, value in led if value],
        where="post", color=palette.INK, lw=1.3, zorder=1,
    )  # fmt: skip
    axes.set_xlabel("trial of the search")
    axes.set_ylabel(tuned_words.better_text(found))
    sheet.whole_numbers(axes.xaxis)
    _goal_axis(axes.yaxis, found)
    axes.set_ylim(0, ROOM * max((step.value or 0.0 for step in found.steps), default=0.0) or 1.0)
    axes.set_xlim(0.5, len(found.steps) + 0.5)
    axes.grid(visible=True, axis="y")
    pools = dict.fromkeys(_pool(found, step.cell) for step in found.steps)
    handles = [sheet.handle(pool, marker="o", ms=6, color=palette.pool_colour(pool)) for pool in pools]
    handles.append(sheet.handle("best mean so far", color=palette.INK, lw=1.3))
    sheet.legend(figure, handles)
    return figure


def importance_figure(found: Tuned) -> "Figure":
    """A bar for each setting: how much of the differences it explains by itself."""
    names = labels.axis_names(list(found.importance))
    shares = list(found.importance.items())[::-1]
    figure, grid = sheet.grid(1, 0.7 + 0.32 * len(shares))
    axes = grid[0][0]
    axes.barh([names[axis] for axis, _ in shares], [share * 100 for _, share in shares],
              color=palette.NEUTRAL, height=0.6)  # fmt: skip
    for place, (_, share) in enumerate(shares):
        axes.annotate(
            f"{share * 100:.0f} %", (share * 100, place), xytext=(4, 0), textcoords="offset points",
            va="center", fontsize=8,
        )  # fmt: skip
    axes.set_xlim(0, 108)
    axes.set_xlabel("share of the differences between candidates, %")
    axes.grid(visible=True, axis="x")
    return figure
