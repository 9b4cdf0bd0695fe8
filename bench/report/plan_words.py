"""A plan in sentences."""

import math
from dataclasses import dataclass

from bench import units
from bench.report import commands, labels, tables
from bench.sizing import verify
from bench.sizing.advise import Ask
from bench.sizing.plan import Plan, Plans
from bench.sizing.predict import Prediction
from bench.sizing.verify import Checked

BEHIND = "falls behind"
"""The backlog grows for ever."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Told:
    """Plans, and what ``verified`` the best of them in the run of that name (empty: nothing has)."""

    plans: Plans
    verified: tuple[Checked, ...] = ()
    run: str = ""

    @property
    def best(self) -> Plan:
        return self.plans.best

    @property
    def ask(self) -> Ask:
        return self.plans.ask


def title(found: Told) -> str:
    """``500/s with p95(response) < 2 s``, and of what where it is not as measured."""
    mix = f", mixed {':'.join(f'{weight:g}' for weight in found.ask.mix)}" if found.ask.mix else ""
    return f"{units.format_rate(found.ask.rate)} with {found.ask.slo}{mix}"


def layout_text(plan: Plan) -> str:
    """``12 nodes × prefork -c 4, prefetch 1``."""
    layout, pool = plan.layout, plan.family.setup.fleet[0].pool
    prefetch = labels.value_text(labels.PREFETCH, layout.prefetch)
    return f"{units.plural(layout.nodes, 'node')} × {pool} -c {layout.concurrency}, prefetch {prefetch}"


def name(plan: Plan) -> str:
    """The family and its layout."""
    more = {k: v for k, v in plan.family.settings.items() if k != labels.POOL}
    return f"{layout_text(plan)}{f' ({labels.settings_text(more)})' if more else ''}"


def value(ask: Ask, found: Prediction) -> str:
    """The SLO's metric with its interval: ``1.40 s (1.10–1.70 s)``."""
    metric = ask.slo.metric
    if not found.keeps_up:
        return BEHIND
    point = units.format_metric(metric, found.metrics[metric])
    low, high = found.lower.get(metric), found.upper.get(metric)
    if low is None or high is None:
        return point
    if math.isinf(high):
        return f"{point} (from {units.format_metric(metric, low)} on)"
    return f"{point} ({tables.interval(metric, low, high)})"


def sentence(plan: Plan) -> str:
    """What to run and what it is expected to do."""
    ask, metric = plan.ask, labels.metric_text(plan.ask.slo.metric)
    return (
        f"{name(plan)}, {_place(plan)}: {metric} {value(ask, plan.planned)} at {units.format_rate(ask.rate)}."
    )


def _place(plan: Plan) -> str:
    host = plan.ask.host
    cores = f"{host.cores:g} {'core' if host.cores == 1 else 'cores'}"
    return f"on {units.plural(plan.layout.hosts, 'host')} of {cores} and {units.format_size(host.memory)}"


def facts(plan: Plan) -> list[str]:
    """What else is to be known of it, a line each."""
    ask, metric = plan.ask, labels.metric_text(plan.ask.slo.metric)
    out = []
    if ask.headroom:
        out.append(
            f"With {ask.headroom * 100:.3g} % headroom, at {units.format_rate(ask.held)}: {metric}"
            f" {value(ask, plan.held)}."
        )
    memory = f", needs {units.format_size(plan.memory)}" if plan.memory else ""
    within = f" ({tables.interval('throughput', *plan.capacity_range)})" if plan.capacity_range else ""
    out.append(
        f"It gets through {units.format_rate(plan.capacity)}{within}{memory};"
        f" slots {plan.planned.utilisation * 100:.0f} % busy, cores {plan.planned.cpu * 100:.0f} %."
    )
    out.append(f"The knee is at {units.format_rate(plan.curve.knee)}: beyond it more rate costs much time.")
    if plan.ridden:
        out.append(_ridden(plan))
    return out


def _ridden(plan: Plan) -> str:
    ridden, metric = plan.ridden, labels.metric_text(plan.ask.slo.metric)
    assert ridden is not None
    head = f"Burst {ridden.burst} ({units.format_rate(ridden.rate)})"
    if ridden.during.keeps_up:
        kept = "keeps the SLO" if ridden.holds else "breaks the SLO, but heaps nothing up"
        return f"{head}: {metric} {value(plan.ask, ridden.during)}, which {kept}."
    backlog = units.format_count(round(ridden.backlog))
    drained = (
        f"drained {units.format_duration(ridden.drained)} after its end"
        if ridden.drained is not None
        else "not drained before the next: the backlog grows from burst to burst"
    )
    return f"{head}: {backlog} tasks heap up, the last waits {units.format_duration(ridden.wait)}; {drained}."


def lines(plan: Plan) -> list[str]:
    """To paste: how to start one node."""
    return commands.lines(verify.setup(plan))


def note(plan: Plan) -> str:
    """What is to be known about these lines."""
    return commands.command(verify.setup(plan), name(plan)).note


def judged(found: Told) -> str:
    """Whether the measurement was as predicted; empty where nothing was measured."""
    one = next((c for c in found.verified if c.metric == found.ask.slo.metric), None)
    if one is None:
        return ""
    metric = labels.metric_text(one.metric)
    seen = f"Measured {metric} is {one.ratio:.2f} × the predicted one"
    if one.inside is None:
        return f"{seen}; the prediction has no interval to judge that by: it rests on too few trials."
    if one.inside:
        return f"{seen}, within its interval."
    return f"{seen}, outside its interval: believe the measurement, and look at the doubts of both runs."


def others(found: Told) -> list[str]:
    """The other families, and those without a plan."""
    more = [f"Also holds: {sentence(plan)}{_memory(plan)}" for plan in found.plans.plans[1:]]
    for family, why in found.plans.refused:
        called = labels.settings_text(family.settings) if family.settings else family.scenario
        more.append(f"No plan for {called}: {why}")
    return more


def _memory(plan: Plan) -> str:
    return f" It needs {units.format_size(plan.memory)}." if plan.memory else ""


def said(found: Told) -> list[str]:
    """Everything after the sentence."""
    return [*filter(None, [judged(found)]), *facts(found.best), *others(found)]


def how() -> str:
    """What the numbers are."""
    return (
        "Simulated from the measured service times; intervals are where one more trial is expected, 19 times"
        " of 20, from resampled trials and the model's own error. docs/methodology.md, “Capacity planning”."
    )
