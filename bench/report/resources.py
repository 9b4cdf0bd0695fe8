"""CPU and memory of the workers over time, as plain data."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench import measured
from bench.errors import UsageError
from bench.report.view import CellView, Part, ScenarioView

if TYPE_CHECKING:
    import pandas as pd

    from bench import store

FLEET = ("workers", "pool")
"""The process groups that are the workers: parents and pool children."""

MOST_LINES = 5
SMOOTH_S = 1.0
"""CPU is a difference of counters: shorter steps than this show the sampling, not the worker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One trial: cores used and bytes held by its workers, ``t`` seconds after the first task was due.

    Values reach a little beyond the load, from 0 to ``end``.
    """

    label: str
    pool: str | None
    trial: str
    end: float
    cpu_t: tuple[float, ...]
    cpu: tuple[float, ...]
    memory_t: tuple[float, ...]
    memory: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourcePanel:
    title: str
    lines: tuple[Line, ...]
    left_out: int
    """How many cells are not shown, to keep the lines apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceFigure:
    panels: tuple[ResourcePanel, ...]
    cores: float | None
    """How many cores there are to use."""


def resource_figure(view: ScenarioView, run: "store.Run") -> ResourceFigure:
    """For each circumstance the best cell of each pool, its median trial."""
    panels = []
    for part in view.parts:
        chosen = cells_to_show(part, view.scenario.metric)
        metric = known_metric(part.cells, view.scenario.metric)
        lines = [line for cell in chosen if (line := _line(run, cell, metric))]
        measured = sum(cell.measured for cell in part.cells)
        if lines:
            panels.append(ResourcePanel(title=part.title, lines=tuple(lines), left_out=measured - len(lines)))
    host = run.meta.get("host", {})
    return ResourceFigure(panels=tuple(panels), cores=host.get("quota_cores") or host.get("cores"))


def cells_to_show(part: Part, metric: str, most: int = MOST_LINES) -> list[CellView]:
    """All cells if they are few, else the best of each pool; in the order of the file."""
    metric = known_metric(part.cells, metric)
    cells = with_metric(part.cells, metric)
    if len(cells) <= most and len({c.pool for c in cells}) in (1, len(cells)):
        return cells
    ranked = ranked_cells(cells, metric)
    if len({c.pool for c in cells}) > 1:
        ranked = [next(c for c in ranked if c.pool == pool) for pool in dict.fromkeys(c.pool for c in ranked)]
    best = {c.id for c in ranked[:most]}
    return [c for c in cells if c.id in best]


def known_metric(cells: Sequence[CellView], metric: str) -> str:
    """The metric if any cell has it, else one near to it that all measured cells have: too few tasks for a
    high percentile are no reason to show nothing.
    """
    have = [set(cell.summary.metrics) for cell in cells if cell.measured]
    if any(metric in names for names in have):
        return metric
    of = metric.partition("(")[2] or "response)"
    nearest = (*(f"{p}({of}" for p in ("p95", "p90", "p50", "mean")), "throughput", "makespan")
    return next((other for other in nearest if have and all(other in names for names in have)), metric)


def with_metric(cells: Sequence[CellView], metric: str) -> list[CellView]:
    """The measured cells that can be compared by the metric."""
    return [c for c in cells if c.measured and metric in c.summary.metrics]


def ranked_cells(cells: list[CellView], metric: str) -> list[CellView]:
    """Best first, by the point estimate."""
    sign = -1.0 if metric in measured.HIGHER_IS_BETTER else 1.0
    return sorted(cells, key=lambda c: sign * c.summary.metrics[metric].point)


