"""A plan: for each family the smallest layout that keeps the SLO, what it is expected to do, and what if."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.errors import UsageError
from bench.grammar import text_of
from bench.measured import Doubt
from bench.sizing import advise, doubts, evidence, mix
from bench.sizing.advise import Ask
from bench.sizing.burst import Burst, Ridden, ride
from bench.sizing.evidence import Family, Point
from bench.sizing.model import Model, check, fit
from bench.sizing.predict import (
    Layout,
    Prediction,
    capacity,
    capacity_within,
    predict,
    resampled,
    with_interval,
)

LOADS = (0.1, 0.25, 0.4, 0.5, 0.6, 0.68, 0.75, 0.8, 0.85, 0.89, 0.92, 0.95, 0.97)
"""Shares of the capacity at which the curve is simulated."""
RATES = (0.5, 0.75, 1.0, 1.5, 2.0)
"""Of the table of what if, times the wanted rate."""
NODES = (0.5, 0.75, 1.5, 2.0)
NEAR = (-1, 0, 1, 2)
"""Of the same table: times the planned nodes, and so many more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """``points`` at rising rates up to the capacity; ``knee``: the rate (1/s) where rate ÷ value of the SLO's
    metric is highest.
    """

    points: tuple[Prediction, ...]
    knee: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A line of the table of what if: so many nodes on so many hosts, at each of the rates."""

    layout: Layout
    memory: float | None
    at: tuple[Prediction, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """What to run for one family. ``planned``: at the wanted rate, with intervals; ``held``: with headroom.
    ``capacity``: the highest rate it gets through (1/s), ``capacity_range`` its interval; ``memory`` of all
    nodes (bytes). ``measured``: at the rates that were offered to this very layout.
    """

    family: Family
    model: Model
    ask: Ask
    layout: Layout
    planned: Prediction
    held: Prediction
    capacity: float
    capacity_range: tuple[float, float] | None
    memory: float | None
    curve: Curve
    choices: tuple[Choice, ...]
    measured: tuple[Point, ...]
    doubts: tuple[Doubt, ...]
    ridden: Ridden | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plans:
    """``best`` first, then the others from the cheapest on; ``refused``: (family, why) of those that cannot
    be planned.
    """

    run: str
    ask: Ask
    plans: tuple[Plan, ...]
    refused: tuple[tuple[Family, str], ...] = ()

    @property
    def best(self) -> Plan:
        return self.plans[0]


def of(name: str, families: Sequence[Family], ask: Ask, cores: float, burst: Burst | None = None) -> Plans:
    """The plans of a run's families, measured on so many ``cores``; the cheapest that holds comes first.

    Raises UsageError where none can be planned, and where families do different work, so that there is no
    cheapest.
    """
    _check_one_workload(families)
    plans: list[Plan] = []
    refused: list[tuple[Family, UsageError]] = []
    for family in families:
        try:
            plans.append(one(family, ask, cores, burst))
        except UsageError as error:
            refused.append((family, error))
    if not plans:
        raise _why_none(refused)
    plans.sort(key=lambda plan: (plan.layout.hosts, plan.memory or 0.0, plan.layout.nodes))
    return Plans(
        run=name, ask=ask, plans=tuple(plans), refused=tuple((f, error.message) for f, error in refused)
    )


def _why_none(refused: Sequence[tuple[Family, UsageError]]) -> UsageError:
    """The reason of all families, or that of each by its name."""
    _, first = refused[0]
    if len({error.message for _, error in refused}) == 1:
        return first
    called = (" ".join(map(text_of, family.settings.values())) or family.scenario for family, _ in refused)
    each = [f"{name}: {error.message}" for name, (_, error) in zip(called, refused, strict=True)]
    return UsageError(" ".join(each), first.hint)


def _check_one_workload(families: Sequence[Family]) -> None:
    if not families:
        raise UsageError("This run has no cells.", "celery-bench list shows the runs there are.")
    works = {repr(family.setup.workload): family for family in families}
    if len(works) < 2:
        return
    labels = [
        f"{axis}={label}"
        for family in works.values()
        for axis, label in family.settings.items()
        if axis.split(".", maxsplit=1)[0] == "workload"
    ]
    raise UsageError(
        f"This run measured {len(works)} workloads, and a plan is for one.",
        f"Choose it: --only {' or --only '.join(dict.fromkeys(labels)) or 'PATH=VALUE'}",
    )


def one(family: Family, ask: Ask, cores: float, burst: Burst | None = None) -> Plan:
    """The plan of one family. Raises UsageError where there is none."""
    if ask.mix:
        check(family)
        family = mix.shifted(family, ask.mix)
    model = fit(family, cores)
    layout = advise.smallest(family, model, ask)
    here, arrivals = ask.host.cores, ask.arrivals
    again = resampled(family, cores)

    def at(rate: float) -> Prediction:
        return predict(model, layout, rate, here, arrivals=arrivals)

    planned = with_interval(at(ask.rate), again, layout, here, arrivals=arrivals)
    return Plan(
        family=family,
        model=model,
        ask=ask,
        layout=layout,
        planned=planned,
        held=at(ask.held),
        capacity=capacity(model, layout, here),
        capacity_range=capacity_within(model, again, layout, here),
        memory=model.memory(layout.nodes, layout.concurrency),
        curve=_curve(model, ask, layout),
        choices=tuple(_choices(model, ask, layout)),
        measured=tuple(evidence.offered(family, layout.nodes, layout.concurrency, layout.prefetch)),
        doubts=tuple(doubts.of(family, model, ask, layout, planned)),
        ridden=ride(model, ask, layout, burst) if burst else None,
    )


def _curve(model: Model, ask: Ask, layout: Layout) -> Curve:
    """The knee is where rate ÷ response, Kleinrock's power, is highest: below it more rate costs little time,
    above it much (Kleinrock, ICC 1979; Jain, *The Art of Computer Systems Performance Analysis*, 3.3).
    """
    most = capacity(model, layout, ask.host.cores)
    points = [predict(model, layout, share * most, ask.host.cores, arrivals=ask.arrivals) for share in LOADS]
    knee = max(points, key=lambda p: p.rate / p.metrics.get(ask.slo.metric, math.inf))
    return Curve(points=tuple(points), knee=knee.rate)


def _choices(model: Model, ask: Ask, layout: Layout) -> Iterator[Choice]:
    """Fewer and more nodes of the same kind, on as many hosts as they need."""
    room = -(-layout.nodes // layout.hosts)
    if layout.hosts == 1:
        room = advise.per_host(model, ask.host, layout.concurrency)
    wanted = {round(share * layout.nodes) for share in NODES} | {layout.nodes + more for more in NEAR}
    for nodes in sorted(nodes for nodes in wanted if nodes > 0):
        hosts = min(nodes, -(-nodes // room))
        own = Layout(nodes=nodes, concurrency=layout.concurrency, prefetch=layout.prefetch, hosts=hosts)
        yield Choice(
            layout=own,
            memory=model.memory(nodes, layout.concurrency),
            at=tuple(
                predict(model, own, share * ask.rate, ask.host.cores, arrivals=ask.arrivals)
                for share in RATES
            ),
        )
