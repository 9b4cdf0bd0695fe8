"""Every picture of a report with its title and a caption that says how to read it."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench import units
from bench.report import draw, draw_time, figures
from bench.report.lanes import LaneFigure, lane_figure
from bench.report.resources import ResourceFigure, resource_figure
from bench.report.view import ScenarioView

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bench import store


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """``name`` is the file's, without its ending; ``figure`` draws it (inside ``sheet.style()``)."""

    name: str
    title: str
    caption: str
    figure: Callable[[], "Figure"]


def slug(text: str) -> str:
    """The text as part of a file name or an id."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "x"


def charts(view: ScenarioView, run: "store.Run", prefix: str = "") -> Iterator[Chart]:
    """The pictures of a scenario for which there are data, the one that answers its question first."""
    if not any(cell.measured for cell in view.cells):
        return
    for metric in dict.fromkeys((view.scenario.metric, "throughput")):
        if any(metric in cell.summary.metrics for cell in view.cells):
            yield _metric(view, metric, prefix)
    latency = figures.percentile_figure(view)
    if any(value for panel in latency.panels for value in panel.values):
        yield Chart(
            name=f"{prefix}latency",
            title=f"{figures.figure_title(latency.duration)} time: the usual task and the slow ones",
            caption=_latency_caption(latency.duration),
            figure=lambda: draw.percentiles(latency),
        )
    waits = figures.wait_figure(view)
    if any(value for panel in waits.panels for value in panel.values):
        yield Chart(
            name=f"{prefix}waiting",
            title="Where the waiting happens",
            caption="A task's way, on average: published late, waiting in the broker, reserved by a worker"
            " but not yet started (hatched: what the prefetch multiplier moves), running.",
            figure=lambda: draw.waits(waits),
        )
    lanes = lane_figure(view, run)
    if lanes.rows:
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
    why = (
        "From start to end of a task. In a flood the rest of its latency is only its place in the backlog. "
        if duration == "service"
        else "From when a task should have been published to its end. "
    )
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
