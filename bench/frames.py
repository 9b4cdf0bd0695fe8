"""A run as DataFrames, for notebooks and for files: its trials, their tasks, the estimates of its cells."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench import doubts, events, spans, store
from bench.errors import BenchError, UsageError
from bench.measured import METRICS
from bench.scenario.mistakes import did_you_mean

if TYPE_CHECKING:
    import pandas as pd

    from bench.model import Label

TABLES = ("trials", "tasks", "cells")


def load(
    run: store.Run | str | Path = "latest", table: str = "trials", results: str | Path = "results"
) -> "pd.DataFrame":
    """The numbers of a run: seconds, bytes, per second, NaN for what was not measured.

    ``run``: a name, a path, ``latest``, or an open run. ``table``:

    - ``trials``: a row for each trial, failed ones too; ``trial``, ``scenario``, ``cell``, a column for each
      axis (``workers.pool``), ``block``, ``position``, ``started_at``, ``outcome``, ``reason``, and one for
      each metric.
    - ``tasks``: a row for each task (or canvas) of each good trial: ``trial``, ``scenario``, ``cell``, axes,
      ``block``, ``seq``, then ``intended`` … ``ended`` in seconds after the first intended time, ``state``,
      ``attempts``, ``node``, ``pid``, and its durations ``lateness`` … ``overhead``.
    - ``cells``: a row for each metric of each cell: ``scenario``, ``cell``, axes, ``metric``, ``point``,
      ``lower`` and ``upper`` (95 %; NaN of one trial), ``trials``.

    Raises UsageError where there is no such run or table.
    """
    import pandas as pd

    if table not in TABLES:
        raise UsageError(f"There is no table {table!r}. {did_you_mean(str(table), TABLES)}")
    try:
        found = run if isinstance(run, store.Run) else store.open_run(Path(results), str(run))
    except BenchError as error:
        error.add_note(error.hint)
        raise
    if table == "tasks":
        return _tasks(found)
    return pd.DataFrame(_trials(found) if table == "trials" else _cells(found))


def _axes(run: store.Run) -> list[str]:
    """Every axis of the run."""
    return list(dict.fromkeys(a for s in run.scenarios for cell in s.cells for a in cell.settings))


def _on(axes: Sequence[str], settings: Mapping[str, "Label"]) -> dict[str, "Label | None"]:
    """A value for each axis."""
    return {axis: settings.get(axis) for axis in axes}


def _trials(run: store.Run) -> list[dict[str, Any]]:
    results, axes = run.results(), _axes(run)
    metrics = [m for m in METRICS if any(m in result.metrics for result in results)]
    return [
        {
            "trial": r.trial, "scenario": r.scenario, "cell": r.cell, **_on(axes, r.settings),
            "block": r.block, "position": r.position, "started_at": r.started_at,
            "outcome": r.outcome, "reason": r.reason, **{m: r.metrics.get(m, np.nan) for m in metrics},
        }
        for r in results
    ]  # fmt: skip


def _cells(run: store.Run) -> list[dict[str, Any]]:
    axes = _axes(run)
    return [
        {
            "scenario": s.scenario, "cell": s.cell, **_on(axes, s.settings), "metric": metric,
            "point": e.point, "lower": _number(e.lower), "upper": _number(e.upper), "trials": e.n,
        }
        for s in doubts.summarise_run(run)
        for metric, e in s.metrics.items()
    ]  # fmt: skip


def _number(end: float | None) -> float:
    return np.nan if end is None else end


def _tasks(run: store.Run) -> "pd.DataFrame":
    import pandas as pd

    workloads = {cell.id: cell.setup.workload for s in run.scenarios for cell in s.cells}
    frames, axes = [], _axes(run)
    for r in run.results():
        if not r.ok:
            continue
        table = events.tasks(run.events(r.trial), workloads[r.cell])
        ended = (table["state"] != 0).to_numpy()
        for name, values in spans.durations(table).items():
            table[name] = np.nan
            table.loc[ended, name] = values
        table = table.reset_index()
        head = {"trial": r.trial, "scenario": r.scenario, "cell": r.cell, **_on(axes, r.settings)}
        for place, (name, value) in enumerate({**head, "block": r.block}.items()):
            table.insert(place, name, value)
        frames.append(table)
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
