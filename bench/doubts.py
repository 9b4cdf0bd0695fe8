"""Reasons not to believe a cell's numbers, each a small rule with the source of its threshold.

A rule looks at one cell's evidence and returns a doubt or nothing. ``RULES`` holds them all, gravest
first. A doubt speaks of what the scenario asked for (its metric and the metrics of its gates): a p99 that
nobody asked for raises none. Texts that say the same of several cells are equal, so that a reader can be
shown them once.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from bench.analyse import summarise
from bench.model import Cell, CellSummary, Doubt, Scenario, TrialResult
from bench.stats.intervals import arithmetic
from bench.stats.quantiles import BEYOND, LEVELS, needed
from bench.store import Run
from bench.units import format_duration, format_metric, plural

FEW_TRIALS = 3
"""Below this a t interval is wider than ±4 standard deviations of the trials (t₀.₉₇₅ with one degree of
freedom is 12.7)."""

WIDE = 0.10
"""Half-width of an interval, relative to its point: differences between pools worth acting on are seldom
smaller."""

LATE_S = 0.002
"""p99 lateness that a loader with a core of its own keeps at 1 000 tasks/s; this project's own target."""

LATE_SHARE = 0.10
"""Lateness is part of the response; from a tenth of it on, the loader is a visible part of what is
measured."""

BROKER_CORES = 0.80
"""Valkey and Redis execute commands on one thread: at 80 % of a core a command already takes five
times its own time, most of it queueing (1/(1 − ρ), M/M/1)."""

HARNESS_CORES = 0.10
"""More of a core than this, taken from a two-core machine, is over 5 % of what the workers could use."""

STEAL_SHARE = 0.02
"""Share of all cores' time taken by other guests of the host; as large as the smallest differences we
report."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What a rule may look at: one cell with its trials. ``cores`` of the machine; ``quick``: the run was
    cut short.
    """

    scenario: Scenario
    cell: Cell
    summary: CellSummary
    results: tuple[TrialResult, ...]
    cores: int = 1
    quick: bool = False

    @cached_property
    def ok(self) -> list[TrialResult]:
        return [r for r in self.results if r.ok]

    @cached_property
    def asked(self) -> set[str]:
        """The scenario's metric and those of its gates."""
        gates = (re.split("[<>]", text)[0].replace(" ", "") for text in self.scenario.gates)
        return {self.scenario.metric, *gates}

    def count(self, name: str) -> int:
        return sum(r.counts.get(name, 0) for r in self.ok)

    def cores_of(self, group: str, what: str = "cpu") -> float:
        """Mean CPU of a process group (or another of its seconds) during the trials, in cores; 0 where not
        sampled.
        """
        used = [
            r.resources[group][what] / r.metrics["makespan"]
            for r in self.ok
            if what in r.resources.get(group, {}) and r.metrics.get("makespan")
        ]
        return arithmetic(used).point if used else 0.0


Rule = Callable[[Evidence], Doubt | None]


def failed_trials(e: Evidence) -> Doubt | None:
    failed = [r for r in e.results if not r.ok]
    if not failed:
        return None
    reason = failed[0].reason.rstrip(".") or "no reason was recorded"
    return Doubt(
        kind="failed-trials",
        text=f"{len(failed)} of {plural(len(e.results), 'trial')} failed: {reason}.",
        advice=f"Read the logs in trials/{failed[0].trial}/; the numbers are those of the other trials.",
    )


def lost_tasks(e: Evidence) -> Doubt | None:
    advice = "Percentiles leave them out; read the worker's log for why they vanished."
    return _tasks(e, "lost", "never ended", advice)


def failed_tasks(e: Evidence) -> Doubt | None:
    return _tasks(
        e, "failed", "failed", "Throughput leaves them out; find out why before comparing settings."
    )


def duplicated_tasks(e: Evidence) -> Doubt | None:
    return _tasks(
        e,
        "duplicated",
        "ended more than once",
        "Look for redelivery: visibility timeout, acks_late, lost workers.",
    )


def mismatch(e: Evidence) -> Doubt | None:
    seen = list(dict.fromkeys(text for r in e.results for text in r.mismatches))
    if not seen:
        return None
    more = f" (and {len(seen) - 1} more)" if len(seen) > 1 else ""
    return Doubt(
        kind="mismatch",
        text=f"What ran is not what was asked for: {seen[0].rstrip('.')}{more}.",
        advice="Read the numbers as those of what ran, or correct the scenario.",
    )


def unsteady(e: Evidence) -> Doubt | None:
    verdicts = [str(r.steady.get("verdict")) for r in e.ok]
    never, drifting = verdicts.count("never"), verdicts.count("drifting")
    if "throughput" not in e.asked or not never + drifting:
        return None
    why = next(str(r.steady.get("why", "")) for r in e.ok if r.steady.get("verdict") in ("never", "drifting"))
    seen = "never settled" if never else "drifted"
    instead = "; its throughput is completions ÷ makespan" if never else ""
    return Doubt(
        kind="unsteady",
        text=f"The rate {seen} in {never or drifting} of {plural(len(e.ok), 'trial')} ({why}){instead}.",
        advice="Give the load more tasks or a longer duration.",
    )


def late_load(e: Evidence) -> Doubt | None:
    seen = next(
        (m for m in ("p99(lateness)", "p95(lateness)", "max(lateness)") if m in e.summary.metrics), None
    )
    if seen is None:
        return None
    late = e.summary.metrics[seen].point
    response = e.summary.metrics.get("p50(response)") or e.summary.metrics["mean(response)"]
    if late <= max(LATE_S, LATE_SHARE * response.point):
        return None
    return Doubt(
        kind="late-load",
        text=f"The loader was late: {seen} is {format_duration(late)}, part of every wait and response.",
        advice="Lower the rate, or leave the loader a core of its own.",
    )


