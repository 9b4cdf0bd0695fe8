"""From the samples of a family to a model of its workers: what a task takes by itself, what it costs, and how
slots slow each other down.

    service(b) = one × cores(b) × (1 + σ(b − 1) + κb(b − 1))

with b busy slots. ``cores`` is known before anything is fitted: what tasks compute, as measured, on the cores
there are (``theory.sharing``), and never less than what the cores get through with everything else a task
makes them do. What is left is fitted by the bounded Universal Scalability Law (``scaling``). Cores never get
full: how much of them a flood used that asked for more than there are is all that others can use.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from bench.errors import UsageError
from bench.sizing import scaling, theory
from bench.sizing.evidence import CONSUMER_S, Family, Sample
from bench.sizing.scaling import Usl

Floats = NDArray[np.floating[Any]]

ENOUGH = 1000
"""Service times that a model keeps at least if there are so many: a p99 needs as many."""

ROUNDS = 5
"""The time of a task alone and what the cores make of it are found in turn; it settles in three."""

APART = 1.3
"""How many times more busy slots there must have been in one cell than in another to tell what slots cost
each other: closer, noise of a few percent would be taken for contention and multiplied."""

PLENTY = 1.5
"""Times its cores that a flood asks for, from where on it shows how full the cores get."""

KNOTS = 48
"""Numbers of busy slots at which the cores are looked at; between them the slowdown is nearly a line."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Model:
    """``services``: seconds of tasks alone, as measured; ``law``: of their mean, with what the cores do not
    explain. CPU seconds a task: ``work_s`` inside its slot, ``domain_s`` of all that shares its domain's
    cores, ``total_s`` of everything on the host, ``broker_s`` of the broker alone; ``loader_s`` of the
    loader, which shares the cores where it is measured and nowhere else, is in neither. ``node_bytes`` and
    ``slot_bytes`` are None without a measurement. ``widest``: most slots of a domain that were measured, on
    ``cores``. ``usable``: the share of a domain's cores that it gets through with; 1 where no flood shows it.
    """

    services: Floats
    law: Usl
    work_s: float
    domain_s: float
    total_s: float
    broker_s: float
    loader_s: float
    consumer_s: float
    dispatch_s: float
    node_bytes: float | None
    slot_bytes: float | None
    by_node: bool
    late: bool
    cores: float
    widest: int
    usable: float = 1.0

    def slowdown(self, busy: int, cores: float) -> Floats:
        """By how much a task takes longer than alone with 0, 1 … ``busy`` slots busy, of a host with so many
        cores (of a node there, where its tasks share one lock).
        """
        at = np.unique(np.geomspace(1, max(1, busy), KNOTS).round())
        cores = self.usable * (1.0 if self.by_node else cores)
        crowd = _cores(at, self.law.one + self.dispatch_s, self.work_s, self.domain_s, cores)
        law = np.array([self.law.inflation(b) for b in at])
        every = np.interp(np.arange(busy + 1), at, crowd * law)
        return np.maximum.accumulate(every / every[0])

    def beside_loader(self) -> "Model":
        """The model of a host on which the loader runs, too."""
        more = 0.0 if self.by_node else self.loader_s
        return replace(self, domain_s=self.domain_s + more, total_s=self.total_s + self.loader_s)

    def memory(self, nodes: int, concurrency: int) -> float | None:
        """PSS of so many nodes, parents and children; None where it was not measured."""
        if self.node_bytes is None or self.slot_bytes is None:
            return None
        return nodes * (self.node_bytes + concurrency * self.slot_bytes)


