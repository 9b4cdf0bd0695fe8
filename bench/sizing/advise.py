"""The smallest layout that keeps an SLO at a rate, and the reasons for which there is none.

Every measured concurrency, and up to twice the largest, is tried with every measured prefetch multiplier and
with 1. Of each the fewest hosts, on them the fewest nodes that hold; of all of them the one with the fewest
hosts, then the least memory, then the fewest nodes, then the smallest prefetch.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from bench import units
from bench.errors import UsageError
from bench.scenario.abilities import PREFETCH_MOST
from bench.search.step import Slo
from bench.sizing.evidence import Family
from bench.sizing.model import Model
from bench.sizing.predict import POISSON, Host, Layout, Prediction, capacity, predict

BEYOND = 2
"""How many times the largest measured concurrency a plan may have: the law was fitted below it, and what
happens further up (another bottleneck, mostly) nobody has seen."""

FREE = 0.1
"""Share of a host's memory that is left to everything else."""

MOST_HOSTS = 500
MOST_NODES = 2000

STEP = 1.08
"""Hosts, or nodes on them, are raised by this factor, at least by one, until the layout holds."""

PATIENCE = 4
"""So many larger layouts in a row may be no better before it is given up: more nodes do not help then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What is wanted: ``rate`` (1/s), to be held at (1 + ``headroom``) times as much. ``concurrency``,
    ``prefetch``, ``nodes``: fixed where they are given. ``mix``: weights of the workload's entries, where
    they are not to be as measured.
    """

    rate: float
    slo: Slo
    headroom: float
    host: Host
    concurrency: int | None = None
    prefetch: int | None = None
    nodes: int | None = None
    arrivals: str = POISSON
    mix: tuple[float, ...] = ()

    @property
    def held(self) -> float:
        """The rate at which the SLO must hold."""
        return self.rate * (1 + self.headroom)


def keeps(ask: Ask, found: Prediction) -> bool:
    """Whether the SLO holds there."""
    return found.metrics.get(ask.slo.metric, math.inf) < ask.slo.limit


def smallest(family: Family, model: Model, ask: Ask) -> Layout:
    """The layout to take. Raises UsageError where there is none, with the reason and what to do."""
    _check_pins(family, ask)
    _check_idle(family, model, ask)
    best: Layout | None = None
    refused: list[UsageError] = []
    wanted = _concurrencies(family, ask)
    fitting = [c for c in wanted if per_host(model, ask.host, c)]
    if not fitting:
        raise _too_small(model, ask, wanted[0])
    for concurrency in fitting:
        for prefetch in _prefetches(family, ask):
            try:
                found = _fewest(model, ask, concurrency, prefetch, best)
            except UsageError as error:
                refused.append(error)
                continue
            if found and (best is None or _price(model, found) < _price(model, best)):
                best = found
    if best is None:
        raise refused[-1]
    return best


def _price(model: Model, layout: Layout) -> tuple[float, ...]:
    memory = model.memory(layout.nodes, layout.concurrency) or 0.0
    return layout.hosts, memory, layout.nodes, layout.prefetch or math.inf


def _concurrencies(family: Family, ask: Ask) -> list[int]:
    if ask.concurrency is not None:
        return [ask.concurrency]
    known = family.concurrencies
    more = {round(known[-1] * 1.5), known[-1] * BEYOND} if len(known) > 1 else set()
    return sorted({*known, *more})


def _prefetches(family: Family, ask: Ask) -> list[int]:
    if ask.prefetch is not None:
        return [ask.prefetch]
    return sorted({1, *(sample.prefetch for sample in family.samples if sample.prefetch)})


def _check_pins(family: Family, ask: Ask) -> None:
    most = family.concurrencies[-1]
    reserved = (ask.prefetch or 0) * (ask.concurrency or most)
    if reserved > PREFETCH_MOST:
        raise UsageError(
            f"Prefetch {ask.prefetch} on {ask.concurrency or most} slots reserves {reserved} tasks, and above"
            f" {PREFETCH_MOST} Celery reserves without any limit.",
            "Write --prefetch 0 for no limit, or a smaller one.",
        )
    if ask.nodes is not None and ask.nodes > MOST_NODES:
        raise UsageError(
            f"At most {MOST_NODES} nodes are simulated.", "Plan a part of the load, and multiply."
        )
    if ask.concurrency is None or ask.concurrency in family.concurrencies:
        return
    measure = family.run_with("concurrency", [*family.concurrencies, ask.concurrency])
    if ask.concurrency > BEYOND * most:
        raise UsageError(
            f"Concurrency {ask.concurrency} is more than twice the largest that was measured, {most}: what"
            " happens there nobody has seen.",
            f"Measure it: {measure}",
        )
    if len(family.concurrencies) < 2:
        raise UsageError(
            f"Only concurrency {most} was measured, so the memory of a node with {ask.concurrency} slots is"
            " not known.",
            f"Measure it: {measure}",
        )


def _check_idle(family: Family, model: Model, ask: Ask) -> None:
    """That the SLO is met where nothing waits for anything."""
    calm = Layout(nodes=1, concurrency=min(family.concurrencies), prefetch=1)
    slow = 0.05 * capacity(model, calm, ask.host.cores)
    metrics = predict(model, calm, slow, ask.host.cores).metrics
    if ask.slo.metric not in metrics:
        raise UsageError(
            f"A plan does not foretell {ask.slo.metric}.", f"It can for one of {', '.join(metrics)}."
        )
    value = metrics[ask.slo.metric]
    if value < ask.slo.limit:
        return
    raise UsageError(
        f"{ask.slo} cannot be kept by any number of workers: where they stand idle, {ask.slo.metric} is"
        f" {units.format_duration(value)} already.",
        "Make the tasks shorter, or allow more than they take by themselves.",
    )


