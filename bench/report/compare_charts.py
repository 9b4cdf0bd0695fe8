"""The two pictures of a comparison: ratios with their intervals, and how the tasks' times are spread."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np

from bench import events, spans, store, units
from bench.compare import BETTER, SAME, UNDECIDED, WORSE, Check, Comparison, Pair
from bench.measured import COUNTS
from bench.report import comparison, draw_forest, labels, palette, sheet
from bench.report.charts import Chart
from bench.report.forest import Forest, ForestRow, ends_of
from bench.report.resources import kept

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

MOST_PANELS = 6
BASE, BASE_LINE = palette.OPEN, "--"
"""Base lies on top: dashes let the candidate be seen."""
TITLE_WIDTH = 32
SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
"""Shares of the tasks at which times are read."""
TICKS = (0.0, 0.5, 0.9, 0.99, 0.999)
LOOK = draw_forest.Look(
    signs=comparison.SIGNS,
    words={WORSE: "worse", BETTER: "better", SAME: "the same", UNDECIDED: "undecided"},
    hollow=frozenset({UNDECIDED}),
    crossed=frozenset({WORSE}),
    band="too small to matter",
    axis="candidate ÷ base, log scale",
    no_axis="a count, or no ratio",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How the times (s) of one cell's tasks are spread on both sides: an array trials × ``SHARES`` each."""

    title: str
    names: tuple[str, str]
    duration: str
    sides: tuple["NDArray[np.float64]", "NDArray[np.float64]"]


def charts(found: Comparison, runs: tuple[store.Run, store.Run]) -> Iterator[Chart]:
    """The pictures there are data for; ``runs`` hold the tasks of base and candidate."""
    data = forest(found)
    if data.ends:
        yield Chart(
            name="ratios",
            title="Candidate ÷ base",
            caption="Each row is a metric of a cell: the ratio of its mean with the 95 % interval. Grey: too"
            f" small to matter (margin {found.margin * 100:.3g} %). Worse, better: shown to lie beyond it.",
            figure=lambda: draw_forest.forest(data, LOOK),
        )
    spread = spreads(found, runs)
    if spread:
        yield Chart(
            name="distributions",
            title=f"{labels.duration_title(spread[0].duration)} of the tasks",
            caption="How long the share of tasks took at most: line, the median of the trials; shade, from"
            " the fastest trial to the slowest. The scale widens towards the slowest tasks.",
            figure=lambda: draw_spreads(spread),
        )


def forest(found: Comparison) -> Forest:
    """A row for each check that has a ratio."""
    rows: list[ForestRow] = []
    before = None
    for check in found.checks:
        if check.metric in COUNTS or check.value is None:
            continue
        name = comparison.cell_name(found, check)
        rows.append(_row(check, "" if name == before else name, found.margin))
        before = name
    return Forest(rows=tuple(rows), ends=ends_of(rows))


def _row(check: Check, head: str, margin: float) -> ForestRow:
    return ForestRow(
        head=head,
        detail=labels.metric_text(check.metric),
        outcome=check.verdict,
        number=comparison.change(check),
        point=check.value,
        lower=check.lower,
        upper=check.upper,
        band=(1 / (1 + margin), 1 + margin),
    )


def spreads(found: Comparison, runs: tuple[store.Run, store.Run]) -> list[Spread]:
    """The first few cells whose tasks were kept on both sides."""
    out: list[Spread] = []
    for pair in found.matched.pairs:
        duration = _duration(pair, runs[1])
        sides = [_quantiles(pair, side, run, duration) for side, run in enumerate(runs)]
        if all(each.size for each in sides):
            name = next((comparison.cell_name(found, c) for c in found.checks if c.pair is pair), "")
            title = "" if name == comparison.ONLY else name
            names = (found.base, pair.candidate)
            out.append(Spread(title=title, names=names, duration=duration, sides=(sides[0], sides[1])))
        if len(out) == MOST_PANELS:
            break
    return out


def _duration(pair: Pair, run: store.Run) -> str:
    """Of a flood the service, since a task's response is there its place in the backlog."""
    loads = {cell.id: cell.setup.load for scenario in run.scenarios for cell in scenario.cells}
    shape = loads[pair.cells[1]].shape
    return "service" if shape == "flood" else "roundtrip" if shape == "closed" else "response"


def _quantiles(pair: Pair, side: int, run: store.Run, duration: str) -> "NDArray[np.float64]":
    workload = {c.id: c.setup.workload for s in run.scenarios for c in s.cells}[pair.cells[side]]
    found = []
    for trial in pair.trials[side]:
        log = kept(run.events, trial.trial)
        if log is None:
            continue
        times: Mapping[str, NDArray[np.float64]] = spans.durations(events.tasks(log, workload))
        known = times[duration][~np.isnan(times[duration])] if duration in times else np.empty(0)
        if known.size:
            found.append(np.quantile(known, [s for s in SHARES if s <= 1 - 1 / known.size]).tolist())
    least = min(map(len, found), default=0)
    return np.array([each[:least] for each in found], dtype=np.float64)


def draw_spreads(data: Sequence[Spread]) -> "Figure":
    """One panel for each cell; base brown and dashed, candidate blue."""
    figure, grid = sheet.grid(len(data), 2.3)
    for (axes, _), each in zip(grid, data, strict=True):
        _spread_panel(axes, each)
    names = data[0].names
    name = names[1] if len({each.names[1] for each in data}) == 1 else "see above each"
    sheet.legend(
        figure,
        [
            sheet.handle(f"base: {names[0]}", color=BASE, lw=2, linestyle=BASE_LINE),
            sheet.handle(f"candidate: {name}", color=palette.LONG_KIND, lw=2),
        ],
    )
    return figure


def _spread_panel(axes: "Axes", data: Spread) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter

    least = min(side.shape[1] for side in data.sides)
    at = [_widened(share) for share in SHARES[:least]]
    for side, colour, line in zip(data.sides, (BASE, palette.LONG_KIND), (BASE_LINE, "-"), strict=True):
        some = side[:, :least]
        axes.fill_between(at, some.min(axis=0), some.max(axis=0), color=colour, alpha=0.18, lw=0)
        axes.plot(at, np.median(some, axis=0), color=colour, lw=1.8, linestyle=line, zorder=2 + len(line))
    highest = max(float(side[:, :least].max()) for side in data.sides)
    axes.set_ylim(0, highest * 1.1)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: units.format_duration(value)))
    shown = [share for share in TICKS if _widened(share) <= at[-1] + 1e-9]
    axes.xaxis.set_major_locator(FixedLocator([_widened(share) for share in shown]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{(1 - 10**-x) * 100:.4g} %"))
    axes.set_title("\n".join(wrap(data.title, TITLE_WIDTH, max_lines=2, placeholder=" …")), fontsize=9)
    axes.set_xlabel("share of the tasks")
    axes.grid(axis="y", visible=True)


def _widened(share: float) -> float:
    """Each step the same distance again: 0, 90, 99, 99.9 %."""
    return -math.log10(1 - share)
