"""From the events and samples of a trial to its numbers, and from the trials of a cell to estimates.

How every number is defined and why stands in docs/methodology.md. Pure: nothing here starts, reads or
writes anything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from bench.events import COMPLETED, INTENDED, NS, Recording, lanes, parts_of, tasks
from bench.measured import COUNTS, METRICS, CellSummary, Estimate, PhaseSummary, TrialResult
from bench.model import Scenario, Setup, TaskCall, Trial
from bench.spans import (
    by_attempt,
    by_part,
    by_phase,
    by_step,
    counts,
    durations,
    known_metrics,
    statistics,
)
from bench.speed import at_one_speed
from bench.stats.intervals import arithmetic, geometric
from bench.stats.steady import Steady, steady

__all__ = (
    "Recording",
    "counts",
    "durations",
    "estimate",
    "lanes",
    "resources",
    "result",
    "steady_window",
    "summarise",
    "tasks",
)

WORKER_GROUPS = ("workers", "pool")
"""Process groups whose CPU and memory are the price of a setting."""

_ZERO_ABLE = (*COUNTS, "(lateness)", "(broker_wait)")
"""Metrics that are zero in a healthy trial: their trials are averaged arithmetically, the others
geometrically."""


def steady_window(tasks: pd.DataFrame, slots: int) -> Steady:
    """The steady window of the completions, before the tail in which outstanding tasks no longer fill the
    slots.

    The tail starts when fewer than ``slots`` published tasks have not ended, and never before the last
    intended time.
    """
    ended = np.sort(tasks["ended"].dropna().to_numpy())
    completed = np.sort(tasks["ended"].to_numpy()[np.isin(tasks["state"].to_numpy(), COMPLETED)])
    tail = float(tasks["intended"].max()) if len(tasks) else 0.0
    still_full = len(tasks) - slots
    if ended.size and still_full >= 0:
        tail = max(tail, float(ended[min(still_full, ended.size - 1)]))
    return steady(completed, slots=slots, tail=tail)


def result(trial: Trial, recording: Recording) -> TrialResult:
    """The trial's line in ``trials.jsonl``. A failed trial has its counts and resources as far as they are
    known and no metrics, so that none of its numbers can slip into an estimate.
    """
    setup = trial.cell.setup
    table = tasks(recording.events, setup.workload)
    counted = counts(table)
    used = resources(recording.samples, *_span_ns(recording.events, table))
    metrics: dict[str, float] = {}
    window: dict[str, Any] = {}
    phases: tuple[dict[str, Any], ...] = ()
    parts: tuple[dict[str, Any], ...] = ()
    attempts: tuple[dict[str, Any], ...] = ()
    if recording.outcome == "ok" and counted["published"] > counted["lost"]:
        slots = _slots(setup, recording.effective)
        has_canvas = any(call.canvas for call in setup.workload)
        # units of several stages end late and together, and so does what tasks have called: no steady rate
        steady_rate = setup.load.is_stationary and not has_canvas and not recording.others
        found = steady_window(table, slots) if steady_rate else None
        others = recording.others.get("seconds", 0.0), _last_other(recording)
        metrics = _metrics(table, counted, found, slots, others)
        metrics |= _prices(table, recording.samples, used)
        metrics["items"] = completed_items(table, setup.workload) / metrics["makespan"]
        metrics = known_metrics(metrics)
        if found:
            window = {k: getattr(found, k) for k in ("verdict", "start", "end", "tasks", "why")}
        phases = by_phase(setup.load, trial.seed, table)
        attempts = by_attempt(recording.events) if counted["retried"] else ()
        if has_canvas:
            parts = by_part(parts_of(recording.events, table, setup.workload), setup.workload)
        if recording.search:
            phases = by_step(recording.search["steps"], table)
            metrics = _of_search(recording.search, phases, metrics)
    return TrialResult(
        trial=trial.id,
        scenario=trial.scenario,
        cell=trial.cell.id,
        block=trial.block,
        position=trial.position,
        seed=trial.seed,
        started_at=recording.started_at,
        outcome=recording.outcome,
        reason=recording.reason,
        log_tail=recording.log_tail,
        settings=trial.cell.settings,
        counts=counted,
        metrics=metrics,
        steady=window,
        phases=phases,
        parts=parts,
        attempts=attempts,
        effective=recording.effective,
        mismatches=recording.mismatches,
        timings=recording.timings,
        broker=recording.broker,
        search=recording.search,
        others={name: value for name, value in recording.others.items() if name != "last_ns"},
        errors=recording.errors,
        host=recording.host,
        resources=used,
    )


def _slots(setup: Setup, effective: Sequence[Mapping[str, Any]]) -> int:
    """Where tasks could run at a time; where Celery chose the concurrency, what it took."""
    took = {node.get("node"): node.get("concurrency") for node in effective}
    groups = enumerate(setup.groups)
    return sum(took.get(node) or g.concurrency if g.auto else g.concurrency for node, g in groups)


def _last_other(recording: Recording) -> float:
    """When the last task that a task had called ended, seconds after the first intended time; 0 for none."""
    events = recording.events
    start = int(events["t_ns"].to_numpy()[events["kind"].to_numpy() == INTENDED].min())
    return max(0.0, (recording.others.get("last_ns", 0) - start) * NS)


def _metrics(
    table: pd.DataFrame,
    counted: Mapping[str, int],
    window: Steady | None,
    slots: int,
    others: tuple[float, float],
) -> dict[str, float]:
    """Metrics that follow from the events alone. ``others``: seconds of slots that went into the tasks that
    tasks had called, and when the last of these ended.
    """
    makespan = max(float(table["ended"].max()), others[1])
    out: dict[str, float] = {name: counted[name] for name in COUNTS}
    out["makespan"] = makespan
    settled = window is not None and window.verdict != "never"
    out["throughput"] = window.rate if window and settled else counted["completed"] / makespan
    out["utilisation"] = (float(table["service"].sum()) + others[0]) / (slots * makespan)
    return out | statistics(durations(table))


def completed_items(table: pd.DataFrame, workload: Sequence[TaskCall]) -> int:
    """How often completed units called somebody's function."""
    completed = np.isin(table["state"].to_numpy(), COMPLETED)
    totals = np.array([call.total for call in workload])
    return int(totals[table["task"].to_numpy()[completed]].sum())


