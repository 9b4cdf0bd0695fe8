"""How cells did in each phase of a chained load, as plain data for tables and a picture."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench import measured
from bench.measured import Estimate
from bench.report import labels, tables
from bench.report.figures import Mark
from bench.report.resources import cells_to_show
from bench.report.view import CellView, Part, ScenarioView


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A table of text: ``corner`` stands above the names of the rows; an empty entry was not measured."""

    title: str
    corner: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    best: frozenset[str] = frozenset()
    """Names of rows that are the best, or perhaps as good."""
    across: str = "phase"
    """What the columns are."""

    def turned(self) -> "Grid":
        """Rows as columns, for where there are many columns; which rows are best is lost."""
        return Grid(
            title=self.title,
            corner=self.across,
            columns=tuple(name for name, _ in self.rows),
            rows=tuple((name, tuple(row[i] for _, row in self.rows)) for i, name in enumerate(self.columns)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseLine:
    """One cell: its estimate in each phase of the panel, None where there is none."""

    label: str
    pool: str | None
    values: tuple[Mark | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PhasePanel:
    title: str
    phases: tuple[str, ...]
    lines: tuple[PhaseLine, ...]
    left_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseFigure:
    metric: str
    panels: tuple[PhasePanel, ...]


def names(cells: Sequence[CellView]) -> tuple[str, ...]:
    """The phases of these cells in their order."""
    return tuple(dict.fromkeys(phase.name for cell in cells for phase in cell.summary.phases))


def metric_by_phase(view: ScenarioView) -> str:
    """The scenario's metric where every phase has it, else the slowest responses that all can tell: a phase
    has no makespan, and may have too few tasks for a high percentile.
    """
    have = [set(phase.metrics) for cell in view.cells for phase in cell.summary.phases]
    wanted = (view.scenario.metric, *(f"{p}(response)" for p in ("p95", "p90", "p50", "mean")), "throughput")
    everywhere = set.intersection(*have) if have else set()
    return next((metric for metric in wanted if metric in everywhere), "throughput")


def main_metrics(cells: Sequence[CellView]) -> tuple[str, ...]:
    """What is said of each phase: throughput, the usual task and the slow ones, what failed."""
    have = {m for cell in cells for phase in cell.summary.phases for m in phase.metrics}
    duration = "roundtrip" if "mean(roundtrip)" in have else "response"
    wanted = ("throughput", *(f"{p}({duration})" for p in ("p50", "p95", "p99")), "failed", "lost")
    return tuple(m for m in wanted if m in have and (m != "lost" or _any(cells, m)))


def _any(cells: Sequence[CellView], metric: str) -> bool:
    return any(
        phase.metrics[metric].point > 0
        for cell in cells
        for phase in cell.summary.phases
        if metric in phase.metrics
    )


def _estimates(cell: CellView, metric: str) -> dict[str, Estimate]:
    return {p.name: p.metrics[metric] for p in cell.summary.phases if metric in p.metrics}


def compact(part: Part, metric: str) -> Grid | None:
    """Cells × phases for one metric; None where no cell has phases."""
    cells = [cell for cell in part.cells if cell.summary.phases]
    if not cells:
        return None
    columns = names(cells)
    rows = []
    for cell in cells:
        found = _estimates(cell, metric)
        rows.append((cell.label, tuple(_text(metric, found.get(name)) for name in columns)))
    title = f"{labels.metric_text(metric)} by phase"
    best = frozenset(cell.label for cell in cells if cell.id in part.level)
    return Grid(title=title, corner=part.title or "settings", columns=columns, rows=tuple(rows), best=best)


def of_cell(part: Part, cell: CellView) -> Grid:
    """Phases × main metrics of one cell."""
    metrics = main_metrics([cell])
    rows = tuple(
        (phase.name, tuple(_text(m, phase.metrics.get(m)) for m in metrics)) for phase in cell.summary.phases
    )
    heads = tuple(map(tables.heading, metrics))
    return Grid(title=tables.cell_name(part, cell), corner="phase", columns=heads, rows=rows)


def _text(metric: str, estimate: Estimate | None) -> str:
    if estimate is None:
        return ""
    if metric in measured.COUNTS and not estimate.point:
        return "0"
    return str(tables.number(metric, estimate))


def phase_figure(view: ScenarioView) -> PhaseFigure:
    """The scenario's metric by phase, of the cells that the pictures over time show, too."""
    metric = metric_by_phase(view)
    panels = []
    for part in view.parts:
        having = [cell for cell in part.cells if cell.summary.phases]
        cells = [cell for cell in cells_to_show(part, view.scenario.metric) if cell.summary.phases]
        phases = names(cells)
        if len(phases) < 2:
            continue
        lines = []
        for cell in cells:
            found = _estimates(cell, metric)
            trials = [{p["name"]: p["metrics"].get(metric) for p in r.phases} for r in cell.results if r.ok]
            lines.append(
                PhaseLine(
                    label=cell.label,
                    pool=cell.pool,
                    values=tuple(
                        _mark(found.get(name), [t.get(name) for t in trials], level=cell.id in part.level)
                        for name in phases
                    ),
                )
            )
        left_out = len(having) - len(lines)
        panels.append(PhasePanel(title=part.title, phases=phases, lines=tuple(lines), left_out=left_out))
    return PhaseFigure(metric=metric, panels=tuple(panels))


def _mark(estimate: Estimate | None, trials: Sequence[float | None], *, level: bool) -> Mark | None:
    if estimate is None:
        return None
    return Mark(
        point=estimate.point,
        lower=estimate.lower,
        upper=estimate.upper,
        trials=tuple(t for t in trials if t is not None),
        level=level,
    )
