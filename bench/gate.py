"""Gates: what has to hold, judged on its interval.

Written as in ``bench.grammar``: ``p99(response) < 250ms``, ``throughput > 500/s``, ``failed <= 0`` hold in
every cell; ``memory[threads] < 400MiB`` in those that it names; ``throughput[gevent] / throughput[prefork]
> 2`` between cells.

Verdict: **pass** where the whole 95 % interval keeps the limit, **fail** where all of it breaks it,
**undecided** where the limit lies inside. Without an interval (one trial) nothing is known of the spread,
so a metric is undecided whatever its point; only counts are judged on their point, for a task that failed
has failed. A cell whose every trial failed fails every gate that holds in every cell; a metric that could
not be computed (too few tasks for its percentile) is undecided. A gate that names cells is judged as
``bench.expect`` judges what is expected of a belief: ratios are paired by block.
"""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace

from bench import expect, grammar, units
from bench.grammar import Condition
from bench.measured import COUNTS, CellSummary, Estimate, TrialResult
from bench.model import Scenario

PASS, FAIL, UNDECIDED = "pass", "fail", "undecided"
OUTCOMES = {expect.HELD: PASS, expect.REFUTED: FAIL, expect.UNDECIDED: UNDECIDED}
WORDS = {PASS: "passes", FAIL: "fails", UNDECIDED: "is undecided"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """``outcome`` pass, fail or undecided; ``text`` says in one sentence why. ``cell``: the id of the only
    cell that it is about; empty for a gate that names its cells.
    """

    outcome: str
    text: str
    cell: str = ""


def parse(text: str) -> Condition:
    """The gate that ``text`` states. Raises ValueError with a sentence that says what to write instead."""
    return grammar.parse(text, "a gate")


def of_run(
    scenarios: Sequence[Scenario],
    summaries: Sequence[CellSummary],
    results: Sequence[TrialResult],
    cells: Container[str] | None = None,
) -> Iterator[tuple[str, Verdict]]:
    """Every gate of every scenario with each of its verdicts, as ``verdicts`` gives them."""
    for scenario in scenarios:
        for text in scenario.gates:
            for verdict in verdicts(text, scenario, summaries, results, cells):
                yield text, verdict


def verdicts(
    text: str,
    scenario: Scenario,
    summaries: Sequence[CellSummary],
    results: Sequence[TrialResult],
    cells: Container[str] | None = None,
) -> Iterator[Verdict]:
    """The gate judged: once for each cell, or once if it names its cells.

    ``summaries`` and ``results`` of a whole run. ``cells``: ids of the only ones that count; a gate that
    names others as well is judged on all.
    """
    gate = parse(text)
    if not gate.is_everywhere:
        yield _between(gate, _limited(gate, scenario, cells), results)
        return
    for summary in summaries:
        if summary.scenario == scenario.name and (cells is None or summary.cell in cells):
            yield replace(judge(gate, summary), cell=summary.cell)


def judge(gate: Condition, summary: CellSummary) -> Verdict:
    """Whether the cell keeps the gate, by the rules at the top of this file."""
    if summary.trials and summary.failed_trials == summary.trials:
        return Verdict(outcome=FAIL, text=f"{gate.text} fails: every trial of this cell failed.")
    estimate = summary.metrics.get(gate.metric)
    if estimate is None:
        return Verdict(outcome=UNDECIDED, text=f"{gate.text} is undecided: {_why_missing(gate, summary)}.")
    if gate.metric in COUNTS:
        kept = [gate.keeps(estimate.point)]
    elif estimate.lower is not None and estimate.upper is not None:
        kept = [gate.keeps(estimate.lower), gate.keeps(estimate.upper)]
    else:
        text = f"{gate.text} is undecided: {_seen(gate, estimate)} in one trial says nothing of the spread."
        return Verdict(outcome=UNDECIDED, text=text)
    if all(kept):
        return Verdict(outcome=PASS, text=f"{gate.text} passes: {_seen(gate, estimate)}.")
    if not any(kept):
        return Verdict(outcome=FAIL, text=f"{gate.text} fails: {_seen(gate, estimate)}.")
    text = f"{gate.text} is undecided: the limit lies within {_seen(gate, estimate)}; more trials would tell."
    return Verdict(outcome=UNDECIDED, text=text)


def _limited(gate: Condition, scenario: Scenario, cells: Container[str] | None) -> Scenario:
    """The scenario with only these cells, unless the gate then means none."""
    if cells is None:
        return scenario
    some = replace(scenario, cells=tuple(cell for cell in scenario.cells if cell.id in cells))
    try:
        grammar.check(gate, [cell.settings for cell in some.cells])
    except ValueError:
        return scenario
    return some


def _between(gate: Condition, scenario: Scenario, results: Sequence[TrialResult]) -> Verdict:
    found = expect.judge(gate, scenario, results)
    outcome = OUTCOMES[found.outcome]
    seen = f": {found.number}" if found.number else ""
    return Verdict(outcome=outcome, text=" ".join([f"{gate.text} {WORDS[outcome]}{seen}.", *found.why]))


def _why_missing(gate: Condition, summary: CellSummary) -> str:
    return f"{gate.metric} was not computed, see the doubts" if summary.trials else "this cell was not run"


def _seen(gate: Condition, estimate: Estimate) -> str:
    point = units.format_metric(gate.metric, estimate.point)
    if estimate.lower is None or estimate.upper is None:
        return point
    lower, upper = (units.format_metric(gate.metric, end) for end in (estimate.lower, estimate.upper))
    return f"{point} ({lower} to {upper}, {estimate.n} trials)"
