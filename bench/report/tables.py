"""Rows for every table (terminal, page, Markdown, CSV): which metrics, in which words and intervals."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench import measured, units
from bench.measured import Estimate
from bench.report import figures, labels
from bench.report.view import CellView, Part, ScenarioView

NAMED = 3
"""More cells than this are described by what they share, if they share anything."""

_SPLIT = re.compile(r"([+-]?\d[\d.\s]*?)(\s?[^\d\s.].*|)")
"""A number with spaces between its thousands, and its unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """An estimate as text: ``247/s`` and ``240–254/s`` (empty with fewer than two trials)."""

    point: str
    interval: str

    def __str__(self) -> str:
        return f"{self.point} ({self.interval})" if self.interval else self.point


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """A cell: its words and one number (None: not measured) for each column."""

    cell: CellView
    numbers: tuple[Number | None, ...]
    level: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubtGroup:
    """The same kind of doubt in several cells: ``cases`` holds (cells in words, what was seen there)."""

    kind: str
    advice: str
    source: str
    """Why this is a reason for doubt, and from which limit on."""
    cases: tuple[tuple[str, str], ...]
    cells: int


def main_metrics(view: ScenarioView) -> tuple[str, ...]:
    """The scenario's own metric first, then those everyone asks for, as far as any cell has them."""
    duration = figures.duration_to_show(view)
    wanted = (
        view.scenario.metric,
        "throughput",
        *(("items", "p50(overhead)") if has_canvas(view.cells) else ()),
        "makespan",
        f"p95({duration})",
        "mean(prefetch_wait)",
        "memory",
        "cpu_per_task",
        "utilisation",
        f"p50({duration})",
        f"p99({duration})",
    )
    have = {m for cell in view.cells for m in cell.summary.metrics}
    if view.scenario.metric == "capacity":
        have -= {"throughput"}  # of a step that was held: the rate again
    bad = tuple(
        c
        for c in measured.COUNTS
        if any(c in s and s[c].point > 0 for s in (x.summary.metrics for x in view.cells))
    )
    return tuple(dict.fromkeys(m for m in (*wanted, *bad) if m in have))


def has_canvas(cells: Iterable[CellView]) -> bool:
    """Whether any of their workloads holds a canvas; without one, items are tasks."""
    return any(call.canvas for cell in cells for call in cell.setup.workload)


def metric_groups(part: Part) -> list[list[str]]:
    """Every metric that any of the cells has: the plain ones, then each duration's statistics."""
    have = {m for cell in part.cells for m in cell.summary.metrics}
    have -= set() if has_canvas(part.cells) else {"items"}
    groups = [list(measured.PLAIN_METRICS)]
    groups += [[f"{s}({d})" for s in measured.STATISTICS] for d in measured.DURATIONS]
    return [found for group in groups if (found := [m for m in group if m in have])]


def number(metric: str, estimate: Estimate) -> Number:
    """The estimate in human units, the unit written once in the interval where both ends share it."""
    if metric == "capacity" and estimate.point <= 0:
        return Number(point="none", interval="")
    point = units.format_metric(metric, estimate.point)
    if estimate.lower is None or estimate.upper is None:
        return Number(point=point, interval="")
    return Number(point=point, interval=interval(metric, estimate.lower, estimate.upper))


def interval(metric: str, lower: float, upper: float) -> str:
    """``240–254/s``; both units where they differ (``900 ms–1.2 s``)."""
    low, high = units.format_metric(metric, lower), units.format_metric(metric, upper)
    return f"{unit_once(low, high)}–{high}"


def unit_once(low: str, high: str) -> str:
    """``240`` of ``240/s`` where ``high`` has the same unit, else all of ``low``."""
    number, unit = _SPLIT.fullmatch(low), _SPLIT.fullmatch(high)
    same = number and unit and number[2].strip() == unit[2].strip()
    return number[1] if number and same else low


def rows(part: Part, metrics: Sequence[str]) -> list[TableRow]:
    """The cells of one circumstance; those of a pool stand together, as in the pictures."""
    out = []
    pools = list(dict.fromkeys(cell.pool for cell in part.cells))
    for cell in sorted(part.cells, key=lambda cell: pools.index(cell.pool)):
        have = cell.summary.metrics
        numbers = tuple(number(m, have[m]) if m in have else None for m in metrics)
        out.append(TableRow(cell=cell, numbers=numbers, level=cell.id in part.level))
    return out


def heading(metric: str) -> str:
    """A column's head."""
    return labels.metric_text(metric)


def cell_name(part: Part, cell: CellView) -> str:
    """A cell in full: ``cpu: prefork · prefetch 4``."""
    return f"{part.title}: {cell.label}" if part.title else cell.label


