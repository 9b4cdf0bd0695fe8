"""From the events and samples of a trial to its numbers, and from the trials of a cell to estimates.

How every number is defined and why stands in docs/methodology.md. Pure: nothing here starts, reads or
writes anything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.model import COUNTS, METRICS, CellSummary, Estimate, Scenario, Trial, TrialResult
from bench.stats.intervals import arithmetic, geometric
from bench.stats.quantiles import LEVELS, quantiles
from bench.stats.steady import Steady, steady

INTENDED, SENT, RECEIVED, STARTED, ENDED = range(1, 6)
"""Kinds of event, as written by ``bench.run.eventlog``."""

SUCCESS, FAILURE, RETRY, REVOKED, REJECTED, IGNORED, WORKER_LOST = range(1, 8)
"""States of an end. Every state but RETRY is final."""

COMPLETED = (SUCCESS, IGNORED)
"""Final states of a task that did what it should; the other final states count as failed."""

NS = 1e-9
WORKER_GROUPS = ("workers", "pool")
"""Process groups whose CPU and memory are the price of a setting."""

EVENT_COLUMNS: Mapping[str, str] = {
    "seq": "int64",
    "t_ns": "int64",
    "kind": "uint8",
    "state": "uint8",
    "attempt": "uint16",
    "node": "int16",
    "pid": "int32",
    "task": "int16",
}
SAMPLE_COLUMNS: Mapping[str, str] = {
    "t_ns": "int64",
    "group": "str",
    "cpu": "float64",
    "memory": "float64",
    "processes": "float64",
    "steal": "float64",
    "completed": "float64",
    "backlog": "float64",
}

_ZERO_ABLE = (*COUNTS, "(lateness)", "(broker_wait)")
"""Metrics that are zero in a healthy trial: their trials are averaged arithmetically, the others
geometrically."""

Floats = NDArray[np.float64]


def no_events() -> pd.DataFrame:
    """An empty frame with the columns of events.parquet."""
    return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in EVENT_COLUMNS.items()})


def no_samples() -> pd.DataFrame:
    """An empty frame with the columns of samples.parquet."""
    return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in SAMPLE_COLUMNS.items()})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recording:
    """What an executor brings back from one trial: raw, nothing computed. Columns are those of
    docs/results.md.

    ``timings`` in seconds; ``logs`` maps a file name (``node-0.log``) to its text.
    """

    started_at: str
    outcome: str
    events: pd.DataFrame = field(default_factory=no_events)
    samples: pd.DataFrame = field(default_factory=no_samples)
    reason: str = ""
    log_tail: str = ""
    effective: tuple[dict[str, Any], ...] = ()
    mismatches: tuple[str, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict)
    logs: Mapping[str, str] = field(default_factory=dict)


def tasks(events: pd.DataFrame) -> pd.DataFrame:
    """One row for each task that has an intended event, indexed by ``seq``.

    Columns in seconds after the first intended time, NaN where there is no such event: ``intended``,
    ``sent`` (never after received: the loader notes a sending when the call returns, a fast worker has the
    task by then), ``received`` and ``started`` of the first attempt, ``last_started`` of the last one,
    ``ended`` (the first final end; a completing one goes before a failing one). ``task``; ``state`` of
    that end (0: none); ``attempts`` (starts), ``retries`` (retry ends), ``finals`` (final ends: more than
    1 is a duplicate); ``node`` and ``pid`` that ran it last (−1: none).
    """
    if not events["t_ns"].is_monotonic_increasing:
        events = events.sort_values("t_ns", kind="stable")
    log = _Scatter(events)
    ends = log.kind == ENDED
    final = ends & (log.state != RETRY)
    completing = final & np.isin(log.state, COMPLETED)
    ended_at = log.first(completing)
    ended_at = np.where(ended_at < 0, log.first(final & ~completing), ended_at)
    received, ended = log.seconds(log.first(log.kind == RECEIVED)), log.seconds(ended_at)
    starts = log.kind == STARTED
    last_start = log.last(starts, not_after=ended_at)
    ran = np.where(last_start >= 0, last_start, ended_at)
    return pd.DataFrame(
        {
            "task": log.pick("task", log.first(log.kind == INTENDED)),
            "intended": log.seconds(log.first(log.kind == INTENDED)),
            "sent": np.fmin(log.seconds(log.first(log.kind == SENT)), _or_inf(received)),
            "received": received,
            "started": log.seconds(log.first(starts)),
            "last_started": log.seconds(last_start),
            "ended": ended,
            "state": log.pick("state", ended_at, missing=0),
            "attempts": log.count(starts),
            "retries": log.count(ends & (log.state == RETRY)),
            "finals": log.count(final),
            "node": log.pick("node", ran),
            "pid": log.pick("pid", ran),
        },
        index=pd.Index(log.seq, name="seq"),
    )


class _Scatter:
    """Events sorted by time, addressed by the row of their task: array writes instead of a group-by, which
    is some fifty times slower for millions of tasks. Positions are −1 where a task has no such event."""

    def __init__(self, events: pd.DataFrame) -> None:
        self.events = events
        self.t, seq = events["t_ns"].to_numpy(), events["seq"].to_numpy()
        self.kind, self.state = events["kind"].to_numpy(), events["state"].to_numpy()
        intended = np.flatnonzero(self.kind == INTENDED)
        self.seq = np.unique(seq[intended])
        self.start = int(self.t[intended].min()) if intended.size else 0
        n = self.seq.size
        if n and self.seq[-1] == n - 1 and self.seq[0] == 0:
            row, known = seq, (seq >= 0) & (seq < n)
        else:
            row = np.searchsorted(self.seq, seq)
            known = (row < n) & (self.seq[np.minimum(row, n - 1)] == seq) if n else np.zeros(seq.size, bool)
        self.row, self.known, self.n = row, known, n

    def first(self, mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Position of each task's first event under ``mask``: written backwards, so that the first stays."""
        return self._write(np.flatnonzero(mask & self.known)[::-1])

    def last(self, mask: NDArray[np.bool_], *, not_after: NDArray[np.int64]) -> NDArray[np.int64]:
        """Position of each task's last event under ``mask``, not after its event at ``not_after`` if it has
        one.
        """
        at = np.flatnonzero(mask & self.known)
        limit = not_after[self.row[at]]
        return self._write(at[(limit < 0) | (at < limit)])

    def _write(self, at: NDArray[np.int64]) -> NDArray[np.int64]:
        out = np.full(self.n, -1, dtype=np.int64)
        out[self.row[at]] = at
        return out

    def count(self, mask: NDArray[np.bool_]) -> NDArray[np.int32]:
        rows = self.row[np.flatnonzero(mask & self.known)]
        return np.bincount(rows, minlength=self.n).astype(np.int32)

    def seconds(self, at: NDArray[np.int64]) -> Floats:
        out = np.full(self.n, np.nan)
        there = at >= 0
        out[there] = (self.t[at[there]] - self.start) * NS
        return out

    def pick(self, column: str, at: NDArray[np.int64], missing: int = -1) -> NDArray[np.integer[Any]]:
        values = self.events[column].to_numpy()
        out = np.full(self.n, missing, dtype=values.dtype)
        there = at >= 0
        out[there] = values[at[there]]
        return out


