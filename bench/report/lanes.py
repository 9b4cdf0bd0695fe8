"""Who ran what when, as plain data: one lane for each slot, one bar for each task.

With many slots or tasks the picture is thinned, and says how: at most ``MOST_LANES`` lanes, evenly picked
within each node; and where bars would be thinner than a pixel, each lane is cut into equal spans of time
whose bars are as high as the share of the span the slot was busy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bench import events
from bench.model import Workers
from bench.report import labels
from bench.report.resources import kept, known_metric, ranked_cells, trials_of_one_block, with_metric
from bench.report.view import CellView, Part, ScenarioView

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from bench import store

MOST_LANES = 40
MOST_TASKS_A_LANE = 120
"""More bars than this in a lane about 400 points wide blur into one."""
SPANS = 120
TELLING = 1.1
"""A ratio of makespans below this is not worth showing instead of the best pool's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """Bars of one kind of task: lane (row), start and width (s), height (1 = the lane), foot in the lane."""

    kind: int
    lane: "NDArray[np.float64]"
    start: "NDArray[np.float64]"
    width: "NDArray[np.float64]"
    height: "NDArray[np.float64]"
    foot: "NDArray[np.float64]"


@dataclass(frozen=True, slots=True, kw_only=True)
class LanePanel:
    """One trial. ``nodes`` holds (node, first lane, number of lanes) in the order drawn, ``names`` what they
    are called.
    """

    title: str
    circumstance: str
    trial: str
    nodes: tuple[tuple[int, int, int], ...]
    names: tuple[str, ...]
    slots: int
    bars: tuple[Bars, ...]
    broken: tuple[tuple[float, float], ...]
    """(lane, end) of tasks that failed or never ended: marked with a cross."""
    makespan: float
    span: float | None
    """Width of a span (s) where tasks are summed up; None where each bar is one task."""

    @property
    def lanes(self) -> int:
        return sum(n for _, _, n in self.nodes)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneFigure:
    """``rows`` holds the trials to compare, side by side, for each circumstance."""

    rows: tuple[tuple[LanePanel, ...], ...]
    kinds: tuple[str, ...]
    """Kinds of task from the shortest to the longest; ``Bars.kind`` points here."""


def lane_figure(view: ScenarioView, run: "store.Run") -> LaneFigure:
    """The trials that tell most, for each circumstance (see ``cells_to_contrast``)."""
    drawn: list[list[tuple[str, CellView, str, pd.DataFrame]]] = []
    for part in view.parts:
        row = []
        cells = cells_to_contrast(part, view.scenario.metric)
        chosen = trials_of_one_block(cells, view.scenario.metric)
        for cell, trial in zip(cells, chosen, strict=True):
            log = kept(run.events, trial.trial) if trial else None
            tasks = None if log is None else events.tasks(log)
            if trial is not None and tasks is not None and tasks["last_started"].notna().any():
                row.append((part.title, cell, trial.trial, tasks))
        if row:
            drawn.append(row)
    names, order = _kinds([(cell, tasks) for row in drawn for _, cell, _, tasks in row])
    rows = tuple(
        tuple(
            panel(
                tasks,
                title=cell.label,
                circumstance=title,
                trial=trial,
                groups=cell.setup.groups,
                kinds=[order[name] for name in _calls(cell)],
            )
            for title, cell, trial, tasks in row
        )
        for row in drawn
    )
    return LaneFigure(rows=rows, kinds=names)


def cells_to_contrast(part: Part, metric: str) -> list[CellView]:
    """Lowest and highest prefetch with all else equal, or, where prefetch does not vary, best and worst.

    The pair is the one around the best cell, unless prefetch moves the makespan of another pool much more, in
    every block.
    """
    metric = known_metric(part.cells, metric)
    cells = ranked_cells(with_metric(part.cells, metric), metric)
    if len(cells) < 2:
        return cells
    pairs = [pair for cell in cells if (pair := _prefetch_pair(cell, cells))]
    if not pairs:
        return [cells[0], cells[-1]]
    best, telling = pairs[0], max(pairs, key=_spread)
    return list(telling if _spread(telling) > max(TELLING, TELLING * _spread(best)) else best)


