"""Pure: one step of a search for the capacity, and whether it was held.

A step publishes at one constant rate. It is **held** where the backlog did not grow and the SLO was met, else
**missed**. Rules, reasons and error rates stand in docs/methodology.md, "Capacity".
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import gate, units
from bench.stats.quantiles import LEVELS

Floats = NDArray[np.floating[Any]]

METRICS_OF_STEP = ("wait", "broker_wait", "prefetch_wait", "service", "response")
"""Durations that an SLO may limit. Lateness is the loader's, not the cell's."""

SETTLING = 0.2
"""Share of the step at its start that is not judged: the queue begins empty, and its first tasks flatter."""

GROWTH = 0.02
"""Growth of the backlog, as a share of the rate, up to which it does not count: at 2 % a queue has grown by
less than a second's work in LONGEST_S."""

GROWTH_Z = 1.645
"""Standard errors above zero from which a slope counts: one-sided 5 % (see ``slope``)."""

GROWTH_TASKS = 3.0
"""Fewest tasks by which the backlog must have risen over the step: one task more or less is no growth."""

BINS = 20
"""Means that the samples of the backlog are gathered into, so that waves within a bin are not noise."""

SWAMPED = 0.25
"""Share of all planned tasks that wait beyond the slots, from which a step is cut: even drained at once, the
backlog has grown by far more than ``GROWTH``."""

