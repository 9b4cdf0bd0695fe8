"""Every picture of a report with its title and a caption that says how to read it."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench import units
from bench.report import draw, draw_load, draw_time, figures, labels
from bench.report.drift import drift_figure
from bench.report.flow import FlowFigure, flow_figure
from bench.report.lanes import LaneFigure, lane_figure
from bench.report.phases import Grid, of_cell, phase_figure
from bench.report.resources import ResourceFigure, resource_figure
from bench.report.searches import search_figure, step_grids
from bench.report.view import ScenarioView

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bench import store


FEW_PHASES = 4
"""So many phases have room for their names in a picture over time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """``name`` is the file's, without its ending; ``figure`` draws it (inside ``sheet.style()``)."""

    name: str
    title: str
    caption: str
    figure: Callable[[], "Figure"]
    tables: tuple[Grid, ...] = ()
    """Folded away below the picture."""


def slug(text: str) -> str:
    """The text as part of a file name or an id."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "x"


def charts(view: ScenarioView, run: "store.Run", prefix: str = "") -> Iterator[Chart]:
    """The pictures of a scenario for which there are data, the one that answers its question first."""
    if not any(cell.measured for cell in view.cells):
        return
    looked_for = figures.searches(view)
    for metric in dict.fromkeys((view.scenario.metric, *(() if looked_for else ("throughput",)))):
        if any(metric in cell.summary.metrics for cell in view.cells):
            yield _metric(view, metric, prefix)
    if looked_for:
        yield from _searches(view, prefix)
    yield from _over_time(view, run, prefix)
    yield from _settings(view, prefix, " At the highest rate that was held." if looked_for else "")
    lanes = lane_figure(view, run)
    if lanes.rows and not looked_for:  # one search is a dozen loads: too much for one picture
        yield Chart(
            name=f"{prefix}lanes",
            title="Who ran what when",
            caption=_lanes_caption(lanes),
            figure=lambda: draw_time.lanes(lanes),
        )
    resources = resource_figure(view, run)
    if resources.panels:
        yield Chart(
            name=f"{prefix}resources",
            title="CPU and memory while the load ran",
            caption=_resources_caption(resources),
            figure=lambda: draw_time.resources(resources),
        )


def drift_chart(views: Sequence[ScenarioView]) -> Chart | None:
    """How the machine's speed moved over the run and how trials moved with it; None without spins."""
    data = drift_figure(views)
    if data is None:
        return None
    spins = "CPU time of a fixed piece of work before and after each trial, while the machine was idle"
    both = f"Above: {spins}; higher is slower. Below: each trial's {data.what} relative to its cell's mean."
    return Chart(
        name="host-speed",
        title="How steady the machine was",
        caption=both if data.told else f"{spins}; higher is slower.",
        figure=lambda: draw_load.drift(data),
    )


def _searches(view: ScenarioView, prefix: str) -> Iterator[Chart]:
    data = search_figure(view)
    if data.panels:
        more = f" ({units.plural(data.left_out, 'more cell')} in the table.)" if data.left_out else ""
        yield Chart(
            name=f"{prefix}search",
            title="How the highest rate was found",
            caption="Each dot is a step: tasks at one rate, and what became of the metric that the SLO limits"
            " (dashed line). A step below the limit can be missed, too: its backlog grew; one that is lost"
            " for certain is cut before it gets worse. Vertical line: the highest rate"
            f" held by majority; band: its 95 % interval.{more}",
            figure=lambda: draw_load.searches(data),
            tables=tuple(step_grids(view)),
        )


def _over_time(view: ScenarioView, run: "store.Run", prefix: str) -> Iterator[Chart]:
    """Phase by phase, and tasks over time."""
    by_phase = phase_figure(view)
    if by_phase.panels:
        yield Chart(
            name=f"{prefix}phases",
            title=f"{figures.figure_title(by_phase.metric)} by phase",
            caption="Tasks count in the phase in which they were due, whenever they ended. Mark: the mean of"
            " the trials; bar: its 95 % interval; small dots: the trials."
            + _instead(by_phase.metric, view.scenario.metric),
            figure=lambda: draw_load.phases(by_phase),
            tables=tuple(of_cell(p, cell) for p in view.parts for cell in p.cells if cell.summary.phases),
        )
    flow = flow_figure(view, run)
    if flow.panels:
        yield Chart(
            name=f"{prefix}flow",
            title="Tasks over time",
            caption=_flow_caption(flow),
            figure=lambda: draw_load.flow(flow),
        )