def _prefetch_pair(cell: CellView, cells: Sequence[CellView]) -> tuple[CellView, CellView] | None:
    rest = {k: v for k, v in cell.settings.items() if k != labels.PREFETCH}
    same = [c for c in cells if {k: v for k, v in c.settings.items() if k != labels.PREFETCH} == rest]
    depth = sorted(same, key=lambda c: c.setup.fleet[0].prefetch or float("inf"))
    return (depth[0], depth[-1]) if len(depth) > 1 else None


def _spread(pair: tuple[CellView, CellView]) -> float:
    """How many times longer one of the two takes in every block; 1 where not always the same one is ahead."""
    a, b = ({r.block: r.metrics["makespan"] for r in c.results if "makespan" in r.metrics} for c in pair)
    ratios = [a[block] / b[block] for block in a.keys() & b.keys() if a[block] > 0 and b[block] > 0]
    return max(min(ratios), 1 / max(ratios), 1.0) if ratios else 1.0


def _calls(cell: CellView) -> tuple[str, ...]:
    """A name for each entry of the cell's workload: the task, with what tells it from the others."""
    calls = cell.setup.workload
    twice = {c.task for c in calls if sum(c.task == other.task for other in calls) > 1}

    def name(call: Any) -> str:
        words = [*map(str, call.args), *(f"{k}={v}" for k, v in call.kwargs.items())]
        return f"{call.task}({', '.join(words)})" if call.task in twice and words else str(call.task)

    return tuple(name(call) for call in calls)


def _kinds(
    trials: Sequence[tuple[CellView, "pd.DataFrame"]],
) -> tuple[tuple[str, ...], dict[str, int]]:
    """Names of all kinds of task from short to long by their median service, and the place of each."""
    times: dict[str, list[float]] = {}
    for cell, tasks in trials:
        names = _calls(cell)
        service = (tasks["ended"] - tasks["last_started"]).groupby(tasks["task"]).median()
        for index, seconds in service.items():
            if np.isfinite(seconds):  # a kind of which no task ended has NaN
                times.setdefault(names[int(str(index))], []).append(float(seconds))
    all_names = dict.fromkeys(name for cell, _ in trials for name in _calls(cell))
    ordered = sorted(all_names, key=lambda name: float(np.nanmean(times.get(name, [0.0]))))
    return tuple(ordered), {name: i for i, name in enumerate(ordered)}


def panel(
    tasks: "pd.DataFrame",
    *,
    title: str,
    circumstance: str,
    trial: str,
    groups: Sequence[Workers],
    kinds: Sequence[int],
) -> LanePanel:
    """One trial's lanes from its tasks (as ``events.tasks`` returns them).

    ``groups`` holds the group of each node, ``kinds`` for each entry of the workload which kind of task
    it is.
    """
    widths = [group.concurrency for group in groups]
    slot = events.lanes(tasks, widths).to_numpy()
    ran = slot >= 0
    slot, node = slot[ran], tasks["node"].to_numpy()[ran]
    end = tasks["ended"].to_numpy(dtype=float)[ran]
    start, state = tasks["last_started"].to_numpy(dtype=float)[ran], tasks["state"].to_numpy()[ran]
    makespan = float(np.nanmax(np.concatenate([start, end])))
    end = np.where(np.isnan(end), makespan, end)
    place, nodes, slots = _places(slot, node, widths)
    shown = np.isin(slot, list(place))
    rows = np.array([place[s] for s in slot[shown].tolist()], dtype=float)
    kind = np.asarray(kinds)[tasks["task"].to_numpy()[ran][shown]]
    start, end, bad = start[shown], end[shown], ~np.isin(state[shown], events.COMPLETED)
    crowded = len(rows) > MOST_TASKS_A_LANE * len(place)
    bars = _spans(rows, kind, start, end, makespan) if crowded else _tasks(rows, kind, start, end)
    return LanePanel(
        title=title,
        circumstance=circumstance,
        trial=trial,
        nodes=nodes,
        names=tuple(_name(number, groups) for number, _, _ in nodes),
        slots=slots,
        bars=bars,
        broken=tuple(zip(rows[bad].tolist(), end[bad].tolist(), strict=True)),
        makespan=makespan,
        span=makespan / SPANS if crowded else None,
    )


