"""What searches for the highest rate found: sentences, tables of their steps, and the picture's data."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench import gate, measured, units
from bench.report import labels, tables
from bench.report.loads import number
from bench.report.phases import Grid
from bench.report.resources import ranked_cells, typical_trial
from bench.report.view import CellView, Part, ScenarioView

FOUND, UNREACHABLE = "found", "unreachable"
"""Outcomes of a search (docs/results.md); the third is open."""

MOST_PANELS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDot:
    """One step: the rate offered (1/s), the SLO's metric (s; None: tasks never ended), the verdict."""

    rate: float
    value: float | None
    held: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPanel:
    """All searches of one cell; ``rate`` (1/s) is its capacity with the ends of its interval.

    ``rate`` is None where a search found none; then ``note`` says why.
    """

    title: str
    pool: str | None
    metric: str
    limit: float
    dots: tuple[StepDot, ...]
    rate: float | None
    lower: float | None
    upper: float | None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchFigure:
    panels: tuple[SearchPanel, ...]
    left_out: int
    """How many cells are not shown."""


def searched(cell: CellView) -> list[measured.TrialResult]:
    """The cell's trials that ended with an answer, in their order."""
    return [result for result in cell.results if result.ok and result.search]


def sentence(cell: CellView) -> str:
    """``threads sustains 198/s (184–210/s) with p95(response) < 100 ms; 206/s was too much: …``

    Empty where no search was finished. The interval is over trials, of a single trial the search's own.
    """
    trials, name = searched(cell), cell.label
    if not trials:
        return ""
    outcomes = {trial.search["outcome"] for trial in trials}
    slo = trials[0].search["slo"]
    if outcomes == {UNREACHABLE}:
        typical = typical_trial(cell, "capacity") or trials[0]
        return f"{name} does not keep {slo} at any rate: {_why(typical)}."
    if outcomes != {FOUND}:
        return _disagreeing(name, slo, trials)
    above = beyond(cell)
    reached = tables.number("capacity", cell.summary.metrics["capacity"])
    return f"{name} sustains {reached} with {slo}{f'; {above}' if above else ''}."


def _disagreeing(name: str, slo: str, trials: Sequence[measured.TrialResult]) -> str:
    """Where some searches, or all, ended without an answer."""
    rates = [t.search["rate"] for t in trials if t.search["outcome"] == FOUND]
    odd = next(t for t in trials if t.search["outcome"] != FOUND)
    none = odd.search["outcome"] == UNREACHABLE
    if not rates:
        known = max(t.search["rate"] for t in trials)
        least = f"{units.format_rate(known)} or more" if known else "no rate for sure"
        which = "its search" if len(trials) == 1 else "its searches"
        return f"{name} sustains {least} with {slo}, but {which} ended without an answer: {_why(odd)}."
    low, high = min(rates), max(rates)
    span = units.format_rate(low) if low == high else tables.interval("capacity", low, high)
    rest = "in the rest no rate did" if none else "the rest ended without an answer"
    return (
        f"{name} sustains {span} with {slo} in {len(rates)} of {len(trials)} searches; {rest}: {_why(odd)}."
    )


def slo_text(cell: CellView) -> str:
    """What the cell's rate must keep, as its searches write it."""
    found = searched(cell)
    return str(found[0].search["slo"]) if found else cell.setup.load.slo


def reason(cell: CellView) -> str:
    """Why no rate was found: ``threads: at 2/s, where …, p95(response) is 453 ms``."""
    return f"{cell.label}: {_why(searched(cell)[-1])}" if searched(cell) else ""


def _why(trial: measured.TrialResult) -> str:
    """Without the limit, which stands in the sentence already."""
    return str(trial.search["why"]).split("; the SLO is ", 1)[0]


def beyond(cell: CellView) -> str:
    """What happened just above the rate that was found: ``206/s was too much: p95(response) was 170 ms``."""
    trial = typical_trial(cell, "capacity")
    missed = _missed(trial.search) if trial and trial.search else None
    return f"{units.format_rate(missed['rate'])} was too much: {missed['why']}" if missed else ""


