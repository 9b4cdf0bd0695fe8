"""A run in the formats of other tools: pytest-benchmark, Bencher, Parquet, HdrHistogram."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench import compare, doubts, frames, store
from bench.errors import EnvironmentFault, UsageError
from bench.measured import COUNTS, DURATIONS, CellSummary, TrialResult
from bench.report import labels
from bench.report.charts import slug

RATES = ("throughput", "items", "capacity")
TIMES = ("makespan", "cpu_per_task")
LONGEST_US = 24 * 3600 * 1_000_000
DIGITS = 3
"""Significant digits of a histogram's values."""

Measured = tuple[CellSummary, list[TrialResult]]
"""A cell with its good trials."""


def pytest_benchmark(run: store.Run, metrics: Sequence[str]) -> dict[str, Any]:
    """A file that ``pytest-benchmark compare`` reads: a benchmark for each metric of each cell, a round for
    each trial.

    Its numbers are seconds, so a rate becomes the seconds between two tasks, and its OPS is the rate again.
    Raises UsageError for a metric that is neither a time nor a rate.
    """
    asked = (scenario.metric for scenario in run.scenarios)
    chosen = metrics or tuple(dict.fromkeys(m if _is_time(m) else "throughput" for m in asked))
    wrong = [metric for metric in chosen if not _is_time(metric)]
    if wrong:
        raise UsageError(
            f"pytest-benchmark knows only times, and {wrong[0]} is none.", "Name a time or a rate: throughput"
        )
    cells = list(_cells(run))
    host, revision = run.meta.get("host", {}), str(run.meta.get("revision", ""))
    commit, _, dirty = revision.partition("-")
    return {
        "machine_info": {
            "node": "", "processor": host.get("machine", ""), "machine": host.get("machine", ""),
            "python_version": host.get("python", ""), "system": "Linux", "release": host.get("kernel", ""),
            "cpu": {"brand_raw": host.get("cpu", ""), "count": host.get("cores", 0)},
        },
        "commit_info": {"id": commit or "unversioned", "dirty": bool(dirty), "project": "celery-bench"},
        "benchmarks": [b for metric in chosen for b in _benchmarks(run, cells, metric)],
        "datetime": store.created(run.meta).isoformat(),
        "version": _library("pytest_benchmark").__version__,
    }  # fmt: skip


def left_out(run: store.Run, metrics: Sequence[str], *, times: bool) -> Iterator[tuple[str, str]]:
    """Which of ``metrics`` an export has not, and why: ``was not measured in any trial``. ``times``: it holds
    times only, where zero is none.
    """
    good = [result.metrics for result in run.results() if result.ok]
    for metric in dict.fromkeys(metrics):
        values = [each[metric] for each in good if metric in each]
        if not values:
            yield metric, "was not measured in any trial"
        elif times and max(values) <= 0:
            yield metric, "is zero in every trial, which is no time"


def _is_time(metric: str) -> bool:
    return metric in RATES + TIMES or metric.endswith(")")


def _benchmarks(run: store.Run, cells: Sequence[Measured], metric: str) -> Iterator[dict[str, Any]]:
    stats = _library("pytest_benchmark.stats")
    for summary, trials in cells:
        found = stats.Stats()
        for trial in trials:
            value = trial.metrics.get(metric, 0.0)
            if value > 0:
                found.update(1 / value if metric in RATES else value)
        if not found:
            continue
        params = {axis: str(label) for axis, label in summary.settings.items()}
        param = labels.settings_text(summary.settings) if params else ""
        name = f"{metric}[{param}]" if param else metric
        yield {
            "group": metric,
            "name": name,
            "fullname": f"{summary.scenario}::{name}",
            "params": params or None,
            "param": param or None,
            "extra_info": {"run": run.name, "scenario": summary.scenario, "cell": summary.cell},
            "options": {},
            "stats": {**found.as_dict(), "data": found.data, "iterations": 1},
        }


def bencher(run: store.Run, metrics: Sequence[str]) -> dict[str, dict[str, dict[str, float]]]:
    """Bencher Metric Format: cell → metric → value with the ends of its 95 % interval, SI units.

    Slugs as Bencher makes them: ``p95(response)`` is ``p95-response``.
    """
    chosen = metrics or [m for m in compare.metrics_of(run.scenarios) if m not in COUNTS]
    found = {}
    for summary, _ in _cells(run):
        measures = {}
        for metric in chosen:
            estimate = summary.metrics.get(metric)
            if estimate is not None:
                ends = {"lower_value": estimate.lower, "upper_value": estimate.upper}
                known = {name: end for name, end in ends.items() if end is not None and np.isfinite(end)}
                measures[slug(metric)] = {"value": estimate.point, **known}
        if measures:
            found[_name(summary)] = measures
    return found


def parquet(run: store.Run, folder: Path) -> list[Path]:
    """``trials.parquet``, ``tasks.parquet`` and ``cells.parquet``: the tables of ``bench.load``."""
    from pandas.api.types import is_object_dtype

    written = []
    for name in frames.TABLES:
        table = frames.load(run, name)
        for column in table.columns:
            if is_object_dtype(table[column]):  # labels of several types
                table[column] = table[column].map(lambda value: None if value is None else str(value))
        written.append(folder / f"{name}.parquet")
        table.to_parquet(written[-1], index=False, compression="zstd")
    return written


def histograms(run: store.Run, folder: Path) -> list[Path]:
    """A percentile file of HdrHistogram for each duration of each cell: microseconds of all its tasks in all
    good trials, to three digits.
    """
    histogram = _library("hdrh.histogram").HdrHistogram
    table = frames.load(run, "tasks")
    written = []
    for summary, trials in _cells(run):
        mine = table[(table["scenario"] == summary.scenario) & (table["cell"] == summary.cell)]
        for duration in DURATIONS if trials else ():
            seconds = mine[duration].dropna().to_numpy()
            if not seconds.size:
                continue
            found = histogram(1, LONGEST_US, DIGITS)
            values, times = np.unique(np.rint(seconds.clip(0) * 1e6).astype(int), return_counts=True)
            for value, count in zip(values.tolist(), times.tolist(), strict=True):
                found.record_value(value, count)
            path = folder / f"{slug(_name(summary))}-{summary.cell}-{slug(duration)}.hgrm"
            with path.open("wb") as file:
                found.output_percentile_distribution(file, 1)
            written.append(path)
    return written


def _cells(run: store.Run) -> Iterator[Measured]:
    """Every cell with its good trials."""
    results = [result for result in run.results() if result.ok]
    for summary in doubts.summarise_run(run):
        yield summary, [r for r in results if (r.scenario, r.cell) == (summary.scenario, summary.cell)]


def _name(summary: CellSummary) -> str:
    """``quickstart[prefork · prefetch 4]``."""
    return summary.scenario + (f"[{labels.settings_text(summary.settings)}]" if summary.settings else "")


def _library(name: str) -> Any:
    """A package of the extra ``export``. Raises EnvironmentFault where it is not installed."""
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError:
        raise EnvironmentFault(
            f"This needs the package of {name.partition('.')[0]}.", "pip install 'celery-bench[export]'"
        ) from None


def text(data: Mapping[str, Any]) -> str:
    """As a JSON file."""
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False)