def typical_trial(cell: CellView, metric: str) -> measured.TrialResult | None:
    """The trial whose metric is the median of the cell (the lower one of two)."""
    ok = sorted(
        (r for r in cell.results if r.ok and metric in r.metrics), key=lambda r: (r.metrics[metric], r.block)
    )
    return ok[(len(ok) - 1) // 2] if ok else next((r for r in cell.results if r.ok), None)


def trials_of_one_block(cells: Sequence[CellView], metric: str) -> list[measured.TrialResult | None]:
    """A trial of each cell, all of the block in which they are nearest to their medians together.

    Trials of one block got the same tasks on the machine of the same minute: only they may be laid side by
    side. Each cell's own typical trial where no block has them all.
    """
    metric = known_metric(cells, metric)
    typical = [typical_trial(cell, metric) for cell in cells]
    usual = [t.metrics.get(metric, 0.0) if t else 0.0 for t in typical]
    runs = [{r.block: r for r in c.results if r.ok and r.metrics.get(metric, 0) > 0} for c in cells]
    common = set(runs[0]).intersection(*runs[1:]) if runs else set()
    if not common or min(usual) <= 0:
        return typical

    def away(block: int) -> float:
        return sum(
            abs(math.log(run[block].metrics[metric] / middle))
            for run, middle in zip(runs, usual, strict=True)
        )

    block = min(sorted(common), key=away)
    return [run[block] for run in runs]


def kept(read: Callable[[str], "pd.DataFrame"], trial: str) -> "pd.DataFrame | None":
    """A trial's events or samples; None where the folder was removed and only the numbers were kept."""
    try:
        frame = read(trial)
    except UsageError:
        return None
    return None if frame.empty else frame


def _line(run: "store.Run", cell: CellView, metric: str) -> Line | None:
    trial = typical_trial(cell, metric)
    if trial is None:
        return None
    samples, events = kept(run.samples, trial.trial), kept(run.events, trial.trial)
    if samples is None or events is None:
        return None
    origin = int(events["t_ns"][events["kind"] == 1].min())
    end = (int(events["t_ns"].max()) - origin) / 1e9
    fleet = samples[samples["group"].isin(FLEET)]
    cpu = _rate(_total(fleet, "cpu", origin))
    inside = cpu[(cpu.index >= 0.0) & (cpu.index <= end)]
    cpu = inside if len(inside) > 1 else _between(cpu, 0.0, end)
    memory = _between(_total(fleet, "memory", origin), 0.0, end)
    if cpu.empty and memory.empty:
        return None
    return Line(
        label=cell.label,
        pool=cell.pool,
        trial=trial.trial,
        end=end,
        cpu_t=tuple(cpu.index),
        cpu=tuple(cpu),
        memory_t=tuple(memory.index),
        memory=tuple(memory),
    )


def _total(samples: "pd.DataFrame", column: str, origin_ns: int) -> "pd.Series[float]":
    """The sum over groups against seconds since ``origin_ns``; a group keeps its value between samples."""
    table = samples.pivot_table(index="t_ns", columns="group", values=column, aggfunc="last").ffill()
    table.index = (table.index - origin_ns) / 1e9
    return table.dropna().sum(axis=1)


def _rate(total: "pd.Series[float]") -> "pd.Series[float]":
    """The slope of a counter over windows of about ``SMOOTH_S``."""
    import pandas as pd

    if len(total) < 2:
        return total.iloc[:0]
    step = float(total.index[-1] - total.index[0]) / (len(total) - 1)
    window = min(SMOOTH_S, step * len(total) / 8)
    n = max(1, min(len(total) - 1, round(window / step))) if step > 0 else 1
    t, value = total.index.to_numpy(dtype=float), total.to_numpy(dtype=float)
    return pd.Series((value[n:] - value[:-n]) / (t[n:] - t[:-n]), index=(t[n:] + t[:-n]) / 2)


def _between(series: "pd.Series[float]", start: float, end: float) -> "pd.Series[float]":
    """The part between two times and one value on each side of it (memory is not read while tasks run)."""
    times = series.index.to_numpy(dtype=float)
    first, last = times.searchsorted(start, "right") - 1, times.searchsorted(end, "left") + 1
    return series.iloc[max(0, int(first)) : int(last)]
