"""What the tasks of a trial went through: how long each part took, how many fared how, phase by phase.

Pure: task tables (``bench.events.tasks``) in, numbers out. Definitions are in docs/methodology.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from bench import pacing
from bench.events import COMPLETED, Floats
from bench.model import COUNTS, METRICS, Load
from bench.pacing import Phase
from bench.stats.quantiles import LEVELS, quantiles
from bench.units import format_rate


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
        "wait": np.maximum(at["started"] - at["intended"], 0.0),
        "service": at["ended"] - at["last_started"],
        "response": at["ended"] - at["intended"],
        "roundtrip": at["returned"] - at["intended"],
    }


_TIMES = ("intended", "sent", "received", "started", "last_started", "ended", "returned")


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
        known = {name: metrics[name] for name in METRICS if np.isfinite(metrics.get(name, np.nan))}
        start = max(0.0, phase.start)
        out.append({"name": phase.name, "start": start, "end": end, "tasks": len(own), "metrics": known})
    return tuple(out)