def fit(
    family: Family, cores: float, rng: np.random.Generator | None = None, *, floods: bool = False
) -> Model:
    """The model of a family that was measured on so many ``cores``; with ``rng`` of a resampled one: of each
    cell as many of its trials, drawn with replacement.

    A message that comes by itself costs more than one of many that wait. So CPU is that of cells whose load
    was paced, where there are any, or with ``floods`` that of floods.

    Raises UsageError where the samples do not tell how tasks scale.
    """
    check(family)
    groups = _groups(family, rng)
    every = [sample for group in groups for sample in group]
    gil = family.by_node
    alike = [group for group in groups if group[0].flood == floods] or groups
    busiest = max(alike, key=lambda group: _mean([s.busy for s in group]))
    spent = _spent(busiest)
    consumer = min(_mean([s.consumer_s for s in group]) for group in groups)
    if family.setup.fleet[0].pool == "prefork":
        work = _mean([s.work_s for s in every])
    else:
        consumer = min(consumer, CONSUMER_S)
        work = max(0.0, spent - consumer)
    broker = _mean([s.broker_s for s in busiest])
    busy = [_mean([s.busy for s in group]) for group in groups]
    service = [_mean([float(s.services.mean()) for s in group]) for group in groups]
    beside = [0.0 if gil else _mean([s.broker_s + s.loader_s for s in group]) for group in groups]
    domain = np.array([_spent(group) for group in groups]) + beside
    shared = 1.0 if gil else cores
    usable = _usable(groups, domain, min(service), consumer, shared, by_node=gil)
    law = _law(busy, service, work, domain, shared * usable)
    node_bytes, slot_bytes = _memory(groups)
    gaps = [_mean(own) for group in groups if (own := [s.gap_s for s in group if s.gap_s is not None])]
    return Model(
        services=_alone(groups, busy, law.one),
        law=law,
        work_s=min(work, law.one),
        domain_s=spent if gil else spent + broker,
        total_s=spent + broker,
        broker_s=broker,
        loader_s=_mean([s.loader_s for s in busiest]),
        consumer_s=consumer,
        dispatch_s=min(gaps, default=0.0),
        node_bytes=node_bytes,
        slot_bytes=slot_bytes,
        by_node=gil,
        late=family.setup.delivery.acks == "late" or family.setup.fleet[0].disable_prefetch,
        cores=cores,
        widest=max(family.widths),
        usable=usable,
    )


def check(family: Family) -> None:
    """Raises UsageError where the family cannot be planned, with what to measure instead."""
    setup = family.setup
    if any(call.canvas for call in setup.workload):
        raise UsageError(
            "A plan is made for plain tasks, and this workload has canvases.",
            "Measure their parts as tasks of a mix, weighted as they occur.",
        )
    if len(setup.fleet) > 1:
        raise UsageError(
            f"The fleet has {len(setup.fleet)} groups of workers, and a plan sizes one.",
            "Measure each group by itself: a scenario with its queue's tasks only.",
        )
    if not any(sample.services.size for sample in family.samples):
        if not family.failed:
            raise UsageError(
                "No trial of it has been run.", "celery-bench run --resume runs what is missing."
            )
        raise UsageError(
            "No trial of it has finished well, so there is nothing to plan with.",
            "celery-bench show says why they failed.",
        )
    if len(family.widths) < 2:
        (only,) = family.widths
        axis = "nodes" if setup.fleet[0].pool == "solo" else "concurrency"
        raise UsageError(
            f"Everything was measured with {only} {'slot' if only == 1 else 'slots'}, so how tasks slow each"
            " other down is not known.",
            f"Measure at least two: {family.run_with(axis, [only, 2 * only])}",
        )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _spent(group: Sequence[Sample]) -> float:
    """CPU seconds a task of the workers."""
    return _mean([s.consumer_s + s.work_s for s in group])


def _groups(family: Family, rng: np.random.Generator | None) -> list[list[Sample]]:
    """The samples of each cell that have tasks."""
    found: dict[str, list[Sample]] = {}
    for sample in family.samples:
        if sample.services.size:
            found.setdefault(sample.cell, []).append(sample)
    groups = list(found.values())
    if rng is None:
        return groups
    return [[group[i] for i in rng.integers(len(group), size=len(group))] for group in groups]


