"""Gates: a limit on a metric that every cell has to keep, judged on its interval.

Written as in ``bench.grammar``, without labels and ratios: ``p99(response) < 250ms``, ``throughput > 500/s``,
``memory < 400MiB``, ``failed <= 0``.

Verdict: **pass** where the whole 95 % interval keeps the limit, **fail** where all of it breaks it,
**undecided** where the limit lies inside. Without an interval (one trial) nothing is known of the spread,
so a metric is undecided whatever its point; only counts are judged on their point, for a task that failed
has failed. A cell whose every trial failed fails every gate; a metric that could not be computed (too few
tasks for its percentile) is undecided.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench import grammar, units
from bench.grammar import Condition
from bench.measured import COUNTS, CellSummary, Estimate
from bench.model import Scenario

PASS, FAIL, UNDECIDED = "pass", "fail", "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate(Condition):
    """A condition on one metric of every cell."""

    @property
    def metric(self) -> str:
        return self.left.metric


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """``outcome`` pass, fail or undecided; ``text`` says in one sentence why."""

    outcome: str
    text: str


def parse(text: str) -> Gate:
    """The gate that ``text`` states. Raises ValueError with a sentence that says what to write instead."""
    written = grammar.parse(text, "a gate")
    if written.right is not None or written.left.parts:
        raise ValueError(f"{text!r}: a gate holds in every cell, so it names none; `expect` compares cells")
    return Gate(left=written.left, right=None, op=written.op, limit=written.limit, text=written.text)


def judge(gate: Gate, summary: CellSummary) -> Verdict:
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


def outcomes(scenarios: Iterable[Scenario], summaries: Sequence[CellSummary]) -> set[str]:
    """The outcomes that occur when every scenario's gates are judged on all of its cells."""
    return {
        judge(parse(text), summary).outcome
        for scenario in scenarios
        for text in scenario.gates
        for summary in summaries
        if summary.scenario == scenario.name
    }


def _why_missing(gate: Gate, summary: CellSummary) -> str:
    return f"{gate.metric} was not computed, see the doubts" if summary.trials else "this cell was not run"


def _seen(gate: Gate, estimate: Estimate) -> str:
    point = units.format_metric(gate.metric, estimate.point)
    if estimate.lower is None or estimate.upper is None:
        return point
    lower, upper = (units.format_metric(gate.metric, end) for end in (estimate.lower, estimate.upper))
    return f"{point} ({lower} to {upper}, {estimate.n} trials)"