def _or_inf(values: Floats) -> Floats:
    return np.where(np.isnan(values), np.inf, values)


def durations(tasks: pd.DataFrame) -> dict[str, Floats]:
    """Seconds of each of ``model.DURATIONS`` for every task that ended finally, in the order of ``tasks``.

    Failed tasks are in: leaving out those that ran into a time limit would flatter. NaN where a part
    never happened (a revoked task was not started). wait = lateness + broker_wait + prefetch_wait.
    """
    ended = tasks[tasks["state"] != 0]
    at = {name: ended[name].to_numpy() for name in _TIMES}
    published = np.fmax(at["sent"], at["intended"])
    return {
        "lateness": published - at["intended"],
        "broker_wait": np.maximum(at["received"] - published, 0.0),
        "prefetch_wait": at["started"] - at["received"],
        "wait": at["started"] - at["intended"],
        "service": at["ended"] - at["last_started"],
        "response": at["ended"] - at["intended"],
    }


_TIMES = ("intended", "sent", "received", "started", "last_started", "ended")


def counts(tasks: pd.DataFrame) -> dict[str, int]:
    """published = completed + failed + lost, always; and how many retries and repeated final ends there
    were.
    """
    state = tasks["state"].to_numpy()
    ended = int((state != 0).sum())
    completed = int(np.isin(state, COMPLETED).sum())
    return {
        "published": len(tasks),
        "completed": completed,
        "failed": ended - completed,
        "lost": len(tasks) - ended,
        "retried": int(tasks["retries"].sum()),
        "duplicated": int(tasks["finals"].sum()) - ended,
    }


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
    table = tasks(recording.events)
    counted = counts(table)
    used = resources(recording.samples, *_span_ns(recording.events, table))
    metrics: dict[str, float] = {}
    window: dict[str, Any] = {}
    if recording.outcome == "ok" and counted["published"] > counted["lost"]:
        slots = trial.cell.setup.workers.slots
        found = steady_window(table, slots)
        metrics = _metrics(table, counted, found, slots) | _prices(table, recording.samples, used)
        metrics = {name: metrics[name] for name in METRICS if np.isfinite(metrics.get(name, np.nan))}
        window = {k: getattr(found, k) for k in ("verdict", "start", "end", "tasks", "why")}
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
        effective=recording.effective,
        mismatches=recording.mismatches,
        timings=recording.timings,
        resources=used,
    )