def per_host(model: Model, host: Host, concurrency: int) -> int:
    """How many nodes of this concurrency a host may hold: its memory, its cores where a node uses one at
    most, and twice the slots a core that were measured.
    """
    most = MOST_NODES
    memory = model.memory(1, concurrency)
    if memory:
        most = min(most, int(host.memory * (1 - FREE) // memory))
    if model.by_node:
        return min(most, max(1, int(host.cores)))
    slots = BEYOND * model.widest * max(1.0, host.cores / model.cores)
    return min(most, int(slots // concurrency))


def _fewest(model: Model, ask: Ask, concurrency: int, prefetch: int, best: Layout | None) -> Layout | None:
    """The fewest hosts, and the fewest nodes on them, that hold; None if ``best`` is cheaper in any case.

    Raises UsageError where no number of nodes holds.
    """
    room = per_host(model, ask.host, concurrency)
    hosts = _fewest_hosts(model, ask, concurrency, room)
    while hosts <= MOST_HOSTS:
        if best and hosts > best.hosts:
            return None
        most = min(hosts * room, MOST_NODES)
        found = _on(
            model, ask, Layout(nodes=1, concurrency=concurrency, prefetch=prefetch, hosts=hosts), most
        )
        if found:
            return found
        if ask.nodes is not None and hosts >= ask.nodes:
            break
        hosts = max(hosts + 1, int(hosts * STEP))
    raise _unreachable(model, ask, concurrency, prefetch)


def _fewest_nodes(model: Model, ask: Ask, concurrency: int) -> int:
    """What keeps slots and consumers from being overrun."""
    slots = ask.held * (model.law.one + model.dispatch_s)
    return max(1, math.ceil(slots / concurrency), math.ceil(ask.held * model.consumer_s))


def _fewest_hosts(model: Model, ask: Ask, concurrency: int, room: int) -> int:
    """What the nodes, and what all computing, need at least."""
    nodes = ask.nodes or _fewest_nodes(model, ask, concurrency)
    computing = ask.held * model.total_s / (ask.host.cores * model.usable)
    return max(1, math.ceil(computing), math.ceil(nodes / room))


def _on(model: Model, ask: Ask, least: Layout, most: int) -> Layout | None:
    """The fewest nodes on so many hosts that hold, or None. ``most`` of them have room."""

    def layout(nodes: int) -> Layout:
        return Layout(
            nodes=nodes, concurrency=least.concurrency, prefetch=least.prefetch, hosts=min(least.hosts, nodes)
        )

    def value(nodes: int) -> float:
        found = predict(model, layout(nodes), ask.held, ask.host.cores, arrivals=ask.arrivals)
        return found.metrics.get(ask.slo.metric, math.inf)

    if ask.nodes is not None:
        holds = ask.nodes <= most and value(ask.nodes) < ask.slo.limit
        return layout(ask.nodes) if holds else None
    nodes = min(most, max(least.hosts, _fewest_nodes(model, ask, least.concurrency)))
    below, seen = nodes - 1, [math.inf]
    while True:
        seen.append(value(nodes))
        if seen[-1] < ask.slo.limit:
            return layout(_between(below, nodes, lambda n: value(n) < ask.slo.limit))
        stuck = len(seen) > PATIENCE and min(seen[-PATIENCE:]) >= min(seen[:-PATIENCE]) < math.inf
        if nodes >= most or stuck:
            return None
        below, nodes = nodes, min(most, max(nodes + 1, int(nodes * STEP)))


def _between(fails: int, holds: int, test: Callable[[int], bool]) -> int:
    """The smallest number above ``fails`` and up to ``holds`` that holds, by halving."""
    while holds - fails > 1:
        middle = (fails + holds) // 2
        fails, holds = (fails, middle) if test(middle) else (middle, holds)
    return holds


def _too_small(model: Model, ask: Ask, concurrency: int) -> UsageError:
    memory = model.memory(1, concurrency) or 0.0
    if memory > ask.host.memory * (1 - FREE):
        return UsageError(
            f"No host is big enough: a node of {concurrency} slots needs {units.format_size(memory)}, and"
            f" nine tenths of a host's {units.format_size(ask.host.memory)} are for workers.",
            "Name larger hosts: --host memory=…, or measure a smaller concurrency.",
        )
    return UsageError(
        f"{concurrency} slots on one host are more than twice the {model.widest} that were measured.",
        f"Measure more: --set 'matrix.workers.concurrency=[{model.widest}, {concurrency}]'",
    )


def _unreachable(model: Model, ask: Ask, concurrency: int, prefetch: int) -> UsageError:
    if ask.nodes is not None:
        hosts = max(1, math.ceil(ask.nodes / per_host(model, ask.host, concurrency)))
        layout = Layout(nodes=ask.nodes, concurrency=concurrency, prefetch=prefetch, hosts=hosts)
        most = units.format_rate(capacity(model, layout, ask.host.cores))
        return UsageError(
            f"{units.plural(ask.nodes, 'node')} with concurrency {concurrency} cannot keep {ask.slo} at"
            f" {units.format_rate(ask.held)}: all they get through is {most}.",
            "Leave out --nodes to be told how many do.",
        )
    return UsageError(
        f"No number of nodes up to {MOST_HOSTS} hosts keeps {ask.slo} at {units.format_rate(ask.held)}.",
        "Allow a later answer, a lower rate or larger hosts.",
    )
