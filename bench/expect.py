"""What people believe, put to the test: a condition on cells or on their ratio, judged on its interval.

Written as in ``bench.grammar``: ``throughput[gevent] / throughput[prefork] > 3``, ``lost[acks=early] > 0``,
``memory[threads] < 200MiB``.

**Ratios are paired by block.** Cells of the two sides that differ in nothing but what the sides name are
partners: an axis on which the sides have no label in common is what they are told apart by (also one that is
zipped with it), all others are circumstances, and partners agree in them. Cells without a partner are left
out. A side is the geometric mean over its partnered cells, as in ``bench.effects``, and a ratio that of the
two sides in one block. Where no cell has a partner, a side is the geometric mean over all matching cells.

Verdict: **held** where the whole 95 % interval keeps the limit, **refuted** where all of it breaks it, else
**undecided**, as with fewer than two blocks. Counts (failed, retried, lost, duplicated) are judged on their
mean a trial, as gates do: a task that was lost has been lost. Of several expectations all must hold, and
one that is refuted refutes the belief.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from statistics import fmean, geometric_mean

from bench import grammar, units
from bench.analyse import estimate
from bench.grammar import Condition, text_of
from bench.measured import COUNTS, Estimate, TrialResult
from bench.model import Cell, Scenario
from bench.stats.paired import paired

HELD, REFUTED, UNDECIDED = "held", "refuted", "undecided"
WORDS = {HELD: "held", REFUTED: "refuted", UNDECIDED: "undecided on this machine"}

Values = Mapping[tuple[str, int], float]
"""(cell, block) → the metric, of trials that went well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side as measured: ``text`` as written, ids of the ``cells`` that it was taken over, and their mean
    with interval (None: not measured).
    """

    text: str
    metric: str
    cells: tuple[str, ...]
    estimate: Estimate | None

    @property
    def number(self) -> str:
        """``247/s (240/s to 254/s)``; counts, which are judged on their mean, without an interval."""
        if self.estimate is None:
            return "not measured"
        point, lower, upper = (
            None if value is None else units.format_metric(self.metric, value)
            for value in (self.estimate.point, self.estimate.lower, self.estimate.upper)
        )
        if self.metric in COUNTS:
            return f"{point} a trial"
        return f"{point} ({lower} to {upper})" if lower and upper else str(point)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """One expectation judged. ``estimate`` is of what is held against the limit: the ratio, or the one side.

    Its ``n`` are blocks, its point is infinite where a count is divided by zero. ``partners``: how many
    pairs of cells a block's ratio is taken over, 0 where means over all matching cells stand for the sides.
    ``why``: why there is no verdict, which trials failed.
    """

    condition: Condition
    outcome: str
    sides: tuple[Side, ...]
    estimate: Estimate | None = None
    partners: int = 0
    why: tuple[str, ...] = ()

    @property
    def is_ratio(self) -> bool:
        return len(self.sides) > 1

    @property
    def number(self) -> str:
        """What is compared with the limit: ``16.2 × (15.1 to 17.3)``; empty where it is not known."""
        if not self.is_ratio:
            return self.sides[0].number if self.estimate else ""
        found = self.estimate
        if found is None or not isfinite(found.point):
            return ""
        point, interval = units.format_ratio(found.point), ""
        if found.lower is not None and found.upper is not None:
            ends = (units.format_ratio(end).removesuffix(" ×") for end in (found.lower, found.upper))
            interval = f" ({' to '.join(ends)})"
        return point + interval

    @property
    def text(self) -> str:
        """The verdict and its numbers in one or more sentences."""
        said = f"{self.condition.text}: {WORDS[self.outcome]}"
        n = self.estimate.n if self.estimate else 0
        blocks = f", {units.plural(n, 'block')}" if self.number and not self.condition.counts else ""
        return " ".join([f"{said}{f', {self.number}' if self.number else ''}{blocks}.", *self.why])


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """What people say about one scenario's question, and what became of it."""

    scenario: Scenario
    outcome: str
    expectations: tuple[Expectation, ...]

    @property
    def text(self) -> str:
        return self.scenario.belief


def belief(scenario: Scenario, results: Sequence[TrialResult]) -> Belief | None:
    """The scenario's belief judged on these trials; None where it states none."""
    if not scenario.belief:
        return None
    found = tuple(judge(grammar.parse(text), scenario, results) for text in scenario.expect)
    outcomes = {each.outcome for each in found}
    outcome = REFUTED if REFUTED in outcomes else HELD if outcomes == {HELD} else UNDECIDED
    return Belief(scenario=scenario, outcome=outcome, expectations=found)


def judge(condition: Condition, scenario: Scenario, results: Sequence[TrialResult]) -> Expectation:
    """One expectation by the rules at the top of this file; works from no trial at all."""
    labels = [cell.settings for cell in scenario.cells]
    chosen = [[scenario.cells[i] for i in grammar.chosen_by(side, labels)] for side in condition.sides]
    mine = [r for r in results if r.scenario == scenario.name]
    values = [_values(side.metric, mine) for side in condition.sides]
    rows, partners = _rows(chosen, values)
    series = _trials(chosen, values) if condition.counts else _blocks(rows, values)
    found = _compared(condition, series)
    outcome = _verdict(condition, found)
    why = [] if outcome != UNDECIDED else [_why_undecided(condition, chosen, mine, found)]
    sides = tuple(
        Side(
            text=str(side),
            metric=side.metric,
            cells=tuple(cell.id for cell in chosen[i]) if condition.counts else _on_side(rows, i),
            estimate=estimate(side.metric, series[i]) if series[i] else None,
        )
        for i, side in enumerate(condition.sides)
    )
    return Expectation(
        condition=condition,
        outcome=outcome,
        sides=sides,
        estimate=found,
        partners=partners,
        why=(*why, *_failed(chosen, mine)),
    )