def _metrics(table: pd.DataFrame, counted: Mapping[str, int], window: Steady, slots: int) -> dict[str, float]:
    """Metrics that follow from the events alone."""
    makespan = float(table["ended"].max())
    out: dict[str, float] = {name: counted[name] for name in COUNTS}
    out["makespan"] = makespan
    out["throughput"] = window.rate if window.verdict != "never" else counted["completed"] / makespan
    for name, column in durations(table).items():
        values = column[~np.isnan(column)]
        if values.size == 0:
            continue
        found = quantiles(values, tuple(LEVELS.values()))
        out |= {f"{p}({name})": q for p, q in zip(LEVELS, found, strict=True) if q is not None}
        out |= {f"mean({name})": float(values.mean()), f"max({name})": float(values.max())}
        if name == "service":
            out["utilisation"] = float(values.sum()) / (slots * makespan)
    return out


def _span_ns(events: pd.DataFrame, table: pd.DataFrame) -> tuple[int, int]:
    """First intended and last ended time (monotonic ns); the last event where nothing ended."""
    if table.empty:
        return 0, 0
    start = int(events["t_ns"].to_numpy()[events["kind"].to_numpy() == INTENDED].min())
    last = table["ended"].max()
    return start, int(events["t_ns"].max()) if np.isnan(last) else start + round(last / NS)


def resources(samples: pd.DataFrame, start_ns: int, end_ns: int) -> dict[str, dict[str, float]]:
    """For each process group ``cpu`` (s) between the two times (linear between samples), ``memory`` (peak
    PSS, bytes) and ``processes`` (most at once); for ``system`` ``cpu`` and ``steal`` (s, all cores). What
    was not sampled is left out.
    """
    out: dict[str, dict[str, float]] = {}
    for group, rows in samples[samples["group"] != "tasks"].groupby("group", sort=False):
        used = {name: _between(rows, name, start_ns, end_ns) for name in ("cpu", "steal")}
        used |= {name: float(rows[name].max()) for name in ("memory", "processes")}
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
    return [
        CellSummary(
            scenario=scenario.name,
            cell=cell.id,
            settings=cell.settings,
            trials=len(of_cell[cell.id]),
            failed_trials=sum(not r.ok for r in of_cell[cell.id]),
            metrics=_estimates([r.metrics for r in of_cell[cell.id] if r.ok]),
        )
        for cell in scenario.cells
    ]


def _estimates(trials: Sequence[Mapping[str, float]]) -> dict[str, Estimate]:
    values = {name: [m[name] for m in trials if name in m] for name in METRICS}
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
