"""What a layout of workers would do at a rate: the model, simulated, with intervals from resampled trials."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bench.sizing.evidence import Family
from bench.sizing.model import Model, fit
from bench.sizing.simulate import Course, Fleet, run

Floats = NDArray[np.floating[Any]]

LEVELS: Mapping[str, float] = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
SETTLING = 0.2
"""Share of the simulated tasks at the start that is left out: the queue begins empty."""
TASKS = (8_000, 24_000)
"""Fewest and most tasks of a simulation."""
LEAST_S = 20.0
SERVICES = 60
"""Mean service times that a simulation lasts at least, if that is no more tasks than ``TASKS``."""
NEGLIGIBLE = 1.002
"""A slowdown of all slots below which none is simulated, which takes a fifth of the time."""
RESAMPLES = 40
"""Models from resampled trials: their spread is known to 1/√(2·40), a ninth."""
CONFIDENCE = 0.95
MODEL_ERROR = 0.1
"""Of the model itself, as a standard deviation of the logarithm of all times: response times at 1.5 and 2
times the trained concurrency were off by that much (docs/performance.md), however well equal trials agreed.
"""
CAPACITY_ERROR = 0.09
"""The same of the throughput of full slots, by two sittings of 11 layouts each."""
POISSON, CONSTANT = "poisson", "constant"


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One of equal machines: ``cores`` (a quota may be a fraction) and ``memory`` (bytes) for workers."""

    cores: float
    memory: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """``nodes`` of ``concurrency`` slots on ``hosts``; ``prefetch`` is the multiplier, 0 = unlimited."""

    nodes: int
    concurrency: int
    prefetch: int
    hosts: int = 1

    @property
    def slots(self) -> int:
        return self.nodes * self.concurrency


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """At ``rate`` (1/s): statistics like ``p95(response)`` (s); ``utilisation`` of the slots, ``cpu`` of the
    hosts' cores. Without ``metrics`` the layout does not keep up: the backlog grows for ever.
    ``lower`` and ``upper``: ends of the 95 % prediction intervals of metrics, as far as they are known; an
    infinite end where a layout that is a little slower would not keep up.
    """

    rate: float
    metrics: Mapping[str, float]
    utilisation: float
    cpu: float
    lower: Mapping[str, float] = field(default_factory=dict)
    upper: Mapping[str, float] = field(default_factory=dict)

    @property
    def keeps_up(self) -> bool:
        return bool(self.metrics)