def _span_ns(events: pd.DataFrame, table: pd.DataFrame) -> tuple[int, int]:
    """First intended and last ended time (monotonic ns); the last event where nothing ended."""
    if table.empty:
        return 0, 0
    start = int(events["t_ns"].to_numpy()[events["kind"].to_numpy() == INTENDED].min())
    last = table["ended"].max()
    return start, int(events["t_ns"].max()) if np.isnan(last) else start + round(last / NS)


def _of_search(
    search: Mapping[str, Any], steps: Sequence[Mapping[str, Any]], metrics: Mapping[str, float]
) -> dict[str, float]:
    """A search's metrics: the ``capacity`` it found, what its last step at that rate was like, and what the
    whole of it took (memory, CPU a task, counts). The rest would mix rates that nobody asked about.
    """
    held = [
        entry["metrics"]
        for step, entry in zip(search["steps"], steps, strict=True)
        if step["held"] and step["rate"] == search["rate"]
    ]
    whole = {name: metrics[name] for name in (*COUNTS, "memory", "cpu_per_task") if name in metrics}
    found = {"capacity": float(search["rate"])} | (held[-1] if held else {}) | whole
    return {name: found[name] for name in METRICS if name in found}


PEAKS = ("memory", "uss", "processes", "threads", "fds")
"""Sampled figures of which a trial keeps the highest; memory is PSS."""


def resources(samples: pd.DataFrame, start_ns: int, end_ns: int) -> dict[str, dict[str, float]]:
    """For each process group ``cpu`` (s) and context ``switches`` between the two times (linear between
    samples), and the most at once of ``PEAKS``; for ``system`` ``cpu`` and ``steal`` (s, all cores). What was
    not sampled is left out.
    """
    out: dict[str, dict[str, float]] = {}
    for group, rows in samples[samples["group"] != "tasks"].groupby("group", sort=False):
        used = {name: _between(rows, name, start_ns, end_ns) for name in ("cpu", "steal", "switches")}
        used |= {name: float(rows[name].max()) for name in PEAKS}
        out[str(group)] = {name: value for name, value in used.items() if np.isfinite(value)}
    return out


def _between(rows: pd.DataFrame, column: str, start_ns: int, end_ns: int) -> float:
    rows = rows[rows[column].notna()]
    if rows.empty:
        return float("nan")
    start, end = np.interp((start_ns, end_ns), rows["t_ns"].to_numpy(), rows[column].to_numpy())
    return float(end - start)


