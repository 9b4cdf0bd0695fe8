"""The nouns: what is asked (Scenario, Cell, Trial) and what came back (TrialResult, Estimate, CellSummary).

Plain frozen data, standard library only. Times are seconds, sizes bytes, rates per second, unless a name
says otherwise (``_ns``). What is kept on disk goes through ``plain`` and ``from_plain``.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

FORMAT = 1
"""Version of everything written under ``results/``; raised when a reader of the old form would go wrong."""

POOLS = ("prefork", "threads", "gevent", "eventlet", "solo")
GREEN_POOLS = ("gevent", "eventlet")
DISCOURAGED_POOLS = ("eventlet",)
"""Measured like the others, advised only where nothing else will do: its maintainers advise against it."""
SHAPES = ("flood", "constant", "poisson", "steps", "ramp", "sine", "burst", "replay", "closed", "saturate")
CHAINED = "phases"
"""What a load of several parts is called; its parts have shapes."""
BROKERS = ("valkey", "redis", "rabbitmq")

DURATIONS = ("lateness", "broker_wait", "prefetch_wait", "wait", "service", "response", "roundtrip")
STATISTICS = ("p50", "p90", "p95", "p99", "p999", "mean", "max")
COUNTS = ("failed", "retried", "lost", "duplicated")
PLAIN_METRICS = (
    "throughput",
    "makespan",
    "utilisation",
    "capacity",
    "cpu_per_task",
    "cpu",
    "memory",
    *COUNTS,
)
METRICS = PLAIN_METRICS + tuple(f"{s}({d})" for d in DURATIONS for s in STATISTICS)
HIGHER_IS_BETTER = frozenset({"throughput", "utilisation", "capacity"})

CIRCUMSTANCES = ("workload", "load")
"""Axes on a path below these describe the work, not a choice: advice is given for each of their values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """A managed broker of a ``kind``, or somebody else's at ``url`` (which may hold a password)."""

    kind: str = "valkey"
    url: str | None = None
    port: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """``nodes`` equal ``celery worker`` processes. ``prefetch`` is the multiplier, 0 = unlimited."""

    pool: str = "prefork"
    concurrency: int = 2
    prefetch: int = 4
    nodes: int = 1

    @property
    def slots(self) -> int:
        return self.nodes * self.concurrency


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCall:
    """One kind of task in the mix; ``weight`` is its share relative to the others."""

    task: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """When tasks are published: a ``shape`` and what it needs (rates 1/s, times s); else None or empty.

    flood: ``tasks`` before the workers are let in. constant, poisson: ``rate`` for ``duration``. steps:
    ``rates`` one after the other, equally long, ``duration`` in all. ramp: from ``rates[0]`` to ``rates[1]``.
    sine: ``rate`` ± ``amplitude``, one wave each ``period``, the first rising. burst: ``tasks`` at once,
    again ``every`` so often until ``duration`` is over. replay: ``tasks`` at the offsets of ``file`` divided
    by ``speed``, the last after ``duration``; the file's content has ``digest``. closed: ``tasks`` by
    ``clients`` that wait for each result. saturate: the highest rate that keeps ``slo``, looked for from
    ``rate`` on in steps of at least ``duration``. phases: the loads of ``phases``, one after another.
    """

    shape: str = "flood"
    tasks: int | None = None
    rate: float | None = None
    duration: float | None = None
    rates: tuple[float, ...] = ()
    amplitude: float | None = None
    period: float | None = None
    every: float | None = None
    clients: int | None = None
    slo: str = ""
    file: str = ""
    digest: str = ""
    speed: float = 1.0
    phases: tuple["Load", ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether every due time is known beforehand."""
        return self.shape not in ("closed", "saturate")

    @property
    def is_stationary(self) -> bool:
        """Whether it asks for one rate from beginning to end: only then is there a steady window."""
        return self.shape in ("flood", "constant", "poisson", "closed")

    @property
    def count(self) -> int:
        """How many tasks the load publishes; 0 where only the measuring will tell (saturate)."""
        if self.shape == "saturate":
            return 0
        if self.phases:
            return sum(part.count for part in self.phases)
        if self.tasks is not None:
            return self.tasks * self.bursts
        seconds = self.duration or 0.0
        if self.shape == "steps":
            return sum(max(1, round(rate * seconds / len(self.rates))) for rate in self.rates)
        mean = sum(self.rates) / 2 if self.shape == "ramp" else self.rate or 0.0
        return max(1, round(mean * seconds + self._cut_off_wave(seconds)))

    def _cut_off_wave(self, seconds: float) -> float:
        """What the last wave of a sine holds more than at the mean rate, if it is not whole."""
        wave = (self.period or 0.0) / math.tau
        return (self.amplitude or 0.0) * wave * (1 - math.cos(seconds / wave)) if wave else 0.0

    @property
    def length(self) -> float:
        """Seconds from its start until the next load of a chain begins; 0 where nothing fixes it."""
        return sum(part.length for part in self.phases) if self.phases else self.duration or 0.0

    @property
    def bursts(self) -> int:
        """How many bursts: one at the start, one after each ``every`` before ``duration`` is over."""
        if not self.every or not self.duration:
            return 1
        return max(1, math.ceil(self.duration / self.every - 1e-9))


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When a trial is given up: ``boot`` seconds to get ready, ``stall`` seconds without a completion."""

    boot: float = 30.0
    stall: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Everything a trial needs to know; what a cell comes to once its settings are applied."""

    broker: Broker = field(default_factory=Broker)
    workers: Workers = field(default_factory=Workers)
    workload: tuple[TaskCall, ...]
    load: Load
    warmup_per_slot: int = 2
    limits: Limits = field(default_factory=Limits)


Label = str | int | float | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One point of the matrix. ``settings`` maps each axis path to the value's label, in axis order."""

    id: str
    settings: Mapping[str, Label]
    setup: Setup


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One question, with its cells expanded and checked. ``metric`` is the one that answers it."""

    name: str
    question: str
    metric: str
    repeats: int
    gates: tuple[str, ...] = ()
    belief: str = ""
    """What people say, which ``expect`` puts to the test; empty where the question is open."""
    expect: tuple[str, ...] = ()
    cells: tuple[Cell, ...]
    source: str = ""
    """The text of the file, kept with the results."""

    @property
    def axes(self) -> tuple[str, ...]:
        """Paths that differ between cells, in the order of the file."""
        return tuple(dict.fromkeys(path for cell in self.cells for path in cell.settings))


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One cell to be run once. ``seed`` is the same for all cells of a block: they get the same tasks."""

    id: str
    scenario: str
    cell: Cell
    block: int
    position: int
    seed: int


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
    search: Mapping[str, Any] = field(default_factory=dict)
    host: Mapping[str, float] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return self.outcome == "ok"


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
    """One phase of a chained load over all finished trials of a cell."""

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
    doubts: tuple[Doubt, ...] = ()


def plain(scenario: Scenario) -> dict[str, Any]:
    """The scenario as JSON-able data, without passwords."""
    from bench.units import hide_password

    data = asdict(scenario)
    for cell in data["cells"]:
        broker = cell["setup"]["broker"]
        if broker["url"]:
            broker["url"] = hide_password(broker["url"])
    data["source"] = hide_password(data["source"])
    return data


def from_plain(data: Mapping[str, Any]) -> Scenario:
    """The inverse of ``plain`` (hidden passwords stay hidden)."""
    cells = tuple(Cell(id=c["id"], settings=c["settings"], setup=_setup(c["setup"])) for c in data["cells"])
    texts = {name: tuple(data.get(name, ())) for name in ("gates", "expect")}
    return Scenario(**{**data, **texts, "cells": cells})


def _setup(data: Mapping[str, Any]) -> Setup:
    return Setup(
        broker=Broker(**data["broker"]),
        workers=Workers(**data["workers"]),
        workload=tuple(TaskCall(**{**t, "args": tuple(t["args"])}) for t in data["workload"]),
        load=_load(data["load"]),
        warmup_per_slot=data["warmup_per_slot"],
        limits=Limits(**data["limits"]),
    )


def _load(data: Mapping[str, Any]) -> Load:
    phases = tuple(_load(part) for part in data.get("phases", ()))
    return Load(**{**data, "rates": tuple(data.get("rates", ())), "phases": phases})