def _instead(shown: str, asked: str) -> str:
    """Why another metric than the scenario's is shown."""
    if shown == asked:
        return ""
    return f" Not every phase has a {labels.metric_text(asked)}: it may have too few tasks for it."


def _flow_caption(data: FlowFigure) -> str:
    left_out = max(p.left_out for p in data.panels)
    chosen = "The best cell of each pool" if left_out else "Each cell"
    names = list(dict.fromkeys(name for p in data.panels for _, name in p.phases))
    phases = " Dotted lines: where a phase begins." if names else ""
    if len(names) > FEW_PHASES:
        phases += f" Phases: {'; '.join(names)}."
    return (
        "Above: tasks due (grey) and completed a second. Below: the backlog, tasks due and not yet ended."
        f"{phases} {chosen}, by trials of one block."
    )


def _settings(view: ScenarioView, prefix: str, where: str) -> Iterator[Chart]:
    """Percentiles and the parts of the waiting; ``where`` they hold."""
    latency = figures.percentile_figure(view)
    if any(value for panel in latency.panels for value in panel.values):
        yield Chart(
            name=f"{prefix}latency",
            title=f"{labels.duration_title(latency.duration)}: the usual task and the slow ones",
            caption=_latency_caption(latency.duration) + where,
            figure=lambda: draw.percentiles(latency),
        )
    waits = figures.wait_figure(view)
    if any(value for panel in waits.panels for value in panel.values):
        yield Chart(
            name=f"{prefix}waiting",
            title="Where the waiting happens",
            caption="A task's way, on average: published late, waiting in the broker, reserved by a worker"
            " but not yet started (hatched: what the prefetch multiplier moves), running."
            + _canvas_way(waits)
            + where,
            figure=lambda: draw.waits(waits),
        )


def _canvas_way(waits: figures.WaitFigure) -> str:
    if not any("path" in way for panel in waits.panels for way in panel.values if way):
        return ""
    return " A canvas's: the longest service of each of its stages, and whatever it took beyond that."


def _metric(view: ScenarioView, metric: str, prefix: str) -> Chart:
    data = figures.metric_figure(view, metric)
    own = metric == view.scenario.metric and len(data.rows) > 1
    return Chart(
        name=f"{prefix}{slug(metric)}",
        title=figures.figure_title(metric),
        caption="Large dot: the mean of a cell's trials; bar: its 95 % interval; small dots: the trials."
        + (
            " Filled: the best of its panel, or one that may be as good (compared within blocks)."
            if own
            else ""
        ),
        figure=lambda: draw.metric(data, ranked=own),
    )


def _latency_caption(duration: str) -> str:
    why = {
        "service": "From start to end of a task. In a flood the rest of its latency is only its place in the"
        " backlog. ",
        "roundtrip": "From the call of a task until its caller has the result. ",
    }.get(duration, "From when a task should have been published to its end. ")
    return f"{why}From the median to the slowest task; a percentile is left out where tasks were too few."


def _lanes_caption(data: LaneFigure) -> str:
    panels = [p for row in data.rows for p in row]
    text = (
        "One lane is one slot (a place where a task can run), one bar one task; grey is an idle slot, the"
        " vertical line the end of the last task. Slots that idle before that line while others still have"
        " work in hand mean that tasks were reserved too early. All are trials of one block: the same tasks."
    )
    thinned = [p for p in panels if p.lanes < p.slots]
    if thinned:
        most = max(thinned, key=lambda p: p.slots)
        text += f" Of many slots only some are drawn, evenly picked (at most {most.lanes} of {most.slots})."
    if any(p.span is not None for p in panels):
        text += (
            " Where tasks are too short to be seen, a lane is cut into equal spans of time,"
            " and a bar is as high as the share of its span that the slot was busy."
        )
    return text


def _resources_caption(data: ResourceFigure) -> str:
    left_out = max(p.left_out for p in data.panels)
    chosen = (
        " The best cell of each pool is shown, its median trial."
        if left_out
        else " Each cell's median trial."
    )
    cells = f" ({units.plural(left_out, 'more cell')} in the table.)" if left_out else ""
    return (
        "All processes of the workers together. Memory is PSS: pages that forked children share count once."
        f"{chosen}{cells}"
    )