def fleet(model: Model, layout: Layout, cores: float) -> Fleet:
    """The layout as it is simulated."""
    domains = layout.nodes if model.by_node else min(layout.hosts, layout.nodes)
    widest = -(-layout.nodes // domains) * layout.concurrency
    slowdown = model.slowdown(widest, cores).tolist()
    return Fleet(
        nodes=layout.nodes,
        concurrency=layout.concurrency,
        prefetch=layout.prefetch * layout.concurrency,
        late=model.late,
        consumer_s=model.consumer_s,
        dispatch_s=model.dispatch_s,
        domains=domains,
        slowdown=tuple(slowdown) if slowdown[-1] > NEGLIGIBLE else (),
    )


def capacity(model: Model, layout: Layout, cores: float) -> float:
    """The highest rate (1/s) that the layout gets through: what its slots do at their best number, what its
    consumers fetch, what its cores compute.
    """
    own = fleet(model, layout, cores)
    busy = np.arange(1, own.widest + 1)
    slower = np.array(own.slowdown[1:]) if own.slowdown else np.ones(own.widest)
    best = float((busy / slower).max()) / (model.law.one + model.dispatch_s)
    return min(
        best * layout.nodes * layout.concurrency / own.widest,
        layout.nodes / model.consumer_s if model.consumer_s else math.inf,
        layout.hosts * cores * model.usable / model.total_s if model.total_s else math.inf,
    )


def predict(
    model: Model, layout: Layout, rate: float, cores: float, *, arrivals: str = POISSON, seed: int = 1
) -> Prediction:
    """The layout at the rate, simulated from an empty queue until it is settled.

    ``cores`` of each host. The same seed gives the same arrivals and services, so layouts can be compared.
    """
    limit = capacity(model, layout, cores)
    busy = rate * float(model.services.mean()) / layout.slots
    used = rate * model.total_s / (cores * layout.hosts)
    if rate >= limit:
        return Prediction(rate=rate, metrics={}, utilisation=min(1.0, busy), cpu=min(1.0, used))
    course = course_of(model, layout, rate, cores, arrivals=arrivals, seed=seed)
    settled = slice(int(SETTLING * course.arrived.size), None)
    took = float((course.ended - course.started)[settled].mean())
    return Prediction(
        rate=rate,
        metrics=_metrics(course, settled),
        utilisation=min(1.0, rate * took / layout.slots),
        cpu=used,
    )


def course_of(
    model: Model, layout: Layout, rate: float, cores: float, *, arrivals: str = POISSON, seed: int = 1
) -> Course:
    """The simulated tasks."""
    fewest, most = TASKS
    wanted = rate * max(LEAST_S, SERVICES * float(model.services.mean()))
    n = int(min(max(wanted, fewest), most))
    due, drawn = (np.random.default_rng([seed, stream]) for stream in (1, 2))
    gaps = np.full(n, 1 / rate) if arrivals == CONSTANT else due.exponential(1 / rate, n)
    return run(fleet(model, layout, cores), np.cumsum(gaps), drawn.choice(model.services, n))


def _metrics(course: Course, settled: slice) -> dict[str, float]:
    """Statistics of what an SLO may limit."""
    durations = {
        "response": course.response,
        "wait": course.started - course.arrived,
        "service": course.ended - course.started,
        "broker_wait": course.received - course.arrived,
        "prefetch_wait": course.started - course.received,
    }
    out: dict[str, float] = {}
    for name, values in durations.items():
        own = values[settled]
        found = np.quantile(own, list(LEVELS.values())).tolist()
        out |= {f"{level}({name})": q for level, q in zip(LEVELS, found, strict=True)}
        out |= {f"mean({name})": float(own.mean()), f"max({name})": float(own.max())}
    return out


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Resampled:
    """Models of resampled trials, and by how much one more trial and the model itself may be ``off``, as a
    factor of all times.
    ``scatter``: standard deviation of the logarithm of a flood's throughput among trials of a cell; of the
    mean service time where no cell was flooded twice.
    ``widen``: half-width of the interval in standard deviations; None: too few trials.
    """

    models: tuple[Model, ...] = ()
    off: tuple[float, ...] = ()
    scatter: float = 0.0
    widen: float | None = None

    def beside_loader(self) -> "Resampled":
        """On a host on which the loader runs, too."""
        return replace(self, models=tuple(model.beside_loader() for model in self.models))


def resampled(
    family: Family, cores: float, *, floods: bool = False, seed: int = 1, times: int = RESAMPLES
) -> Resampled:
    """Trials are drawn with replacement within their cell, tasks never: those of one trial share its minute
    of the host's life. Deviations of n trials from the means of their cells show (n − cells)/n of their
    variance, which ``off`` makes good. ``floods``: as in ``fit``.
    """
    left, free = _left((s.cell, float(s.services.mean())) for s in family.samples)
    if not free:
        return Resampled()
    flooded = (
        (s.cell, s.metrics["throughput"]) for s in family.samples if s.flood and "throughput" in s.metrics
    )
    rates, of_rates = _left(flooded)
    rng = np.random.default_rng([seed, 3])
    off = math.sqrt(len(left) / free) * rng.choice(left, times) + rng.normal(0.0, MODEL_ERROR, times)
    differ, of_them = (rates, of_rates) if of_rates else (left, free)
    return Resampled(
        models=tuple(fit(family, cores, rng, floods=floods) for _ in range(times)),
        off=tuple(np.exp(off).tolist()),
        scatter=math.sqrt(sum(x * x for x in differ) / of_them),
        widen=float(special.stdtrit(free, 0.5 + CONFIDENCE / 2)),
    )


def _left(values: Iterable[tuple[str, float]]) -> tuple[list[float], int]:
    """Deviations of (cell, value) from the mean of their cell, in logarithms, and degrees of freedom."""
    by_cell: dict[str, list[float]] = {}
    for cell, value in values:
        by_cell.setdefault(cell, []).append(math.log(value))
    several = [logs for logs in by_cell.values() if len(logs) > 1]
    left = [x - float(np.mean(logs)) for logs in several for x in logs]
    return left, len(left) - len(several)


def with_interval(
    found: Prediction, again: Resampled, layout: Layout, cores: float, *, arrivals: str = POISSON
) -> Prediction:
    """The prediction with the ends within which one more trial is expected, 19 times of 20: from the spread
    of the logarithms over resampled models, each with a trial's own error and arrivals of its own.
    """
    if again.widen is None or not found.keeps_up:
        return found
    others = list(_again(found.rate, again, layout, cores, arrivals))
    behind = sum(not other.keeps_up for other in others)
    lower, upper = {}, {}
    for name, value in found.metrics.items():
        kept = [other.metrics[name] for other in others if other.metrics.get(name, 0.0) > 0]
        if len(kept) < 2 or value <= 0:
            continue
        lower[name], most = _within(value, kept, again.widen)
        upper[name] = most if behind <= (1 - CONFIDENCE) / 2 * len(others) else math.inf
    return replace(found, lower=lower, upper=upper)


def capacity_within(
    model: Model, again: Resampled, layout: Layout, cores: float
) -> tuple[float, float] | None:
    """The ends within which the throughput (1/s) of one more flood is expected: from the spread over
    resampled models, by how much floods on the same workers differed, and the model's own error.
    """
    if again.widen is None:
        return None
    limits = [capacity(other, layout, cores) for other in again.models]
    alone = math.hypot(again.scatter, CAPACITY_ERROR)
    return _within(capacity(model, layout, cores), limits, again.widen, alone)


def _within(value: float, others: Sequence[float], widen: float, alone: float = 0.0) -> tuple[float, float]:
    """``alone``: of one more trial, where the ``others`` do not have that."""
    half = widen * math.hypot(float(np.std(np.log(others), ddof=1)), alone)
    return value * math.exp(-half), value * math.exp(half)


def _again(
    rate: float, again: Resampled, layout: Layout, cores: float, arrivals: str
) -> Iterator[Prediction]:
    for number, (model, off) in enumerate(zip(again.models, again.off, strict=True), start=100):
        slower = _scaled(model, off)
        yield predict(slower, layout, rate, cores, arrivals=arrivals, seed=number)


def _scaled(model: Model, factor: float) -> Model:
    """The model on a host on which everything takes that many times longer."""
    return replace(
        model,
        services=model.services * factor,
        law=replace(model.law, one=model.law.one * factor),
        work_s=model.work_s * factor,
        domain_s=model.domain_s * factor,
        total_s=model.total_s * factor,
        loader_s=model.loader_s * factor,
        consumer_s=model.consumer_s * factor,
        dispatch_s=model.dispatch_s * factor,
    )