def _values(metric: str, results: Sequence[TrialResult]) -> Values:
    return {(r.cell, r.block): r.metrics[metric] for r in results if r.ok and metric in r.metrics}


def _rows(chosen: Sequence[Sequence[Cell]], values: Sequence[Values]) -> tuple[list[list[list[str]]], int]:
    """For each row of partners and each side the ids of its cells, and how many rows there are.

    Rows of which a cell was never measured are left out. Where no cell has a partner there is one row of
    all cells, and the number is 0.
    """
    everything = [[[cell.id for cell in cells] for cells in chosen]]
    if len(chosen) < 2:
        return everything, 0
    labels = [
        {(axis, text_of(label)) for cell in cells for axis, label in cell.settings.items()}
        for cells in chosen
    ]
    shared = {axis for axis, _ in labels[0] & labels[1]}
    groups: list[dict[tuple[str, ...], list[str]]] = [{}, {}]
    for group, cells in zip(groups, chosen, strict=True):
        for cell in cells:
            key = tuple(text_of(label) for axis, label in cell.settings.items() if axis in shared)
            group.setdefault(key, []).append(cell.id)
    rows = [[left, groups[1][key]] for key, left in groups[0].items() if key in groups[1]]
    measured = [{cell for cell, _ in side} for side in values]
    whole = [row for row in rows if all(m.issuperset(cells) for m, cells in zip(measured, row, strict=True))]
    return (whole, len(whole)) if rows else (everything, 0)


def _on_side(rows: Sequence[Sequence[Sequence[str]]], i: int) -> tuple[str, ...]:
    return tuple(cell for row in rows for cell in row[i])


def _blocks(rows: Sequence[Sequence[Sequence[str]]], values: Sequence[Values]) -> list[list[float]]:
    """For each side its mean in every block in which all rows were measured."""
    out: list[list[float]] = [[] for _ in values]
    for block in sorted({block for side in values for _, block in side}):
        needed = [[(cell, block) for cell in _on_side(rows, i)] for i in range(len(values))]
        if all(keys and side.keys() >= {*keys} for side, keys in zip(values, needed, strict=True)):
            for side, keys, series in zip(values, needed, out, strict=True):
                series.append(_mean([side[key] for key in keys]))
    return out


def _trials(chosen: Sequence[Sequence[Cell]], values: Sequence[Values]) -> list[list[float]]:
    """For each side the value of every trial of its cells."""
    ids = [{cell.id for cell in cells} for cells in chosen]
    return [[v for (cell, _), v in side.items() if cell in of] for side, of in zip(values, ids, strict=True)]


def _mean(values: Sequence[float]) -> float:
    return geometric_mean(values) if min(values) > 0 else fmean(values)


def _compared(condition: Condition, series: Sequence[Sequence[float]]) -> Estimate | None:
    """What is held against the limit; None where there is nothing, or no ratio of it."""
    if not all(series):
        return None
    if len(series) == 1:
        return estimate(condition.left.metric, series[0])
    left, right = series
    if condition.counts:
        above, below = fmean(left), fmean(right)
        n = min(len(left), len(right))
        return Estimate(point=above / below if below else inf, n=n) if above or below else None
    if min(*left, *right) <= 0:
        return None
    found = paired(left, right)
    return Estimate(point=found.ratio, lower=found.lower, upper=found.upper, n=found.n)


def _verdict(condition: Condition, found: Estimate | None) -> str:
    if found is None:
        return UNDECIDED
    ends = [found.point] if condition.counts else [found.lower, found.upper]
    kept = [condition.keeps(end) for end in ends if end is not None]
    if not kept or (any(kept) and not all(kept)):
        return UNDECIDED
    return HELD if all(kept) else REFUTED


def _why_undecided(
    condition: Condition,
    chosen: Sequence[Sequence[Cell]],
    results: Sequence[TrialResult],
    found: Estimate | None,
) -> str:
    if found is not None:
        few = "One block says nothing of the spread (--repeats 5 gives five)."
        return few if found.n < 2 else "The limit lies within the interval; more blocks would tell."
    gaps = (_gap(side, cells, results) for side, cells in zip(condition.sides, chosen, strict=True))
    gap = next(filter(None, gaps), "")
    if gap or not condition.is_ratio:
        return gap or "No block has all the cells that are meant."
    if condition.counts:
        return "Nothing was counted on either side."
    return "No block has all the cells that are compared, or a value is zero and there is no ratio."


def _gap(side: grammar.Side, cells: Sequence[Cell], results: Sequence[TrialResult]) -> str:
    """Why one side was not measured, if it was not."""
    ran = [r for r in results if r.cell in {cell.id for cell in cells}]
    if not cells:
        return f"No cell of this run is {', '.join(map(str, side.parts))}."
    if not ran:
        return f"{side} was not run."
    if not any(r.ok for r in ran):
        return f"Every trial of {side} failed."
    missing = not any(side.metric in r.metrics for r in ran if r.ok)
    return f"{side} was not computed, see the doubts." if missing else ""


def _failed(chosen: Sequence[Sequence[Cell]], results: Sequence[TrialResult]) -> list[str]:
    """How many trials of the cells failed, if any did."""
    ids = {cell.id for cells in chosen for cell in cells}
    ran = [r for r in results if r.cell in ids]
    failed = sum(not r.ok for r in ran)
    return [f"{failed} of {units.plural(len(ran), 'trial')} failed and do not count."] if failed else []
