"""What of a plan rests on more than was measured, each with what to do about it."""

import math
from collections.abc import Iterator

from bench import units
from bench.measured import Doubt
from bench.sizing.advise import Ask
from bench.sizing.evidence import Family
from bench.sizing.model import Model, fit
from bench.sizing.predict import Layout, Prediction, capacity

SHORT = 50
"""Tasks of a flood for each slot, below which its start and its end, where slots are idle, count."""

BROKER_CORES = 0.8
"""Of a broker's one thread, from which on its own queue counts: as in the doubt broker-busy."""
FEW_TRIALS = 3
BUSY = 0.5
"""Share of the cores in use from which on a little more CPU a task matters."""
PACED = 0.75
"""Share of a flood's throughput at which to measure what messages cost that come by themselves."""
MISFIT = 0.2
"""Relative difference of a modelled capacity from the throughput of a flood on the same workers, above which
the plan says so: capacity of a cell differs by 5 to 10 % from one minute of a shared host to the next."""


def of(family: Family, model: Model, ask: Ask, layout: Layout, planned: Prediction) -> Iterator[Doubt]:
    """What of the plan, which is to do what was ``planned``, rests on more than was measured."""
    if math.isinf(planned.upper.get(ask.slo.metric, 0.0)):
        yield Doubt(
            kind="tight",
            text=f"It may fall behind at {units.format_rate(ask.rate)}: more than one in forty of the"
            f" resampled models does, so {ask.slo.metric} has no upper end.",
            advice=f"Take more --headroom, or more nodes: --nodes {layout.nodes + 1}.",
        )
    domains = layout.nodes if model.by_node else layout.hosts
    widest = -(-layout.nodes // domains) * layout.concurrency
    if widest > model.widest:
        yield Doubt(
            kind="extrapolated",
            text=f"{widest} slots share a {'node' if model.by_node else 'host'}; at most {model.widest} were"
            " measured.",
            advice="How they slow each other down is extrapolated: measure the planned layout (--verify).",
        )
    if ask.host.cores != model.cores:
        yield Doubt(
            kind="other-host",
            text=f"Measured on {_cores(model.cores)}, planned for {_cores(ask.host.cores)} a host.",
            advice="Other cores may be faster or slower: measure on such a host before you buy many.",
        )
    if ask.mix:
        yield Doubt(
            kind="other-mix",
            text="This mix was not measured: its tasks are taken to last as long as in the measured one, and"
            " to compute as much a second.",
            advice="Measure it where the tasks differ much in what they compute (--verify).",
        )
    else:
        yield from _misfit(family, model.cores, layout)
    if planned.cpu > BUSY and all(sample.flood for sample in family.samples):
        yield _only_floods(family)
    need = ask.held * model.broker_s
    if need > BROKER_CORES:
        yield Doubt(
            kind="broker-busy",
            text=f"At {units.format_rate(ask.held)} the broker needs {need:.1f} cores, and Redis and Valkey"
            " execute commands on one.",
            advice="Divide the queue between brokers, or measure with RabbitMQ.",
        )
    trials = len(family.samples) / max(1, len({sample.cell for sample in family.samples}))
    if trials < FEW_TRIALS:
        yield Doubt(
            kind="few-trials",
            text=f"Only {trials:.2g} {'trial' if trials == 1 else 'trials'} a cell: the interval rests on too"
            " little, or there is none.",
            advice="Measure again with --repeats 5.",
        )
    if family.failed:
        yield Doubt(
            kind="failed-trials",
            text=f"{units.plural(family.failed, 'trial')} failed and {'does' if family.failed == 1 else 'do'}"
            " not count.",
            advice="celery-bench show says why.",
        )
    spoilt = sum(
        sample.metrics.get("failed", 0.0) + sample.metrics.get("lost", 0.0) for sample in family.samples
    )
    if spoilt:
        yield Doubt(
            kind="failed-tasks",
            text=f"{spoilt:g} tasks failed or were lost; their times are in as far as they ended.",
            advice="Let them succeed first: a failing task is often a shorter or a much longer one.",
        )


def _only_floods(family: Family) -> Doubt:
    widest = max(family.samples, key=lambda s: s.slots)
    tasks = family.setup.load.tasks
    rate = float(f"{PACED * widest.metrics.get('throughput', 0.0):.2g}")
    both = f"flood: {{shape: flood, tasks: {tasks}}}, paced: {{shape: poisson, rate: {rate:g}/s, for: 20s}}"
    return Doubt(
        kind="only-floods",
        text="All was measured with full queues. A message that comes by itself costs more CPU than one of"
        " many that wait, and here CPU counts.",
        advice=f"Measure tasks that come one by one, too: --set 'matrix.load={{{both}}}'",
    )


def _cores(count: float) -> str:
    return f"{count:g} {'core' if count == 1 else 'cores'}"


def _misfit(family: Family, cores: float, planned: Layout) -> Iterator[Doubt]:
    """Whether the model of floods gets through what floods were seen to, on the very workers it is of: on the
    planned ones, where those were flooded and it does not, else where it is furthest off.
    """
    floods: dict[Layout, list[float]] = {}
    for s in family.samples:
        if s.flood and "throughput" in s.metrics:
            layout = Layout(nodes=s.nodes, concurrency=s.concurrency, prefetch=s.prefetch)
            floods.setdefault(layout, []).append(s.metrics["throughput"])
    model = fit(family, cores, floods=True).beside_loader()
    off = {
        layout: capacity(model, layout, cores) / (sum(rates) / len(rates)) for layout, rates in floods.items()
    }
    wrong = {layout: far for layout in off if (far := abs(math.log(off[layout]))) > math.log(1 + MISFIT)}
    if not wrong:
        return
    worst = planned if planned in wrong else max(wrong, key=lambda layout: wrong[layout])
    rates = floods[worst]
    seen = sum(rates) / len(rates)
    yield Doubt(
        kind="misfit",
        text=f"The model lets {units.plural(worst.nodes, 'node')} of {worst.concurrency} slots get through"
        f" {units.format_rate(off[worst] * seen)}; a flood got through {units.format_rate(seen)}.",
        advice=_instead(family),
    )


def _instead(family: Family) -> str:
    fewest = min(s.services.size / s.slots for s in family.samples if s.flood)
    if fewest < SHORT:
        return (
            f"Its floods are short, {fewest:.0f} tasks a slot, so their beginning and end count for much:"
            " measure with more tasks, or trust --verify only."
        )
    return (
        "Something else limits them, such as other processes on the host: measure on an idle one, or trust"
        " --verify only."
    )
