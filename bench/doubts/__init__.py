"""Reasons not to believe a cell's numbers, each a small rule with its source and its advice.

A rule looks at one cell's evidence and says what it saw, or nothing. ``RULES`` holds them all, gravest
first. A doubt speaks of what the scenario asked for (its metric and the metrics of its gates): a p99 that
nobody asked for raises none. Texts that say the same of several cells are equal, so that a reader can be
shown them once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import median

from bench import speed
from bench.analyse import summarise
from bench.doubts import delivery, load, machine, numbers, outcomes
from bench.doubts.rule import Evidence, Rule
from bench.measured import CellSummary, TrialResult
from bench.model import Scenario
from bench.store import Run

__all__ = ("RULES", "Evidence", "Rule", "summarise_run", "with_doubts")

RULES: tuple[Rule[Evidence], ...] = (
    outcomes.failed_trials,
    outcomes.lost_tasks,
    outcomes.failed_tasks,
    outcomes.duplicated_tasks,
    outcomes.other_tasks,
    outcomes.mismatch,
    delivery.visibility_timeout,
    delivery.disable_prefetch,
    delivery.rate_limit,
    delivery.priority_prefetch,
    delivery.countdown,
    delivery.events,
    outcomes.slo_unreachable,
    outcomes.search_open,
    outcomes.thin_steps,
    load.unsteady,
    load.late_load,
    load.loader_busy,
    load.flood_latency,
    numbers.few_tasks,
    numbers.quick,
    numbers.few_trials,
    numbers.wide_interval,
    machine.throttled,
    machine.swap,
    machine.slow_host,
    machine.steal,
    machine.busy_host,
    machine.broker_busy,
    machine.harness_busy,
    machine.eventlet,
)


def with_doubts(
    scenario: Scenario,
    summaries: Iterable[CellSummary],
    results: Sequence[TrialResult],
    *,
    cores: int = 1,
    quick: bool = False,
) -> list[CellSummary]:
    """The summaries of one scenario, each with its cell's doubts; a cell that was not run has none.

    ``results`` of the whole run: trials of other scenarios too tell how fast the host usually is.
    """
    cells = {cell.id: cell for cell in scenario.cells}
    usual = _usual_spin(results)
    out = []
    for summary in summaries:
        evidence = Evidence(
            scenario=scenario,
            cell=cells[summary.cell],
            summary=summary,
            results=tuple(r for r in results if r.scenario == scenario.name and r.cell == summary.cell),
            cores=cores,
            quick=quick,
            usual_spin=usual,
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


def _usual_spin(results: Sequence[TrialResult]) -> float | None:
    """The median of all reference spins around the trials, in seconds; None where none was read."""
    found = [spin for result in results for spin in speed.spins(result)]
    return median(found) if found else None
