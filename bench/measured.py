"""The nouns of what came back: a TrialResult, and over several of them Estimates, Doubts and CellSummaries;
and what their metrics are called.

Plain frozen data, standard library only. Times are seconds, sizes bytes, rates per second.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.model import Label

DURATIONS = (
    "lateness",
    "broker_wait",
    "prefetch_wait",
    "wait",
    "service",
    "response",
    "roundtrip",
    "overhead",
)
STATISTICS = ("p50", "p90", "p95", "p99", "p999", "mean", "max")
COUNTS = ("failed", "retried", "lost", "duplicated")
PLAIN_METRICS = (
    "throughput",
    "items",
    "makespan",
    "utilisation",
    "capacity",
    "cpu_per_task",
    "cpu",
    "memory",
    *COUNTS,
)
METRICS = PLAIN_METRICS + tuple(f"{s}({d})" for d in DURATIONS for s in STATISTICS)
HIGHER_IS_BETTER = frozenset({"throughput", "items", "utilisation", "capacity"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialResult:
    """What one trial came to: one line of ``trials.jsonl``; fields are explained in docs/results.md."""

    trial: str
    scenario: str
    cell: str
    block: int
    position: int
    seed: int
    started_at: str
    outcome: str
    reason: str = ""
    log_tail: str = ""
    settings: Mapping[str, Label] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    steady: Mapping[str, Any] = field(default_factory=dict)
    effective: tuple[Mapping[str, Any], ...] = ()
    mismatches: tuple[str, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict)
    resources: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    broker: Mapping[str, float] = field(default_factory=dict)
    phases: tuple[Mapping[str, Any], ...] = ()
    parts: tuple[Mapping[str, Any], ...] = ()
    attempts: tuple[Mapping[str, Any], ...] = ()
    search: Mapping[str, Any] = field(default_factory=dict)
    others: Mapping[str, float] = field(default_factory=dict)
    errors: tuple[Mapping[str, Any], ...] = ()
    host: Mapping[str, float] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return self.outcome == "ok"

    @property
    def seconds(self) -> float:
        """How long the trial took, with everything around its load."""
        return sum(self.timings.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number with its 95 % interval over ``n`` trials; no interval (None) where n is below 2.

    ``adjusted``: stated at the run's mean host speed (docs/methodology.md, "Host speed").
    """

    point: float
    lower: float | None = None
    upper: float | None = None
    n: int = 1
    adjusted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """A reason not to believe a number: ``kind`` (a stable word), what was seen, what to do, and the
    ``source`` of the rule's limit.
    """

    kind: str
    text: str
    advice: str
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseSummary:
    """A phase of a chained load, a part of a canvas or an attempt, over all finished trials of a cell."""

    name: str
    metrics: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellSummary:
    """All finished trials of one cell of one scenario."""

    scenario: str
    cell: str
    settings: Mapping[str, Label]
    trials: int
    failed_trials: int
    metrics: Mapping[str, Estimate]
    phases: tuple[PhaseSummary, ...] = ()
    parts: tuple[PhaseSummary, ...] = ()
    attempts: tuple[PhaseSummary, ...] = ()
    doubts: tuple[Doubt, ...] = ()