SWAMPED_TASKS = 20
"""And so many at least: a short queue comes and goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slo:
    """``metric`` (like p95(response)) must stay below ``limit`` (s)."""

    metric: str
    limit: float

    @property
    def statistic(self) -> str:
        return self.metric.partition("(")[0]

    @property
    def duration(self) -> str:
        """Which of ``METRICS_OF_STEP`` the values of ``judge`` are."""
        return self.metric.partition("(")[2].removesuffix(")")

    @property
    def level(self) -> float | None:
        """The level of a percentile, 0 to 1; None for mean and max."""
        return LEVELS.get(self.statistic)

    def __str__(self) -> str:
        return f"{self.metric} < {units.format_duration(self.limit)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What to publish next: ``tasks`` at ``rate`` (1/s), evenly, which takes ``seconds``. The first
    ``settling`` of them are not judged.
    """

    rate: float
    seconds: float
    tasks: int
    settling: int = 0

    @property
    def judged(self) -> int:
        return self.tasks - self.settling


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A step that was run: ``rate`` (1/s), ``seconds`` and ``tasks`` published, whether it was ``held`` and
    ``why`` not; ``value`` (s) of the SLO's metric, None where too many tasks never ended; ``slope`` of the
    backlog (tasks a second) and its mean, ``backlog`` (tasks).
    """

    rate: float
    seconds: float
    tasks: int
    held: bool
    value: float | None
    slope: float
    backlog: float = 0.0
    why: str = ""


def parse(text: str) -> Slo:
    """The SLO in ``text``, like ``p95(response) < 500ms``. Raises ValueError with what to write instead."""
    found = gate.parse(text)
    slo = Slo(metric=found.metric, limit=found.limit)
    if slo.duration not in METRICS_OF_STEP:
        known = ", ".join(METRICS_OF_STEP)
        raise ValueError(f"{text!r}: an SLO limits a statistic of {known}, like 'p95(response) < 500ms'")
    if found.op != "<":
        raise ValueError(f"{text!r}: an SLO is an upper limit; write '<' instead of {found.op!r}")
    if not slo.limit > 0:
        raise ValueError(f"{text!r}: no task takes less than nothing; the limit must be above 0")
    return slo


def lost_already(slo: Slo, exceeding: int, planned: int, *, queued: int = 0) -> bool:
    """Whether the step cannot be held any more, so that publishing may stop.

    ``exceeding`` tasks of the ``planned`` (``Step.judged``; those that settle are in neither) have reached
    the limit; ``queued`` are due, not ended, and beyond what the slots hold. A mean is only lost by its
    queue.
    """
    if queued > max(SWAMPED_TASKS, SWAMPED * planned):
        return True
    if slo.statistic == "mean":
        return False
    return exceeding > 0 and _too_many(slo, exceeding, planned)


def judge(
    slo: Slo,
    due: Floats,
    values: Floats,
    backlog_t: Floats,
    backlog_n: Floats,
    *,
    rate: float,
    seconds: float,
    cut: bool = False,
) -> Judged:
    """The verdict on a step.

    ``due`` (s after the step's start) and ``values`` (s, NaN where the task never ended) of each published
    task; ``backlog_n`` tasks were due and not ended at ``backlog_t`` (s after the start, ascending).
    ``cut``: publishing was stopped because the step was lost.
    """
    published = float(due.max()) if cut and due.size else seconds
    inside = (backlog_t >= SETTLING * published) & (backlog_t <= published)
    growth, error = slope(backlog_t[inside], backlog_n[inside])
    settled = due >= SETTLING * published
    values = values[settled] if settled.any() else values
    value = _value(slo, values)
    why = _why_missed(slo, values, value) or _why_growing(growth, error, rate, published)
    if cut and not why:
        why = "the queue grew so fast that the step was cut"
    return Judged(
        rate=rate,
        seconds=published,
        tasks=int(due.size),
        held=not why,
        value=value,
        slope=growth,
        backlog=float(backlog_n[inside].mean()) if inside.any() else float(due.size),
        why=why,
    )


def slope(t: Floats, n: Floats) -> tuple[float, float]:
    """Least-squares slope of the backlog ``n`` over ``t`` (s), and its standard error, in tasks a second.

    A queue near its capacity is a random walk: its samples are not independent, and the usual error of a
    regression is several times too small. For a walk whose variance grows by σ² a second, the slope over T
    seconds has variance 6σ²/(5T) (Durlauf and Phillips, Econometrica 56, 1988), and means of bins Δ long
    differ from their neighbours with variance 2σ²Δ/3. Below capacity a queue wanders less than that, so the
    test errs towards "not growing". (0, 0) for fewer than four samples.
    """
    if t.size < 4:
        return 0.0, 0.0
    groups = np.array_split(np.arange(t.size), min(BINS, t.size // 2))
    means = np.array([n[g].mean() for g in groups])
    x = np.array([t[g].mean() for g in groups])
    x -= x.mean()
    found = float(x @ means / (x @ x))
    steps = np.diff(means) - found * np.diff(x)
    width = float(np.diff(x).mean())
    variance = 1.5 * float(steps @ steps) / max(steps.size - 1, 1) / width
    return found, math.sqrt(1.2 * variance / float(t[-1] - t[0]))


def _why_growing(growth: float, error: float, rate: float, seconds: float) -> str:
    least = max(GROWTH * rate, GROWTH_Z * error, GROWTH_TASKS / (seconds * (1 - SETTLING)))
    return f"the backlog grew by {units.format_rate(growth)}" if growth > least else ""


def _why_missed(slo: Slo, values: Floats, value: float | None) -> str:
    if values.size == 0:
        return "no task was published"
    exceeding = int(values.size - (values < slo.limit).sum())
    if slo.level is None:
        missed = value is None or value >= slo.limit
    else:
        missed = _too_many(slo, exceeding, values.size)
    if not missed:
        return ""
    if value is None:
        return f"{units.plural(int(np.isnan(values).sum()), 'task')} did not end"
    return f"{slo.metric} was {units.format_duration(value)}"


def _too_many(slo: Slo, exceeding: int, tasks: int) -> bool:
    """Whether so many tasks at or above the limit break a percentile (for max: any)."""
    return exceeding >= (1 - (slo.level or 1.0)) * tasks * (1 - 1e-9)


def _value(slo: Slo, values: Floats) -> float | None:
    """The SLO's metric over the tasks; one that did not end is longer than all others."""
    if values.size == 0:
        return None
    filled = np.where(np.isnan(values), np.inf, values)
    if slo.level is None:
        value = float(filled.mean() if slo.statistic == "mean" else filled.max())
    else:
        value = float(np.quantile(filled, slo.level, method="inverted_cdf"))
    return value if math.isfinite(value) else None
