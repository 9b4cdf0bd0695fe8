"""What the tasks of a trial went through: how long each part took, how many fared how, phase by phase.

Pure: task tables (``bench.events.tasks``) in, numbers out. Definitions are in docs/methodology.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from bench import pacing
from bench.canvas import part_names
from bench.events import COMPLETED, NS, RETRY, STARTED, Floats, by_time
from bench.measured import COUNTS, METRICS
from bench.model import Load, TaskCall
from bench.pacing import Phase
from bench.scatter import by_message, runs
from bench.stats.quantiles import LEVELS, quantiles
from bench.units import format_rate


def durations(tasks: pd.DataFrame) -> dict[str, Floats]:
    """Seconds of each of ``measured.DURATIONS`` for every task that ended finally, in the order of ``tasks``.

    Failed tasks are in: leaving out those that ran into a time limit would flatter. NaN where a part
    never happened (a revoked task was not started; a plain task has no overhead). wait = lateness +
    broker_wait + prefetch_wait.
    """
    ended = tasks[tasks["state"] != 0]
    at = {name: ended[name].to_numpy() for name in _TIMES}
    published = np.fmax(at["sent"], at["intended"])
    return {
        "lateness": published - at["intended"],
        "broker_wait": np.maximum(at["received"] - published, 0.0),
        "prefetch_wait": at["started"] - at["received"],
        "wait": np.maximum(at["started"] - at["intended"], 0.0),
        "service": at["service"],
        "response": at["ended"] - at["intended"],
        "roundtrip": at["returned"] - at["intended"],
        "overhead": np.maximum(at["ended"] - at["intended"] - at["path"], 0.0),
    }


_TIMES = ("intended", "sent", "received", "started", "ended", "returned", "service", "path")


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


def statistics(spans: Mapping[str, Floats]) -> dict[str, float]:
    """Percentiles, mean and maximum of every duration that any task has."""
    out: dict[str, float] = {}
    for name, column in spans.items():
        values = column[~np.isnan(column)]
        if values.size == 0:
            continue
        found = quantiles(values, tuple(LEVELS.values()))
        out |= {f"{p}({name})": q for p, q in zip(LEVELS, found, strict=True) if q is not None}
        out |= {f"mean({name})": float(values.mean()), f"max({name})": float(values.max())}
    return out


def known_metrics(metrics: Mapping[str, float]) -> dict[str, float]:
    """Those that are numbers, in the order of ``measured.METRICS``."""
    return {name: float(metrics[name]) for name in METRICS if np.isfinite(metrics.get(name, np.nan))}


def by_part(parts: pd.DataFrame, workload: Sequence[TaskCall]) -> tuple[dict[str, Any], ...]:
    """One entry for each part of each canvas, parts alike of one stage together: ``name``, ``tasks`` that
    ended, and the ``metrics`` of their service, their wait (since each could have begun) and their counts.
    """
    out = []
    number, task = parts["number"].to_numpy(), parts["task"].to_numpy()
    for entry, call in enumerate(workload):
        first = 1
        for name, many in part_names(call) if call.canvas else ():
            own = parts[(task == entry) & (number >= first) & (number < first + many)]
            first += many
            ended = own[own["state"] != 0]
            spans = {
                "wait": np.maximum(ended["started"] - ended["begin"], 0.0).to_numpy(),
                "service": ended["service"].to_numpy(),
            }
            counted = {
                n: float(c) for n, c in counts(own).items() if n in ("failed", "retried", "duplicated")
            }
            metrics = known_metrics(statistics(spans) | counted)
            out.append({"name": f"{call.name}: {name}", "tasks": len(ended), "metrics": metrics})
    return tuple(out)


def by_attempt(events: pd.DataFrame) -> tuple[dict[str, Any], ...]:
    """One entry for each attempt (``name`` 1, 2, 3 …) of the tasks and parts, where anything was
    retried: how many ``started succeeded retried failed``, and statistics of their service.
    """
    log, known = by_message(by_time(events))
    if not (log.known & (log.state == RETRY)).any():
        return ()
    start, end = runs(log, known)
    tried = events["attempt"].to_numpy()[start]
    state, took = log.state[end], (log.t[end] - log.t[start]) * NS
    every = events["attempt"].to_numpy()[log.known & (log.kind == STARTED)]
    out = []
    for attempt in np.unique(every).tolist():
        own = state[tried == attempt]
        good, retried = np.isin(own, COMPLETED).sum(), (own == RETRY).sum()
        found = {
            "started": float((every == attempt).sum()),
            "succeeded": float(good),
            "retried": float(retried),
            "failed": float(own.size - good - retried),
        }
        metrics = found | statistics({"service": took[tried == attempt]})
        out.append({"name": str(attempt + 1), "metrics": metrics})
    return tuple(out)


def by_phase(load: Load, seed: int, table: pd.DataFrame) -> tuple[dict[str, Any], ...]:
    """One entry for each phase of the load: ``name``, ``start``, ``end`` (s), ``tasks`` due in it and their
    ``metrics``. Durations are those of the tasks due in the phase, whenever they ended; throughput counts the
    completions while it lasted (until its last task ended, for a burst that has no length).
    """
    phases = pacing.phases(load)
    if not phases:
        return ()
    origin = float(pacing.due_times(load, seed)[0])  # times count from the first task, phases from the load
    shifted = [replace(phase, start=phase.start - origin, end=phase.end - origin) for phase in phases]
    return _entries(shifted, table)


def by_step(steps: Sequence[Mapping[str, Any]], table: pd.DataFrame) -> tuple[dict[str, Any], ...]:
    """The same for each step of a search."""
    phases = []
    for number, step in enumerate(steps, start=1):
        start = float(table["intended"].get(step["first"], np.nan))
        phases.append(
            Phase(
                name=f"{number} {format_rate(step['rate'])}",
                start=start,
                end=start + step["seconds"],
                first=step["first"],
                count=step["tasks"],
            )
        )
    return _entries(phases, table)


def _entries(phases: Sequence[Phase], table: pd.DataFrame) -> tuple[dict[str, Any], ...]:
    completed = np.sort(table["ended"].to_numpy()[np.isin(table["state"].to_numpy(), COMPLETED)])
    out = []
    for phase in phases:
        own = table.loc[phase.first : phase.first + phase.count - 1]
        if own.empty:
            continue
        end = phase.end if phase.end > phase.start else float(own["ended"].max())
        inside = int(np.diff(np.searchsorted(completed, (phase.start, end)))[0])
        counted = counts(own)
        metrics = {name: float(counted[name]) for name in COUNTS} | statistics(durations(own))
        if end > phase.start:
            metrics["throughput"] = inside / (end - phase.start)
        known = known_metrics(metrics)
        start = max(0.0, phase.start)
        out.append({"name": phase.name, "start": start, "end": end, "tasks": len(own), "metrics": known})
    return tuple(out)
