"""Pure: the plan as a scenario that this machine can run, and prediction and measurement side by side."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench import analyse, units
from bench.measured import Estimate, TrialResult
from bench.model import Cell, Load, Scenario, Setup
from bench.sizing.plan import Plan
from bench.sizing.predict import Host, Prediction, capacity, predict, resampled, with_interval
from bench.stats.quantiles import needed

REPEATS = 3
LEAST_S, MOST_S = 10.0, 120.0
"""Seconds of a trial."""
SERVICES = 20
"""Mean service times that it lasts at least, and ``MARGIN`` times as many tasks as the percentile needs."""
MARGIN = 2
SIDES = ("throughput", "utilisation", "memory")
"""What is compared besides p50, p95, p99 and the SLO's metric."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A metric as it was ``predicted`` (with its interval) and ``measured``."""

    metric: str
    predicted: Estimate
    measured: Estimate

    @property
    def ratio(self) -> float:
        """Measured ÷ predicted."""
        return self.measured.point / self.predicted.point if self.predicted.point else 1.0

    @property
    def inside(self) -> bool | None:
        """Whether the measured mean lies within the prediction's interval; None where it has none."""
        if self.predicted.lower is None or self.predicted.upper is None:
            return None
        return self.predicted.lower <= self.measured.point <= self.predicted.upper


def hindrance(plan: Plan, here: Host) -> str:
    """Why this machine cannot run the plan; empty where it can."""
    layout = plan.layout
    if layout.hosts > 1:
        return f"the plan takes {layout.hosts} hosts, and this is one"
    if plan.ask.host.cores != here.cores:
        return f"it is for a host of {plan.ask.host.cores:g} cores, and this one has {here.cores:g}"
    if plan.memory and plan.memory > here.memory:
        need, has = units.format_size(plan.memory), units.format_size(here.memory)
        return f"it needs {need}, and this machine has {has}"
    if "***" in (plan.family.setup.broker.url or ""):
        return "the broker's password was not stored with the run"
    return ""


def setup(plan: Plan) -> Setup:
    """The family's setup with the planned workers and the wanted rate."""
    ask, layout, own = plan.ask, plan.layout, plan.family.setup
    group = replace(
        own.fleet[0], nodes=layout.nodes, concurrency=layout.concurrency, prefetch=layout.prefetch,
        auto=False, autoscale_from=None,
    )  # fmt: skip
    tasks = MARGIN * needed(ask.slo.level) if ask.slo.level else 0
    seconds = max(LEAST_S, tasks / ask.rate, SERVICES * float(plan.model.services.mean()))
    load = Load(shape=ask.arrivals, rate=ask.rate, duration=round(min(seconds, MOST_S), 1))
    return replace(own, fleet=(group,), load=load)


def scenario(plan: Plan, run: str) -> Scenario:
    """One cell, the plan; its gate is the SLO."""
    ask = plan.ask
    return Scenario(
        name=f"plan-{run}",
        question=f"Does the plan made from {run} keep {ask.slo} at {units.format_rate(ask.rate)}?",
        metric=ask.slo.metric,
        repeats=REPEATS,
        gates=(f"{ask.slo.metric} < {ask.slo.limit:.9g}s",),
        cells=(Cell(id="planned", settings={}, setup=setup(plan)),),
    )


def foreseen(plan: Plan) -> Prediction:
    """What the plan is expected to do on this machine, where the loader takes its share of the cores."""
    ask, layout = plan.ask, plan.layout
    again, here = resampled(plan.family, plan.model.cores).beside_loader(), ask.host.cores
    found = predict(plan.model.beside_loader(), layout, ask.rate, here, arrivals=ask.arrivals)
    return with_interval(found, again, layout, here, arrivals=ask.arrivals)


def compare(plan: Plan, results: Sequence[TrialResult]) -> tuple[Checked, ...]:
    """What the good trials measured beside what was predicted of them."""
    good = [result.metrics for result in results if result.ok]
    found = foreseen(plan)
    wanted = ("p50(response)", "p95(response)", "p99(response)", plan.ask.slo.metric)
    predicted = {
        name: Estimate(point=found.metrics[name], lower=found.lower.get(name), upper=found.upper.get(name))
        for name in dict.fromkeys(wanted)
        if name in found.metrics
    }
    most = capacity(plan.model.beside_loader(), plan.layout, plan.ask.host.cores)
    sides = (min(found.rate, most), found.utilisation)
    predicted |= {name: Estimate(point=value) for name, value in zip(SIDES, sides, strict=False)}
    if plan.memory:
        predicted["memory"] = Estimate(point=plan.memory)
    return tuple(
        Checked(metric=name, predicted=one, measured=analyse.estimate(name, values))
        for name, one in predicted.items()
        if (values := [metrics[name] for metrics in good if name in metrics])
    )
