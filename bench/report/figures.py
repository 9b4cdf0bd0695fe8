"""What the pictures of settings show, as plain data: the metric, latency percentiles, where the waiting is.

Each figure has one row for every choice (a cell without its circumstance, such as ``prefork, prefetch 4``)
and one panel for every circumstance (such as the workload), so that all panels share their rows. Drawing is
elsewhere (``draw``); tests look at these objects.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from bench import measured
from bench.report import labels
from bench.report.view import CellView, ScenarioView

T = TypeVar("T")

WAIT_PARTS = ("lateness", "broker_wait", "prefetch_wait", "service")
"""A task's way in order: late publishing, in the broker, reserved by a worker, running. Sum = response."""
CANVAS_PARTS = ("overhead", "path")
"""The same of a canvas, whose parts wait and run side by side: its overhead, then the longest service of each
stage. Sum = response.
"""

PERCENTILES = ("p50", "p90", "p95", "p99", "p999", "max")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One choice of settings: its words and whose colour it wears."""

    key: str
    label: str
    pool: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One cell's estimate in SI units with its 95 % interval (None: fewer than two trials) and its trials."""

    point: float
    lower: float | None
    upper: float | None
    trials: tuple[float, ...]
    level: bool
    """The best of its panel, or perhaps as good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel(Generic[T]):
    """One circumstance: a value for each row, or None with a note that says why (``2 of 2 failed``)."""

    title: str
    values: tuple[T | None, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricFigure:
    """One metric for every cell, trials as dots."""

    metric: str
    rows: tuple[Row, ...]
    panels: tuple[Panel[Mark], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PercentileFigure:
    """Percentiles (s) of one duration: each value maps ``p50`` … ``max`` to seconds, as far as there are."""

    duration: str
    rows: tuple[Row, ...]
    panels: tuple[Panel[dict[str, float]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitFigure:
    """Mean seconds of each part of a task's way, ``WAIT_PARTS`` or ``CANVAS_PARTS``, in their order."""

    rows: tuple[Row, ...]
    panels: tuple[Panel[dict[str, float]], ...]


def metric_figure(view: ScenarioView, metric: str | None = None) -> MetricFigure:
    """``metric`` (default: the scenario's own) of every cell."""
    name = metric or view.scenario.metric

    def mark(cell: CellView, level: frozenset[str]) -> Mark | None:
        estimate = cell.summary.metrics.get(name)
        if estimate is None:
            return None
        trials = tuple(r.metrics[name] for r in cell.results if r.ok and name in r.metrics)
        return Mark(
            point=estimate.point,
            lower=estimate.lower,
            upper=estimate.upper,
            trials=trials,
            level=cell.id in level,
        )

    rows = _rows(view)
    panels = []
    for part in view.parts:
        by_row = {c.choice_key: mark(c, part.level) for c in part.cells}
        panels.append(_panel(part.title, rows, by_row, part.cells))
    return MetricFigure(metric=name, rows=rows, panels=tuple(panels))


def duration_to_show(view: ScenarioView) -> str:
    """``response``; ``service`` where a flood makes latency only a task's place in the backlog;
    ``roundtrip`` where clients wait for results.
    """
    shapes = {cell.setup.load.shape for cell in view.scenario.cells}
    if "flood" in shapes:
        return "service"
    return "roundtrip" if shapes == {"closed"} else "response"


def searches(view: ScenarioView) -> bool:
    """Whether the scenario looks for the highest rate."""
    return any(cell.setup.load.shape == "saturate" for cell in view.scenario.cells)


def percentile_figure(view: ScenarioView, duration: str | None = None) -> PercentileFigure:
    """Median to slowest task of every cell; a percentile that had too few tasks is not there."""
    name = duration or duration_to_show(view)

    def percentiles(cell: CellView) -> dict[str, float] | None:
        return _points(cell, {p: f"{p}({name})" for p in PERCENTILES})

    rows = _rows(view)
    panels = tuple(
        _panel(part.title, rows, {c.choice_key: percentiles(c) for c in part.cells}, part.cells)
        for part in view.parts
    )
    return PercentileFigure(duration=name, rows=rows, panels=panels)


def wait_figure(view: ScenarioView) -> WaitFigure:
    """Where a task's time goes on average, from when it should have been published to its end."""

    def parts_of(cell: CellView) -> dict[str, float] | None:
        canvases = [bool(call.canvas) for call in cell.setup.workload]
        if not any(canvases):
            return _points(cell, {part: f"mean({part})" for part in WAIT_PARTS})
        means = _points(cell, {name: f"mean({name})" for name in ("response", "overhead")}) or {}
        if not all(canvases) or len(means) < 2:  # nothing adds up over canvases and plain tasks together
            return None
        return {"overhead": means["overhead"], "path": means["response"] - means["overhead"]}

    rows = _rows(view)
    panels = tuple(
        _panel(part.title, rows, {c.choice_key: parts_of(c) for c in part.cells}, part.cells)
        for part in view.parts
    )
    return WaitFigure(rows=rows, panels=panels)


def _points(cell: CellView, names: dict[str, str]) -> dict[str, float] | None:
    metrics = cell.summary.metrics
    return {key: metrics[name].point for key, name in names.items() if name in metrics} or None


def _rows(view: ScenarioView) -> tuple[Row, ...]:
    """Every choice once; those of a pool stand together, pools in the order of the file."""
    rows: dict[str, Row] = {}
    for cell in view.cells:
        rows.setdefault(cell.choice_key, Row(key=cell.choice_key, label=cell.label, pool=cell.pool))
    pools = list(dict.fromkeys(row.pool for row in rows.values()))
    return tuple(sorted(rows.values(), key=lambda row: pools.index(row.pool)))


def _panel(
    title: str, rows: Sequence[Row], by_row: dict[str, T | None], cells: Iterable[CellView]
) -> Panel[T]:
    by_key = {cell.choice_key: cell for cell in cells}
    notes = []
    for row in rows:
        cell = by_key.get(row.key)
        missing = by_row.get(row.key) is None
        notes.append("not asked" if cell is None else cell.trouble if missing or cell.failed else "")
    return Panel(title=title, values=tuple(by_row.get(row.key) for row in rows), notes=tuple(notes))


def is_better(metric: str) -> str:
    """``more is better`` or ``less is better``, for an axis."""
    return "more is better" if metric in measured.HIGHER_IS_BETTER else "less is better"


def figure_title(metric: str) -> str:
    """``Throughput``, ``P95 response``."""
    text = labels.metric_text(metric)
    return text[0].upper() + text[1:]