def flood_latency(e: Evidence) -> Doubt | None:
    asked = sorted(m for m in e.asked if m.endswith(("(wait)", "(response)", "(broker_wait)")))
    if e.cell.setup.load.shape != "flood" or not asked:
        return None
    return Doubt(
        kind="flood-latency",
        text=f"In a flood {asked[0]} is a place in the queue, not a latency: read throughput only.",
        advice="To ask for latency use load shape constant, at a rate below the throughput.",
    )


def few_tasks(e: Evidence) -> Doubt | None:
    missing = sorted(m for m in e.asked if m.split("(")[0] in LEVELS and m not in e.summary.metrics)
    if not missing or not e.ok:
        return None
    least = needed(LEVELS[missing[0].split("(")[0]])
    most = max(r.counts["completed"] + r.counts["failed"] for r in e.ok)
    return Doubt(
        kind="few-tasks",
        text=f"{missing[0]} needs {least} ended tasks a trial ({BEYOND} beyond it), there were {most}.",
        advice="Give the load more tasks, or ask for a lower percentile.",
    )


def few_trials(e: Evidence) -> Doubt | None:
    if not e.ok or (len(e.ok) >= FEW_TRIALS and not e.quick):
        return None
    trials = f"{plural(len(e.ok), 'trial')} a cell"
    return Doubt(
        kind="quick" if e.quick else "few-trials",
        text=f"This was a quick run ({trials}): a look, not a measurement."
        if e.quick
        else f"Only {trials}: the interval is {'very wide' if len(e.ok) > 1 else 'missing'}.",
        advice="Run it without --quick." if e.quick else "Measure again with --repeats 5.",
    )


def wide_interval(e: Evidence) -> Doubt | None:
    found = e.summary.metrics.get(e.scenario.metric)
    if found is None or found.lower is None or found.upper is None or len(e.ok) < FEW_TRIALS:
        return None
    half = (found.upper - found.lower) / 2
    if half <= WIDE * abs(found.point):
        return None
    unit = format_metric(e.scenario.metric, half)
    share = f", {half / abs(found.point) * 100:.0f} % of it" if found.point else ""
    return Doubt(
        kind="wide-interval",
        text=f"The interval of {e.scenario.metric} is wide: ± {unit}{share}.",
        advice="More repeats or longer trials narrow it; a quieter machine does more.",
    )


def broker_busy(e: Evidence) -> Doubt | None:
    cores = e.cores_of("broker")
    if cores < BROKER_CORES or e.cell.setup.broker.kind not in ("valkey", "redis"):
        return None
    return Doubt(
        kind="broker-busy",
        text=f"The broker used {cores:.2f} of the one core it can use: it may be the limit.",
        advice="Compare settings with longer tasks, or with fewer slots.",
    )


def harness_busy(e: Evidence) -> Doubt | None:
    cores = e.cores_of("harness")
    if cores <= HARNESS_CORES:
        return None
    return Doubt(
        kind="harness-busy",
        text=f"The harness itself used {cores:.2f} cores during the trials.",
        advice="Free a core, or lower the rate: the workers had that much less.",
    )


def steal(e: Evidence) -> Doubt | None:
    share = e.cores_of("system", "steal") / e.cores
    if share <= STEAL_SHARE:
        return None
    return Doubt(
        kind="steal",
        text=f"Other guests of this host took {share * 100:.1f} % of the CPU time (steal).",
        advice="Run again at a quieter time or on a machine of your own; trust comparisons within a block.",
    )


def eventlet(e: Evidence) -> Doubt | None:
    if e.cell.setup.workers.pool != "eventlet":
        return None
    return Doubt(
        kind="eventlet",
        text="eventlet is in bare maintenance, and its own maintainers advise against new use.",
        advice="Prefer gevent or threads for anything new.",
    )


RULES: tuple[Rule, ...] = (
    failed_trials,
    lost_tasks,
    failed_tasks,
    duplicated_tasks,
    mismatch,
    unsteady,
    late_load,
    flood_latency,
    few_tasks,
    few_trials,
    wide_interval,
    broker_busy,
    harness_busy,
    steal,
    eventlet,
)


def with_doubts(
    scenario: Scenario,
    summaries: Iterable[CellSummary],
    results: Sequence[TrialResult],
    *,
    cores: int = 1,
    quick: bool = False,
) -> list[CellSummary]:
    """The summaries of one scenario, each with its cell's doubts; a cell that was not run has none."""
    cells = {cell.id: cell for cell in scenario.cells}
    out = []
    for summary in summaries:
        evidence = Evidence(
            scenario=scenario,
            cell=cells[summary.cell],
            summary=summary,
            results=tuple(r for r in results if r.scenario == scenario.name and r.cell == summary.cell),
            cores=cores,
            quick=quick,
        )
        found = (rule(evidence) for rule in RULES) if evidence.results else ()
        out.append(replace(summary, doubts=tuple(doubt for doubt in found if doubt)))
    return out


def summarise_run(run: Run) -> list[CellSummary]:
    """Every cell of every scenario of the run, in the order of the files, with its doubts."""
    results = run.results()
    cores = int(run.meta.get("host", {}).get("cores") or 1)
    return [
        summary
        for scenario in run.scenarios
        for summary in with_doubts(
            scenario, summarise(scenario, results), results, cores=cores, quick=run.quick
        )
    ]


def _tasks(e: Evidence, count: str, what: str, advice: str) -> Doubt | None:
    n = e.count(count)
    if not n:
        return None
    text = f"{n} of {plural(e.count('published'), 'task')} {what}."
    return Doubt(kind=f"{count}-tasks", text=text, advice=advice)