def _cores(busy: Floats, one: float, work: float, domain: Floats | float, cores: float) -> Floats:
    """By how much the cores alone make a task of ``one`` second longer: it meets others that compute, and
    cannot be faster than the cores get through with all that tasks make them do, ``domain`` seconds each,
    the same for all numbers of ``busy`` slots or one for each (asymptotic bounds: Denning and Buzen,
    *Computing Surveys* 10, 1978).
    """
    return np.asarray(np.maximum(_meeting(busy, one, work, cores), busy * domain / cores / one))


def _meeting(busy: Floats, one: float, work: float, cores: float) -> Floats:
    """The first half of ``_cores``: others that compute."""
    work = min(work, one)
    meets = [theory.sharing(math.ceil(b), work, one - work, cores) / one for b in busy]
    floors = [theory.sharing(max(1, math.floor(b)), work, one - work, cores) / one for b in busy]
    shares = busy - np.floor(busy)
    between = np.array(floors) * (1 - shares) + np.array(meets) * shares
    return np.asarray(between.clip(min=1.0))


def _usable(
    groups: Sequence[Sequence[Sample]],
    domain: Floats,
    one: float,
    consumer: float,
    cores: float,
    *,
    by_node: bool,
) -> float:
    """The largest share of its ``cores`` that a domain used in a flood that asked for ``PLENTY`` of them, by
    what its slots, with tasks of ``one`` second, and its consumers could get through. 1 where none did.
    """
    shares = []
    for group, spent in zip(groups, domain, strict=True):
        nodes, domains = group[0].nodes, group[0].nodes if by_node else 1
        floods = [s.metrics["throughput"] for s in group if s.flood and "throughput" in s.metrics]
        could = min(group[0].slots / one, nodes / consumer if consumer else math.inf) / domains
        if floods and could * spent >= PLENTY * cores:
            shares.append(float(_mean(floods) / domains * spent / cores))
    return min(1.0, max(shares, default=1.0))


def _law(busy: Sequence[float], service: Sequence[float], work: float, domain: Floats, cores: float) -> Usl:
    """The law of what services are longer by than the cores explain. What full cores make of a task may be
    more than it took, as not all that it makes them do is done in its slot; such a cell says nothing.
    """
    at, took = np.array(busy), np.array(service)
    one = float(took.min())
    for _ in range(ROUNDS):
        meeting, full = _meeting(at, one, work, cores), at * domain / cores / one
        left = np.where(full > meeting, np.maximum(took / full, one), took / meeting)
        if at.max() < APART * at.min():
            law = Usl(one=float(np.exp(np.log(left).mean())), sigma=0.0, kappa=0.0)
        else:
            law = scaling.service(at.tolist(), left.tolist())
        one = law.one
    return law


def _alone(groups: Sequence[Sequence[Sample]], busy: Sequence[float], one: float) -> Floats:
    """Service times of the cells in which tasks met the fewest others, until there are ``ENOUGH``; each
    cell's brought to the mean of a task alone.
    """
    kept: list[Floats] = []
    for _, group in sorted(zip(busy, groups, strict=True), key=lambda pair: pair[0]):
        if sum(part.size for part in kept) >= ENOUGH:
            break
        values = np.concatenate([sample.services for sample in group])
        kept.append(values * one / values.mean())
    return np.concatenate(kept)


def _memory(groups: Sequence[Sequence[Sample]]) -> tuple[float | None, float | None]:
    """Bytes of a node and of each slot: least squares that are never negative, over the cells."""
    known = [[s for s in group if s.memory is not None] for group in groups]
    rows = [(g[0].nodes, g[0].slots, _mean([s.memory or 0.0 for s in g])) for g in known if g]
    if not rows:
        return None, None
    table = np.array(rows, dtype=float)
    (node, slot), _ = optimize.nnls(table[:, :2], table[:, 2])
    return float(node), float(slot)