def doubt_groups(view: ScenarioView) -> list[DoubtGroup]:
    """Doubts of the same kind together, and within them cells of which the same was seen; gravest first."""
    seen: dict[str, dict[str, list[str]]] = {}
    rules: dict[str, measured.Doubt] = {}
    everywhere = {cell_name(part, cell): cell for part in view.parts for cell in part.cells}
    for name, cell in everywhere.items():
        for doubt in cell.summary.doubts:
            seen.setdefault(doubt.kind, {}).setdefault(doubt.text, []).append(name)
            rules.setdefault(doubt.kind, doubt)
    return [
        DoubtGroup(
            kind=kind,
            advice=rules[kind].advice,
            source=rules[kind].source,
            cases=tuple((_cells_text(names, everywhere), text) for text, names in cases.items()),
            cells=sum(len(names) for names in cases.values()),
        )
        for kind, cases in seen.items()
    ]


def _cells_text(names: Sequence[str], everywhere: Mapping[str, CellView]) -> str:
    """The names, or what the cells share: ``all 20 cells``, ``all 8 cells with gevent or eventlet``."""
    if len(names) == len(everywhere) > 1:
        return f"all {len(names)} cells"
    if len(names) > NAMED:
        chosen = [everywhere[name].settings for name in names]
        for axis in dict.fromkeys(a for settings in chosen for a in settings):
            values = list(dict.fromkeys(settings.get(axis) for settings in chosen))
            alike = sum(cell.settings.get(axis) in values for cell in everywhere.values())
            if len(values) <= 2 and alike == len(names):
                words = [labels.settings_text({axis: v}) for v in values if v is not None]
                return f"all {len(names)} cells with {' or '.join(words)}"
    return "; ".join(names)


def cells_csv(views: Iterable[ScenarioView]) -> str:
    """One line for each cell and metric, SI units, with its interval."""
    listed = list(views)
    axes = _axes(listed)
    lines: list[list[object]] = [
        ["scenario", "cell", *axes, "trials", "failed_trials", "metric", "point", "lower", "upper", "n"]
    ]
    for view in listed:
        for cell in view.cells:
            s = cell.summary
            head = [s.scenario, s.cell, *(cell.settings.get(a, "") for a in axes), s.trials, s.failed_trials]
            for metric, e in s.metrics.items():
                lines.append([*head, metric, repr(e.point), _si(e.lower), _si(e.upper), e.n])
            if not s.metrics:
                lines.append([*head, "", "", "", "", ""])
    return _csv(lines)


def trials_csv(views: Iterable[ScenarioView]) -> str:
    """One line for each trial, a column for each metric, SI units."""
    listed = list(views)
    axes = _axes(listed)
    results = sorted((r for view in listed for r in view.results), key=lambda r: r.position)
    metrics = [m for m in measured.METRICS if any(m in r.metrics for r in results)]
    lines: list[list[object]] = [
        ["trial", "scenario", "cell", *axes, "block", "position", "started_at", "outcome", "reason", *metrics]
    ]
    for r in results:
        lines.append(
            [
                r.trial,
                r.scenario,
                r.cell,
                *(r.settings.get(a, "") for a in axes),
                r.block,
                r.position,
                r.started_at,
                r.outcome,
                r.reason,
                *(_si(r.metrics.get(m)) for m in metrics),
            ]
        )
    return _csv(lines)


def phases_csv(views: Iterable[ScenarioView], what: str = "phase") -> str:
    """One line for each cell, phase (part, attempt) and metric, SI units; empty where no cell has any."""
    listed = list(views)
    axes = _axes(listed)
    lines: list[list[object]] = []
    for s in (cell.summary for view in listed for cell in view.cells):
        head = [s.scenario, s.cell, *(s.settings.get(a, "") for a in axes)]
        for phase in {"phase": s.phases, "part": s.parts, "attempt": s.attempts}[what]:
            for metric, e in phase.metrics.items():
                lines.append([*head, phase.name, metric, repr(e.point), _si(e.lower), _si(e.upper), e.n])
    names = ["scenario", "cell", *axes, what, "metric", "point", "lower", "upper", "n"]
    return _csv([names, *lines]) if lines else ""


def steps_csv(views: Iterable[ScenarioView]) -> str:
    """One line for each step of each search, SI units; empty where nothing was searched."""
    listed = list(views)
    axes = _axes(listed)
    lines: list[list[object]] = []
    for r in sorted((r for view in listed for r in view.results if r.search), key=lambda r: r.position):
        head = [r.trial, r.scenario, r.cell, *(r.settings.get(a, "") for a in axes), r.block]
        for i, step in enumerate(r.search["steps"], start=1):
            numbers = [_si(step[name]) for name in ("rate", "seconds", "value", "slope")]
            lines.append([*head, i, *numbers, step["tasks"], "yes" if step["held"] else "no", step["why"]])
    names = ["step", "rate", "seconds", "value", "slope", "tasks", "held", "why"]
    return _csv([["trial", "scenario", "cell", *axes, "block", *names], *lines]) if lines else ""


def _axes(views: Sequence[ScenarioView]) -> list[str]:
    return list(dict.fromkeys(a for view in views for cell in view.cells for a in cell.settings))


def _si(value: float | None) -> str:
    return "" if value is None else repr(float(value))


def _csv(lines: Sequence[Sequence[object]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(lines)
    return out.getvalue()
