"""A run on the terminal and as JSON: ``celery-bench show`` and ``celery-bench list``."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import reduce
from typing import Any

from rich import box
from rich.console import Console, Group
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bench import doubts, expect, measured, model, store, units
from bench.errors import BenchError
from bench.report import answer, beliefs, conditions, parts, phases, searches, tables
from bench.report.drift import drift_figure
from bench.report.view import GateView, Part, ScenarioView, collect

MOST_CASES = 3
"""How many cells are named under a gate before the rest is counted."""
UNLIMITED_WIDTH = 10_000


def as_json(run: store.Run) -> dict[str, Any]:
    """Every cell and every metric, SI units, as ``celery-bench show --json`` writes it; no NaN."""
    trials: dict[tuple[str, str], list[measured.TrialResult]] = {}
    results = run.results()
    for result in results:
        trials.setdefault((result.scenario, result.cell), []).append(result)
    stated = (expect.belief(scenario, results) for scenario in run.scenarios)
    return {
        "format": model.FORMAT,
        "run": run.name,
        "cells": [_cell_json(s, trials.get((s.scenario, s.cell), [])) for s in doubts.summarise_run(run)],
        "beliefs": [beliefs.as_json(belief) for belief in stated if belief],
    }


def _cell_json(summary: measured.CellSummary, trials: Sequence[measured.TrialResult]) -> dict[str, Any]:
    return {
        "scenario": summary.scenario,
        "settings": dict(summary.settings),
        "trials": summary.trials,
        "failed_trials": summary.failed_trials,
        "metrics": _numbers(summary.metrics),
        "phases": [{"name": phase.name, "metrics": _numbers(phase.metrics)} for phase in summary.phases],
        "parts": [{"name": part.name, "metrics": _numbers(part.metrics)} for part in summary.parts],
        "attempts": [{"name": tried.name, "metrics": _numbers(tried.metrics)} for tried in summary.attempts],
        "searches": [searches.as_json(trial) for trial in trials if trial.ok and trial.search],
        "host": [{"trial": trial.trial, **trial.host} for trial in trials if trial.host],
        "doubts": [asdict(doubt) for doubt in summary.doubts],
    }


def _numbers(metrics: Mapping[str, measured.Estimate]) -> dict[str, dict[str, float | None]]:
    return {
        name: {"point": e.point, "lower": _finite(e.lower), "upper": _finite(e.upper)}
        | ({"adjusted": True} if e.adjusted else {})
        for name, e in metrics.items()
        if math.isfinite(e.point)
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def render(run: store.Run, console: Console, *, every: bool = False) -> None:
    """The numbers of every cell, the answer, the doubts; ``every``: all metrics, not only the main ones."""
    views = collect(run)
    console.print(Text.assemble((run.name, "bold"), "  ", (conditions.subtitle(run, views), "dim")))
    for view in views:
        console.print()
        _render_scenario(view, run, console, every=every)
    drift = drift_figure(views) if every else None
    if drift:
        console.print()
        console.print(Text(drift.text, style="dim"))


def _render_scenario(view: ScenarioView, run: store.Run, console: Console, *, every: bool) -> None:
    console.print(Text(view.scenario.question, style="bold"))
    for part in view.parts:
        if every:
            console.print(*(_split(part, metrics, console) for metrics in tables.metric_groups(part)))
        elif any(cell.results for cell in part.cells):
            console.print(_fitting(part, tables.main_metrics(view), console))
        _render_phases(part, phases.metric_by_phase(view), console, every=every)
        for grid in (grid for cell in part.cells for grid in parts.of_cell(part, cell)):
            console.print(*_grids(grid, console))
    for finding in answer.findings(view):
        console.print(Text(finding.text, style="" if finding.decided else "yellow"))
    for remark in conditions.remarks(view, run):
        console.print(Text(remark, style="yellow"))
    if view.belief:
        _render_belief(beliefs.words(view.belief), console)
    for gate in view.gates:
        _render_gate(gate, console)
    _render_doubts(view, console, every=every)


def _render_phases(part: Part, metric: str, console: Console, *, every: bool) -> None:
    """The scenario's metric by phase; ``every``: also each phase's main metrics and each step of a search."""
    grid = phases.compact(part, metric)
    if grid:
        console.print(*_grids(grid, console))
    for cell in part.cells if every else ():
        if cell.summary.phases:
            console.print(*_grids(phases.of_cell(part, cell), console))
        for trial in searches.searched(cell):
            console.print(*_grids(searches.step_grid(part, cell, trial), console))


def _grids(grid: phases.Grid, console: Console) -> list[Table]:
    """The grid as one table, turned if it only fits then, else cut into several."""
    if not _fits(_grid_table(grid), console) and _fits(_grid_table(grid.turned()), console):
        return [_grid_table(grid.turned())]
    out = []
    first, columns = 0, len(grid.columns)
    while first < columns:
        last = next(
            (n for n in range(columns, first + 1, -1) if _fits(_grid_table(grid, first, n), console)),
            first + 1,
        )
        out.append(_grid_table(grid, first, last))
        first = last
    return out


def _grid_table(grid: phases.Grid, first: int = 0, last: int | None = None) -> Table:
    """The columns from ``first`` to before ``last``."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), title=grid.title, title_justify="left")
    table.add_column(grid.corner, vertical="bottom")
    for name in grid.columns[first:last]:
        table.add_column(name.replace(" ", "\n", 1), justify="right", vertical="bottom")
    for name, texts in grid.rows:
        words = [Text(text or "–") for text in texts[first:last]]
        table.add_row(Text(name), *words, style="bold" if name in grid.best else "")
    return table