def _name(number: int, groups: Sequence[Workers]) -> str:
    """What a node is called: by its group where that has a name."""
    own = groups[number].name if number < len(groups) else ""
    same = [n for n, group in enumerate(groups) if group.name == own]
    return f"node {number}" if not own else own if len(same) == 1 else f"{own} {same.index(number) + 1}"


def _places(
    slot: "NDArray[Any]", node: "NDArray[Any]", widths: Sequence[int]
) -> tuple[dict[int, int], tuple[tuple[int, int, int], ...], int]:
    """Slot → row for the lanes shown; (node, first row, rows) of each node, also an idle one; all slots."""
    each = max(1, MOST_LANES // max(1, len(widths)))
    place: dict[int, int] = {}
    nodes = []
    base = slots = row = 0
    for number in sorted({*range(len(widths)), *node.tolist()}):
        own = slot[node == number]
        least = widths[number] if number < len(widths) else 0
        width = max(least, int(own.max()) - base + 1 if own.size else 0)
        picked = np.unique(np.linspace(0, width - 1, min(each, width)).round().astype(int))
        if own.size:  # lanes are numbered without the nodes that ran nothing
            place |= {base + int(lane): row + k for k, lane in enumerate(picked)}
            base += width
        nodes.append((int(number), row, len(picked)))
        row += len(picked)
        slots += width
    return place, tuple(nodes), slots


def _tasks(
    rows: "NDArray[Any]", kinds: "NDArray[Any]", start: "NDArray[Any]", end: "NDArray[Any]"
) -> tuple[Bars, ...]:
    out = []
    for kind in np.unique(kinds):
        m = kinds == kind
        full = np.ones(int(m.sum()))
        out.append(
            Bars(
                kind=int(kind),
                lane=rows[m],
                start=start[m],
                width=(end - start)[m],
                height=full,
                foot=full * 0,
            )
        )
    return tuple(out)


def _spans(
    rows: "NDArray[Any]",
    kinds: "NDArray[Any]",
    start: "NDArray[Any]",
    end: "NDArray[Any]",
    makespan: float,
) -> tuple[Bars, ...]:
    """Busy share of each lane and span, stacked by kind."""
    edges = np.linspace(0.0, makespan, SPANS + 1)
    lanes = int(rows.max()) + 1
    foot = np.zeros((lanes, SPANS))
    out = []
    for kind in np.unique(kinds):
        busy = np.zeros((lanes, SPANS))
        for row in range(lanes):
            m = (kinds == kind) & (rows == row)
            busy[row] = _overlap(start[m], end[m], edges)
        share = busy / (edges[1] - edges[0])
        lane, span = np.nonzero(share > 0.005)
        out.append(
            Bars(
                kind=int(kind),
                lane=lane.astype(float),
                start=edges[span],
                width=np.full(len(span), edges[1] - edges[0]),
                height=share[lane, span],
                foot=foot[lane, span],
            )
        )
        foot = foot + share
    return tuple(out)


def _overlap(start: "NDArray[Any]", end: "NDArray[Any]", edges: "NDArray[Any]") -> "NDArray[np.float64]":
    """Seconds of the intervals inside each span (edges ascending)."""

    def before(t: "NDArray[Any]") -> "NDArray[np.float64]":
        """Σ over intervals of the time before each edge, given their starts or ends."""
        ordered = np.sort(t)
        total = np.concatenate([[0.0], np.cumsum(ordered)])
        n = np.searchsorted(ordered, edges)
        return np.asarray(n * edges - total[n], dtype=np.float64)

    return np.diff(before(start) - before(end))