def _missed(search: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The lowest rate above the answer that was missed, its last such step."""
    above = [step for step in search["steps"] if not step["held"] and step["rate"] > search["rate"]]
    return min(reversed(above), key=lambda step: step["rate"], default=None)


def short(result: measured.TrialResult) -> str:
    """One finished search in a few words: ``198/s (184–210/s) with p95(response) < 100 ms``."""
    search = result.search
    if search["outcome"] == UNREACHABLE:
        return f"no rate keeps {search['slo']}"
    rate = units.format_rate(search["rate"])
    if search["lower"] is not None and search["upper"] is not None:
        rate += f" ({tables.interval('capacity', search['lower'], search['upper'])})"
    end = "" if search["outcome"] == FOUND else ", search left open"
    return f"{rate} with {search['slo']}{end}"


def step_grid(part: Part, cell: CellView, trial: measured.TrialResult) -> Grid:
    """One row for each step of a trial's search, in the order they ran."""
    search = trial.search
    metric = str(search["slo"]).split(" ", 1)[0]
    rows = []
    for i, step in enumerate(search["steps"], start=1):
        value = units.format_duration(step["value"]) if step["value"] is not None else "never"
        rows.append(
            (
                str(i),
                (
                    units.format_rate(step["rate"]),
                    units.format_duration(step["seconds"]),
                    number(step["tasks"]),
                    value,
                    growth(step["slope"]),
                    "held" if step["held"] else "missed",
                ),
            )
        )
    several = f", block {trial.block}" if len(searched(cell)) > 1 else ""
    return Grid(
        title=f"{tables.cell_name(part, cell)}{several}: {units.plural(len(rows), 'step')}",
        corner="step",
        columns=("offered", "for", "tasks", metric, "backlog grew by", "verdict"),
        rows=tuple(rows),
    )


def growth(slope: float) -> str:
    """A backlog's slope: ``+1.4/s``, ``0/s``."""
    return f"{slope:+.3g}/s" if abs(slope) >= 0.05 else "0/s"


def step_grids(view: ScenarioView) -> Iterator[Grid]:
    """The steps of every search of the scenario."""
    for part in view.parts:
        for cell in part.cells:
            for trial in searched(cell):
                yield step_grid(part, cell, trial)


def search_figure(view: ScenarioView) -> SearchFigure:
    """A panel for each cell that was searched, of many the best; in the order of the file."""
    having = [(part, cell) for part in view.parts for cell in part.cells if searched(cell)]
    best = ranked_cells([cell for _, cell in having if "capacity" in cell.summary.metrics], "capacity")
    kept = {cell.id for cell in best[:MOST_PANELS]}
    panels = tuple(_panel(part, cell) for part, cell in having if cell.id in kept)
    return SearchFigure(panels=panels, left_out=len(having) - len(panels))


def _panel(part: Part, cell: CellView) -> SearchPanel:
    trials = searched(cell)
    outcomes = {trial.search["outcome"] for trial in trials}
    estimate = cell.summary.metrics["capacity"]
    slo = gate.parse(cell.setup.load.slo)
    note = "" if outcomes == {FOUND} else "no rate keeps it" if outcomes == {UNREACHABLE} else "left open"
    return SearchPanel(
        title=tables.cell_name(part, cell),
        pool=cell.pool,
        metric=labels.metric_text(slo.metric),
        limit=slo.limit,
        dots=tuple(
            StepDot(rate=step["rate"], value=step["value"], held=step["held"])
            for trial in trials
            for step in trial.search["steps"]
        ),
        rate=estimate.point or None,
        lower=estimate.lower if estimate.point else None,
        upper=estimate.upper if estimate.point else None,
        note=note,
    )


def as_json(trial: measured.TrialResult) -> dict[str, Any]:
    """A trial's search as ``show --json`` writes it."""
    return {"trial": trial.trial, "block": trial.block, **trial.search}