def _prices(
    table: pd.DataFrame, samples: pd.DataFrame, used: Mapping[str, Mapping[str, float]]
) -> dict[str, float]:
    """What the workers cost: ``cpu`` (cores), ``cpu_per_task`` (s), ``memory`` (bytes, parents and pool at
    the same sample).
    """
    seconds = [used[group]["cpu"] for group in WORKER_GROUPS if "cpu" in used.get(group, {})]
    out: dict[str, float] = {}
    if seconds:
        out["cpu"] = sum(seconds) / float(table["ended"].max())
        out["cpu_per_task"] = sum(seconds) / int((table["state"] != 0).sum())
    read = samples[samples["group"].isin(WORKER_GROUPS) & samples["memory"].notna()]
    if not read.empty:
        out["memory"] = float(read.groupby("t_ns")["memory"].sum().max())
    return out


def summarise(scenario: Scenario, results: Sequence[TrialResult]) -> list[CellSummary]:
    """One summary for each cell in the order of the file, also for cells without a finished trial; no doubts
    yet.
    """
    of_cell: dict[str, list[TrialResult]] = {cell.id: [] for cell in scenario.cells}
    for r in results:
        if r.scenario == scenario.name and r.cell in of_cell:
            of_cell[r.cell].append(r)
    ok = {cell: [r for r in ran if r.ok] for cell, ran in of_cell.items()}
    metrics = {cell: _estimates([r.metrics for r in ran]) | _of_searches(ran) for cell, ran in ok.items()}
    known = [cell for cell, ran in ok.items() if ran]
    metrics |= zip(known, at_one_speed([metrics[c] for c in known], [ok[c] for c in known]), strict=True)
    return [
        CellSummary(
            scenario=scenario.name,
            cell=cell.id,
            settings=cell.settings,
            trials=len(of_cell[cell.id]),
            failed_trials=len(of_cell[cell.id]) - len(ok[cell.id]),
            metrics=metrics[cell.id],
            phases=_by_name([r.phases for r in ok[cell.id] if not r.search]),
            parts=_by_name([r.parts for r in ok[cell.id]]),
            attempts=_by_name([r.attempts for r in ok[cell.id]]),
        )
        for cell in scenario.cells
    ]


def _of_searches(ok: Sequence[TrialResult]) -> dict[str, Estimate]:
    """The capacity of searches, with an interval that is never narrower than that of one search alone: what
    its steps left open (their distance above all) is in each of them, and repeating does not take it out.
    """
    found = [r.search for r in ok if r.search]
    if not found:
        return {}
    over = estimate("capacity", [float(search["rate"]) for search in found])
    own = [(s["lower"], s["upper"]) for s in found if s["lower"] is not None and s["upper"] is not None]
    if len(own) < len(found):
        first = found[0]
        return {"capacity": over if over.n > 1 else replace(over, lower=first["lower"], upper=first["upper"])}
    lower, upper = (geometric(ends).point for ends in zip(*own, strict=True))
    return {
        "capacity": replace(
            over,
            lower=lower if over.lower is None else min(lower, over.lower),
            upper=upper if over.upper is None else max(upper, over.upper),
        )
    }


def _by_name(trials: Sequence[Sequence[Mapping[str, Any]]]) -> tuple[PhaseSummary, ...]:
    """Phases, parts or attempts over the trials that had them (not every trial has a fourth attempt)."""
    found: dict[str, list[Mapping[str, float]]] = {}
    for entry in (entry for trial in trials for entry in trial):
        found.setdefault(entry["name"], []).append(entry["metrics"])
    return tuple(PhaseSummary(name=name, metrics=_estimates(metrics)) for name, metrics in found.items())


def _estimates(trials: Sequence[Mapping[str, float]]) -> dict[str, Estimate]:
    names = dict.fromkeys([*METRICS, *(name for metrics in trials for name in metrics)])
    values = {name: [m[name] for m in trials if name in m] for name in names}
    return {name: estimate(name, found) for name, found in values.items() if found}


def estimate(metric: str, values: Sequence[float]) -> Estimate:
    """Mean and 95 % interval of a metric over trials: geometric, or arithmetic for what can be zero (cut at
    0).
    """
    if metric.endswith(_ZERO_ABLE) or min(values) <= 0:
        found = arithmetic(values)
        lower = None if found.lower is None else max(0.0, found.lower)
        return Estimate(point=found.point, lower=lower, upper=found.upper, n=found.n)
    return Estimate(**geometric(values)._asdict())