def _render_belief(belief: beliefs.BeliefWords, console: Console) -> None:
    """What people say, the verdict, and for each expectation what was measured."""
    style = {"pass": "green", "fail": "bold red"}
    console.print(Text.assemble("People say: ", (f"“{belief.text}”", "italic")))
    for found in belief.expectations:
        verdict = (f"{found.sign} {found.word}  ", style.get(found.css, "yellow"))
        console.print(Padding(Text.assemble(verdict, f"expected {found.text}"), (0, 0, 0, 2)))
        sides = ", ".join(f"{side} {number}" for side, number in found.sides)
        lines = [f"measured {found.measured}" if found.measured else "", sides, *found.why]
        for line in filter(None, lines):
            console.print(Padding(Text(line), (0, 0, 0, 4)))


def _render_gate(gate: GateView, console: Console) -> None:
    style = {"pass": "green", "fail": "bold red"}.get(gate.outcome, "yellow")
    console.print(Text.assemble((f"{gate.outcome:<9} ", style), gate.text))
    said = (f"{gate.text} is undecided: ", f"{gate.text} ")  # stands on the line above
    lines = [reduce(lambda t, s: t.replace(s, "", 1), said, text) for text in gate.cases[:MOST_CASES]]
    if len(gate.cases) > MOST_CASES:
        lines.append(f"and {units.plural(len(gate.cases) - MOST_CASES, 'more cell')}")
    for line in lines:
        console.print(Padding(Text(line), (0, 0, 0, 10)))


def _fitting(part: Part, metrics: Sequence[str], console: Console) -> Table:
    """The table with all intervals if it fits, else only the first, else fewer metrics."""
    options = [(metrics, True), *((metrics[:n], False) for n in range(len(metrics), 0, -1))]
    for shown, intervals in options:
        table = _table(part, shown, intervals=intervals)
        if _fits(table, console):
            break
    return table


def _split(part: Part, metrics: Sequence[str], console: Console) -> Group:
    """All of the metrics with their intervals, in as few tables as the width allows."""
    out = []
    while metrics:
        n = next((n for n in range(len(metrics), 1, -1) if _fits(_table(part, metrics[:n]), console)), 1)
        out.append(_table(part, metrics[:n]))
        metrics = metrics[n:]
    return Group(*out)


def _fits(table: Table, console: Console) -> bool:
    wide = console.options.update(width=UNLIMITED_WIDTH)
    return Measurement.get(console, wide, table).maximum <= console.width


def _table(part: Part, metrics: Sequence[str], *, intervals: bool = True) -> Table:
    """One row a cell; the first metric with its interval, the others with theirs if ``intervals``."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column(part.title or "settings")
    for metric in metrics:
        table.add_column(tables.heading(metric).replace(" ", "\n", 1), justify="right", vertical="bottom")
    table.add_column("trials", justify="right", vertical="bottom")
    for row in tables.rows(part, metrics):
        cells = [
            Text("–" if number is None else str(number) if intervals or i == 0 else number.point)
            for i, number in enumerate(row.numbers)
        ]
        if row.cell.trouble and not row.cell.measured:
            cells[:1] = [Text(row.cell.trouble, style="red")]
        elif row.cell.trouble:
            cells[0] = Text.assemble((f"{row.cell.trouble}  ", "red"), cells[0])
        trials = str(row.cell.summary.trials)
        table.add_row(Text(row.cell.label), *cells, trials, style="bold" if row.level else "")
    return table


def _render_doubts(view: ScenarioView, console: Console, *, every: bool) -> None:
    groups = tables.doubt_groups(view)
    if not groups:
        return
    console.print()
    console.print(Text("Doubts", style="bold"))
    for group in groups:
        where, text = group.cases[0]
        more = "" if len(group.cases) == 1 else f" and {units.plural(len(group.cases) - 1, 'similar case')}"
        console.print(Padding(Text(f"{text} ({where}{more})"), (0, 0, 0, 2)))
        console.print(Padding(Text(group.advice, style="dim"), (0, 0, 0, 4)))
        if every and group.source:
            console.print(Padding(Text(f"Why: {group.source}", style="dim italic"), (0, 0, 0, 4)))


def listing(runs: Iterable[store.Run]) -> Table:
    """One row a run, for ``celery-bench list``."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True)
    table.add_column("run", no_wrap=True)
    for name in ("created", "trials", "failed"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("question", overflow="ellipsis", no_wrap=True, ratio=1)
    for run in runs:
        table.add_row(*_list_row(run))
    return table


def listing_json(runs: Iterable[store.Run]) -> list[dict[str, Any]]:
    """One object a run: ``run path created quick trials failed scenarios``."""
    return [
        {
            "run": run.name,
            "path": str(run.path),
            "created": run.meta.get("created"),
            "quick": run.quick,
            "trials": len(results := run.results()),
            "failed": sum(not r.ok for r in results),
            "scenarios": [scenario.name for scenario in run.scenarios],
        }
        for run in runs
    ]


def _list_row(run: store.Run) -> list[Text]:
    created = str(run.meta.get("created", "")).replace("T", " ")[:16]
    try:
        results = run.results()
        counted = f"{len(results)}/{run.planned}" if len(results) < run.planned else str(len(results))
        failed = str(sum(not r.ok for r in results) or "")
        question = " · ".join(s.question for s in run.scenarios)
    except BenchError as error:
        counted, failed, question = "?", "", error.message
    return [
        Text(run.name),
        Text(created),
        Text(counted),
        Text(failed, style="red"),
        Text(question, style="dim"),
    ]
