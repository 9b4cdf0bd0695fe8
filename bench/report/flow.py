"""How tasks came and went over time, as plain data: rates of arrivals and completions, and the backlog."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bench import events
from bench.events import COMPLETED
from bench.report.resources import cells_to_show, kept, trials_of_one_block
from bench.report.view import CellView, ScenarioView

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from bench import store

BINS = 120
"""Spans of time over which tasks are counted, at most."""
TASKS_A_BIN = 8
"""Fewer tasks than this on average would make a rate of whole tasks look like noise."""
POINTS = 600
"""Moments at which the backlog is counted."""
_ROUNDING_S = 1e-6
UNTOLD = ("flood", "closed", "saturate")
"""Shapes of which this says nothing: all at once, as many as clients, or many loads one after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowLine:
    """One trial: completions a second at ``t`` (middles of spans, s), tasks due and not ended at
    ``backlog_t``.
    """

    label: str
    pool: str | None
    trial: str
    t: tuple[float, ...]
    completed: tuple[float, ...]
    backlog_t: tuple[float, ...]
    backlog: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowPanel:
    """One circumstance. ``due``: arrivals a second at ``t``, the same for all lines; ``phases``: names and
    the times (s) at which they begin.
    """

    title: str
    t: tuple[float, ...]
    due: tuple[float, ...]
    end: float
    lines: tuple[FlowLine, ...]
    phases: tuple[tuple[float, str], ...]
    left_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowFigure:
    panels: tuple[FlowPanel, ...]


def flow_figure(view: ScenarioView, run: "store.Run") -> FlowFigure:
    """For each circumstance with a load over time the best cells, by trials of one block."""
    panels = []
    for part in view.parts:
        if any(cell.setup.load.shape in UNTOLD for cell in part.cells):
            continue
        cells = cells_to_show(part, view.scenario.metric)
        found = []
        for cell, trial in zip(cells, trials_of_one_block(cells, view.scenario.metric), strict=True):
            log = kept(run.events, trial.trial) if trial else None
            if trial is not None and log is not None:
                found.append((cell, trial.trial, events.tasks(log, cell.setup.workload)))
        if found:
            left_out = sum(cell.measured for cell in part.cells) - len(found)
            panels.append(_panel(part.title, found, left_out))
    return FlowFigure(panels=tuple(panels))


def _panel(title: str, found: Sequence[tuple[CellView, str, "pd.DataFrame"]], left_out: int) -> FlowPanel:
    due = np.sort(found[0][2]["intended"].to_numpy())
    ends = [np.nanmax(np.append(tasks["ended"].to_numpy(), tasks["intended"].max())) for _, _, tasks in found]
    end = max(float(max(ends)), found[0][0].setup.load.length, 1e-3)
    edges = _edges(end, due.size)
    middles = tuple((edges[1:] + edges[:-1]) / 2)
    lines = []
    for cell, trial, tasks in found:
        ended = np.sort(tasks["ended"].dropna().to_numpy())
        good = tasks["ended"].to_numpy()[np.isin(tasks["state"].to_numpy(), COMPLETED)]
        moments = np.linspace(0.0, end, POINTS)
        intended = np.sort(tasks["intended"].to_numpy())
        outstanding = np.searchsorted(intended, moments, "right") - np.searchsorted(ended, moments, "right")
        lines.append(
            FlowLine(
                label=cell.label,
                pool=cell.pool,
                trial=trial,
                t=middles,
                completed=_rate(good, edges),
                backlog_t=tuple(moments),
                backlog=tuple(outstanding.astype(float)),
            )
        )
    cell, first, _ = found[0]
    shown = next(result for result in cell.results if result.trial == first)
    phases = tuple((float(phase["start"]), str(phase["name"])) for phase in shown.phases)
    return FlowPanel(
        title=title,
        t=middles,
        due=_rate(due, edges),
        end=end,
        lines=tuple(lines),
        phases=phases,
        left_out=left_out,
    )


def _edges(end: float, tasks: int) -> "NDArray[np.float64]":
    """Round times, so that what begins at a round time begins at an edge."""
    least = end / max(4, min(BINS, tasks // TASKS_A_BIN))
    ten = 10.0 ** math.floor(math.log10(least))
    width = next(step * ten for step in (1, 2, 5, 10) if step * ten >= least * (1 - 1e-9))
    edges = np.arange(0.0, end, width)
    if end - edges[-1] < width / 2 and edges.size > 1:
        edges = edges[:-1]
    return np.append(edges, end)


def _rate(times: "NDArray[np.float64]", edges: "NDArray[np.float64]") -> tuple[float, ...]:
    """A time that is at an edge but for its rounding counts behind it."""
    return tuple(np.histogram(times + _ROUNDING_S, edges)[0] / np.diff(edges))
