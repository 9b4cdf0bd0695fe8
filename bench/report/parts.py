"""Tables of the parts of canvases and of the attempts of tasks that were retried."""

from bench import measured, units
from bench.report import tables
from bench.report.phases import Grid
from bench.report.view import CellView, Part, ScenarioView

_SPANS = ("p50(wait)", "p95(wait)", "mean(wait)", "p50(service)", "p95(service)", "mean(service)")
OF_PARTS = (*_SPANS, "failed", "retried", "duplicated")
OF_ATTEMPTS = ("started", "succeeded", "retried", "failed", "p50(service)", "mean(service)")


def grids(view: ScenarioView) -> list[Grid]:
    """For each cell that has some: its parts, then its attempts."""
    return [grid for part in view.parts for cell in part.cells for grid in of_cell(part, cell)]


def of_cell(part: Part, cell: CellView) -> list[Grid]:
    """The tables of one cell."""
    name = tables.cell_name(part, cell)
    wanted = (
        (f"{name}: each part", "part", cell.summary.parts, OF_PARTS),
        (f"{name}: each attempt", "attempt", cell.summary.attempts, OF_ATTEMPTS),
    )
    return [_grid(title, corner, rows, metrics) for title, corner, rows, metrics in wanted if rows]


def _grid(title: str, corner: str, rows: tuple[measured.PhaseSummary, ...], metrics: tuple[str, ...]) -> Grid:
    """Means where some row had too few for a median, and counts of what went wrong only where it did."""
    told = {m: sum(_tells(m, row) for row in rows) for m in metrics}
    most = {m: max(told[m], told.get(m.replace("p50", "mean"), 0)) for m in metrics}
    shown = [m for m in metrics if told[m] and (told[m] == most[m] or not m.startswith("p50"))]
    shown = [m for m in shown if not (m.startswith("mean(") and m.replace("mean", "p50") in shown)]
    return Grid(
        title=title,
        corner=corner,
        columns=tuple(map(tables.heading, shown)),
        across="",
        rows=tuple((row.name, tuple(_text(m, row) for m in shown)) for row in rows),
    )


def _tells(metric: str, row: measured.PhaseSummary) -> bool:
    found = row.metrics.get(metric)
    return found is not None and (found.point > 0 or metric not in measured.COUNTS)


def _text(metric: str, row: measured.PhaseSummary) -> str:
    found = row.metrics.get(metric)
    if found is None:
        return ""
    return str(tables.number(metric, found)) if metric.endswith(")") else units.format_count(found.point)
