"""Gates: a limit on a metric, judged on its interval.

gate     := metric op quantity metric   := a name of model.METRICS: throughput, memory, p99(response),
failed, … op       := "<" | "<=" | ">" | ">=" quantity := number unit, of the metric's kind: durations,
makespan, cpu_per_task   250ms  1.5s  2m throughput, capacity                500/s  30/min memory
400MiB  1.5GB utilisation                         80%  0.8 cpu (cores), counts                 1.5  0

Examples: ``p99(response) < 250ms``, ``throughput > 500/s``, ``memory < 400MiB``, ``failed <= 0``.

Verdict: **pass** where the whole 95 % interval keeps the limit, **fail** where all of it breaks it,
**undecided** where the limit lies inside. Without an interval (one trial) nothing is known of the spread,
so a metric is undecided whatever its point; only counts are judged on their point, for a task that failed
has failed. A cell whose every trial failed fails every gate; a metric that could not be computed (too few
tasks for its percentile) is undecided.
"""

import difflib
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from bench import units
from bench.model import COUNTS, METRICS, CellSummary, Estimate, Scenario

PASS, FAIL, UNDECIDED = "pass", "fail", "undecided"

_GATE = re.compile(r"\s*(?P<metric>[^<>=!]*?)\s*(?P<op>[<>=!]+)\s*(?P<limit>.*?)\s*\Z")
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """``limit`` in SI; ``text`` as it was written."""

    metric: str
    op: str
    limit: float
    text: str

    def keeps(self, value: float) -> bool:
        return _COMPARE[self.op](value, self.limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """``outcome`` pass, fail or undecided; ``text`` says in one sentence why."""

    outcome: str
    text: str


def parse(text: str) -> Gate:
    """The gate that ``text`` states. Raises ValueError with a sentence that says what to write instead."""
    match = _GATE.match(text)
    if not match or not match["metric"]:
        raise ValueError(
            f"{text!r} is not a gate: write metric, operator, limit, like 'p99(response) < 250ms'"
        )
    metric = re.sub(r"\s+", "", match["metric"])
    if metric not in METRICS:
        near = difflib.get_close_matches(metric, METRICS, n=1)
        hint = f"did you mean {near[0]}?" if near else "throughput, makespan, p95(response), memory are some"
        raise ValueError(f"{text!r}: there is no metric {metric!r}; {hint}")
    if match["op"] not in _COMPARE:
        raise ValueError(f"{text!r}: {match['op']!r} is not an operator; use one of {' '.join(_COMPARE)}")
    try:
        limit = _quantity(metric)(match["limit"])
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}") from None
    return Gate(metric=metric, op=match["op"], limit=limit, text=text.strip())


def _quantity(metric: str) -> Callable[[str], float]:
    """How the limit of this metric is written."""
    if metric.endswith(")") or metric in ("makespan", "cpu_per_task"):
        return units.duration
    if metric in ("throughput", "capacity"):
        return units.rate
    if metric == "memory":
        return units.size
    return _share if metric == "utilisation" else _number


def _share(text: str) -> float:
    return _number(text.removesuffix("%")) / (100 if text.endswith("%") else 1)


def _number(text: str) -> float:
    if not re.fullmatch(r"\s*\d+(\.\d*)?\s*", text):
        raise ValueError(f"{text!r} is not a plain number")
    return float(text)


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
