"""A run arranged for reading: scenario → circumstance → cell, with everything known about each.

Everything a page, a picture or a sentence shows comes from here, so that all of them agree.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench import doubts, expect, gate, measured, model, store, units
from bench.model import Label
from bench.ranking import Ranking, rank
from bench.report import labels


@dataclass(frozen=True, slots=True, kw_only=True)
class CellView:
    """One cell: its words, its summary and its trials in the order they ran."""

    id: str
    label: str
    """The choice in words, without the circumstance: ``prefork, prefetch 4``."""
    choice_key: str
    pool: str | None
    """The pool that gives the cell its colour."""
    setup: model.Setup
    settings: Mapping[str, Label]
    summary: measured.CellSummary
    results: tuple[measured.TrialResult, ...]

    @property
    def failed(self) -> int:
        return self.summary.failed_trials

    @property
    def measured(self) -> bool:
        """True where at least one trial finished well."""
        return any(r.ok for r in self.results)

    @property
    def trouble(self) -> str:
        """Why numbers are missing: ``2 of 5 trials failed``, ``not run``, or nothing."""
        if not self.results:
            return "not run"
        return f"{self.failed} of {units.plural(len(self.results), 'trial')} failed" if self.failed else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The cells of one circumstance, such as one workload, and how they rank by the scenario's metric."""

    title: str
    """``cpu``; empty where the scenario has no circumstances."""
    cells: tuple[CellView, ...]
    ranking: Ranking | None

    @property
    def level(self) -> frozenset[str]:
        """Ids of the best cell and of those that may well be as good: not told apart, 1 within the interval.

        Fewer than the ranking's contenders, among which are also cells that are probably behind but that the
        number of comparisons keeps from being told apart.
        """
        if self.ranking is None or self.ranking.best is None:
            return frozenset()
        wide = {
            r.cell
            for r in self.ranking.rivals
            if r.lower is None or r.upper is None or r.lower <= 1 <= r.upper
        }
        none = {cell.id for cell in self.cells if self.fruitless(cell)}
        return frozenset(c for c in self.ranking.contenders if c in (wide | {self.ranking.best}) - none)

    def fruitless(self, cell: CellView) -> bool:
        """Whether no rate kept the cell's SLO, so that there is nothing to compare by ratio."""
        capacity = cell.summary.metrics.get("capacity")
        return capacity is not None and capacity.point <= 0

    def cell(self, cell_id: str) -> CellView:
        return next(c for c in self.cells if c.id == cell_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class GateView:
    """One gate of the scenario. ``cases``: the cells that fail it and those where it stays open, in words, or
    what came of one that names its cells. ``passed``: in how many it holds, None for such a one.
    """

    text: str
    outcome: str
    passed: int | None
    cases: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioView:
    """One scenario of a run, ready to be read."""

    scenario: model.Scenario
    parts: tuple[Part, ...]
    gates: tuple[GateView, ...]
    belief: expect.Belief | None = None

    @property
    def cells(self) -> tuple[CellView, ...]:
        return tuple(cell for part in self.parts for cell in part.cells)

    @property
    def results(self) -> tuple[measured.TrialResult, ...]:
        return tuple(result for cell in self.cells for result in cell.results)


def collect(run: store.Run) -> tuple[ScenarioView, ...]:
    """Everything a report on ``run`` shows; also of one that was interrupted or failed altogether."""
    results = run.results()
    summaries = {(s.scenario, s.cell): s for s in doubts.summarise_run(run)}
    return tuple(_scenario_view(scenario, results, summaries) for scenario in run.scenarios)


def _scenario_view(
    scenario: model.Scenario,
    results: Sequence[measured.TrialResult],
    summaries: Mapping[tuple[str, str], measured.CellSummary],
) -> ScenarioView:
    mine = [r for r in results if r.scenario == scenario.name]
    choices = labels.varying(labels.split_settings(c.settings)[1] for c in scenario.cells)
    circumstances = labels.varying(labels.split_settings(c.settings)[0] for c in scenario.cells)
    rankings = {_key(r.circumstance): r for r in rank(scenario, mine, scenario.metric)}
    groups: dict[str, list[model.Cell]] = {}
    for cell in scenario.cells:
        groups.setdefault(_key(labels.split_settings(cell.settings)[0]), []).append(cell)
    parts = tuple(
        Part(
            title=labels.settings_text(cells[0].settings, circumstances) if circumstances else "",
            cells=tuple(_cell_view(c, scenario, mine, summaries, choices) for c in cells),
            ranking=rankings.get(key),
        )
        for key, cells in groups.items()
    )
    gates = tuple(_gate_view(text, parts, scenario, mine) for text in scenario.gates)
    belief = expect.belief(scenario, mine)
    return ScenarioView(scenario=scenario, parts=parts, gates=gates, belief=belief)


def _key(settings: Mapping[str, Label]) -> str:
    return repr(sorted(settings.items()))


def _cell_view(
    cell: model.Cell,
    scenario: model.Scenario,
    results: Sequence[measured.TrialResult],
    summaries: Mapping[tuple[str, str], measured.CellSummary],
    choices: Sequence[str],
) -> CellView:
    mine = tuple(r for r in results if r.cell == cell.id)
    summary = summaries.get((scenario.name, cell.id)) or measured.CellSummary(
        scenario=scenario.name,
        cell=cell.id,
        settings=cell.settings,
        trials=len(mine),
        failed_trials=sum(not r.ok for r in mine),
        metrics={},
    )
    _, choice = labels.split_settings(cell.settings)
    pools = " + ".join(dict.fromkeys(group.pool for group in cell.setup.fleet))
    label = labels.settings_text(choice, choices) if choices else pools
    return CellView(
        id=cell.id,
        label=label,
        choice_key=_key(choice),
        pool=pools,
        setup=cell.setup,
        settings=cell.settings,
        summary=summary,
        results=mine,
    )


def _gate_view(
    text: str, parts: Sequence[Part], scenario: model.Scenario, results: Sequence[measured.TrialResult]
) -> GateView:
    """The gate over all cells: fails if one fails, open if one is open."""
    names = {
        cell.id: f"{part.title}: {cell.label}" if part.title else cell.label
        for part in parts
        for cell in part.cells
    }
    summaries = [cell.summary for part in parts for cell in part.cells]
    verdicts = list(gate.verdicts(text, scenario, summaries, results))
    outcomes = {verdict.outcome for verdict in verdicts}
    told = [verdict for verdict in verdicts if verdict.outcome != gate.PASS or not verdict.cell]
    return GateView(
        text=text,
        outcome=next((o for o in (gate.FAIL, gate.UNDECIDED) if o in outcomes), gate.PASS),
        passed=len(verdicts) - len(told) if gate.parse(text).is_everywhere else None,
        cases=tuple(f"{names[v.cell]}: {v.text}" if v.cell else v.text for v in told),
    )
