"""Scenarios → trials: every cell once a block, each block in its own random order; and how long that takes.

Cells of a block run close together in time and get the same tasks (the same seed), so verdicts can pair them;
the order is random so that drift of the machine is no cell's fault.
"""

import functools
import hashlib
import inspect
import os
import random
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from bench import units
from bench.canvas import distinct
from bench.errors import UsageError
from bench.model import GREEN_POOLS, Cell, Load, Scenario, Setup, TaskCall, Trial, Workers

BIG = 30 * 60.0
"""Seconds of estimated time above which a run is started only with ``--yes``."""

OVERHEAD_S = 1.5
"""Boot, stop and storing of one trial (measured: ready after 0.25–0.45 s, the rest is stopping)."""
NODE_RATE = 1000.0
"""No-op tasks/s that one node gets through: its consumer is the limit (measured: 1 300–1 700)."""
ROUND_TRIP_S = 0.005
"""From a task's end to the start of its client's next: result, message, reservation."""
SEARCH_STEPS = 12
"""Rates that a search for the capacity tries: up by doubling, then halving the interval, then both again."""
CAREFUL_STEPS = 7
"""How many of them are between a held and a missed rate, and longer: see ``bench.search.capacity``."""
CAREFUL_TASKS = 2500
CAREFUL_LIMITS = 30
"""Seconds of a careful step for each of the SLO's limit."""
LEAST_STEP_S = 5.0
LONGEST_STEP_S = 30.0
"""How long a step is kept up, where the scenario does not say that it should be longer."""
SETTLE_S = 1.0
"""Until the queue is empty again between two of them."""
UNKNOWN_S = 0.01
"""Service time assumed for a task of somebody else's."""


def trials(scenarios: Sequence[Scenario], seed: int) -> list[Trial]:
    """All trials in the order to run them: scenario after scenario, block after block.

    Blocks and positions count from 1, positions over the whole run. The same scenarios and seed give the same
    trials. Raises UsageError where two scenarios have one name, as results are kept by name.
    """
    slugs = [_slug(scenario.name) for scenario in scenarios]
    for slug, scenario in zip(slugs, scenarios, strict=True):
        if slugs.count(slug) > 1:
            raise UsageError(f"Two scenarios are called {scenario.name!r}", "Rename one of the files.")
    planned: list[Trial] = []
    for scenario in scenarios:
        for number in range(1, scenario.repeats + 1):
            planned += block(scenario, number, seed, first=len(planned) + 1)
    return planned


def block(
    scenario: Scenario, number: int, seed: int, *, first: int, only: Collection[str] | None = None
) -> list[Trial]:
    """One pass over the cells (those whose ids are among ``only``), in the block's own order; ``first`` is
    the position of its first trial.
    """
    width = len(str(len(scenario.cells)))
    block_seed = _derive(seed, scenario.name, number)
    order = list(enumerate(scenario.cells, start=1))
    random.Random(block_seed).shuffle(order)
    return [
        Trial(
            id=f"{_slug(scenario.name)}-b{number}-c{place:0{width}}-{cell.id}",
            scenario=scenario.name,
            cell=cell,
            block=number,
            position=position,
            seed=block_seed,
        )
        for position, (place, cell) in enumerate(
            (each for each in order if only is None or each[1].id in only), start=first
        )
    ]


def one(scenario: Scenario, cell: Cell, number: int, seed: int, *, position: int) -> Trial:
    """The trial of this cell in block ``number``, as ``block`` would plan it, at ``position``."""
    found = next(each for each in block(scenario, number, seed, first=1) if each.cell.id == cell.id)
    return replace(found, position=position)


def missing(planned: Sequence[Trial], done: Collection[str]) -> list[Trial]:
    """The trials whose ids are not among ``done``, in their order: what a resumed run still has to do."""
    finished = set(done)
    return [trial for trial in planned if trial.id not in finished]


def estimate_seconds(scenarios: Sequence[Scenario]) -> float:
    """Roughly how long all trials take; within a factor of two where the tasks are the shipped ones."""
    return sum(
        scenario.repeats * sum(trial_seconds(c.setup) for c in scenario.cells) for scenario in scenarios
    )


def trial_seconds(setup: Setup, cores: int | None = None) -> float:
    """Roughly how long one trial takes, on so many cores (default: this machine's)."""
    cores = cores or os.cpu_count() or 1
    pace = _pace(setup, cores)
    tasks = distinct(setup.workload) if any(call.canvas for call in setup.workload) else setup.workload
    warmup = setup.warmup_per_slot * setup.slots * _pace(replace(setup, workload=tuple(tasks)), cores)
    longest = max(_alone(call) for call in setup.workload)
    return OVERHEAD_S + warmup + _load_seconds(setup, pace, longest)


def _load_seconds(setup: Setup, pace: float, longest: float) -> float:
    """From the first task due to the last one done. ``pace``: seconds from one completion to the next;
    ``longest``: seconds of the longest task.
    """
    load = setup.load
    if load.shape == "saturate":
        return _search_seconds(load, pace, longest)
    if load.shape == "closed":  # the slots that no client keeps busy stand idle
        alone = _mean_alone(setup.workload) + ROUND_TRIP_S
        pace = max(pace, alone / (load.clients or 1))
    work = load.count * pace + longest / 2  # the last one is rarely just beginning
    return max(work, load.length)


def _search_seconds(load: Load, pace: float, longest: float) -> float:
    """Of a search for the capacity, which is about 1 ÷ ``pace``."""
    least = load.duration or LEAST_STEP_S
    limit = units.duration(load.slo.partition("<")[2])
    careful = min(max(CAREFUL_TASKS * pace, CAREFUL_LIMITS * limit), LONGEST_STEP_S)
    steps = CAREFUL_STEPS * max(careful, least) + (SEARCH_STEPS - CAREFUL_STEPS) * least
    return steps + SEARCH_STEPS * (SETTLE_S + longest)


def _pace(setup: Setup, cores: int) -> float:
    """Seconds from one completion to the next over the whole fleet: of the group that takes longest for its
    part, where a task that several groups could take is shared evenly. Parts of a canvas are tasks of a mix,
    of which as many make one completion.
    """
    calls = [
        (part, call.weight * many, items) for call in setup.workload for part, many, items in _parts(call)
    ]
    takers = [[g for g in setup.fleet if _takes(setup, g, call)] or list(setup.fleet) for call, *_ in calls]
    paces = []
    for group in setup.fleet:
        mix = [
            (call, weight / len(groups), items)
            for (call, weight, items), groups in zip(calls, takers, strict=True)
            if any(taker is group for taker in groups)
        ]
        total = sum(call.weight for call in setup.workload)
        paces.append(
            sum(weight for _, weight, _ in mix) / total * _group_pace(group, mix, cores) if mix else 0.0
        )
    return max(paces)


def _takes(setup: Setup, group: Workers, call: TaskCall) -> bool:
    return not group.queues or setup.route(call.task) in group.queues


def _parts(call: TaskCall) -> list[tuple[TaskCall, int, float]]:
    """The tasks of an entry, how many messages each is in one unit, and how many items a message has."""
    if call.items:
        many = len(call.messages)
        return [(call.parts[0], many, call.items / many)]
    return [(part, part.times, 1.0) for part in call.calls]


def _group_pace(workers: Workers, mix: Sequence[tuple[TaskCall, float, float]], cores: int) -> float:
    """The same of one group alone: whatever is scarcest of consumers, cores and slots. ``mix``: tasks, their
    weight, and how often a message calls them.
    """
    total = sum(weight for _, weight, _ in mix)
    costs = [(weight * items / total, *_costs(call)) for call, weight, items in mix]
    locked = sum(share * gil for share, gil, _, _ in costs)
    free = sum(share * cpu for share, _, cpu, _ in costs)
    waiting = sum(share * wait for share, _, _, wait in costs)
    consumer = 1 / NODE_RATE
    if workers.pool == "prefork":  # the parent consumes while children work
        computing = (locked + free + consumer) / min(cores, workers.slots + 1)
    elif workers.pool in GREEN_POOLS or workers.pool == "solo":  # one thread does it all
        computing = (locked + free + consumer) / min(cores, workers.nodes)
    else:
        alone = (locked + consumer) / min(cores, workers.nodes)
        computing = max(alone, (locked + free + consumer) / min(cores, workers.slots))
    return max(computing, (locked + free + waiting) / workers.slots, consumer / workers.nodes)


def _mean_alone(workload: Sequence[TaskCall]) -> float:
    """Seconds that a unit of the mix takes by itself."""
    total = sum(call.weight for call in workload)
    return sum(call.weight / total * _alone(call) for call in workload)


def _alone(call: TaskCall) -> float:
    """Seconds of a task; of a canvas the longest part of each stage, with slots for all."""
    if not call.canvas:
        return sum(_costs(call))
    stages: dict[int, float] = {}
    for part in call.messages:
        took = part.items * sum(_costs(call.calls[part.call]))
        stages[part.stage] = max(stages.get(part.stage, 0.0), took)
    return sum(stages.values()) + ROUND_TRIP_S * (len(stages) - 1)


def _costs(call: TaskCall) -> tuple[float, float, float]:
    """Seconds that one execution computes holding the GIL, computes without it, and waits."""
    from bench.workloads.amounts import mean

    known = _known(call.task)
    if known is None:
        return 0.0, 0.0, UNKNOWN_S
    if isinstance(call.arguments, tuple) and call.arguments:  # rows that take turns: as the first of them
        row = call.arguments[0]
        args, kwargs = (
            (tuple(row), call.kwargs) if isinstance(row, list) else (call.args, {**call.kwargs, **row})
        )
        return _costs(replace(call, args=args, kwargs=kwargs, arguments=""))
    signature, cost = known
    try:
        bound = signature.bind(*call.args, **call.kwargs)
        bound.apply_defaults()
        amounts = {n: mean(v) if isinstance(v, Mapping) else v for n, v in bound.arguments.items()}
        locked, free, waiting = cost(**amounts)
    except (TypeError, ValueError):  # arguments that the task itself will not take
        return 0.0, 0.0, UNKNOWN_S
    return float(locked), float(free), float(waiting)


@functools.cache
def _known(task: str) -> tuple[inspect.Signature, Callable[..., tuple[float, float, float]]] | None:
    """What a shipped task takes and what it then costs; None for somebody else's."""
    from bench.workloads.catalogue import TASKS
    from bench.workloads.costs import COSTS

    return (inspect.signature(TASKS[task]), COSTS[task]) if task in COSTS else None


def _derive(seed: int, name: str, block: int) -> int:
    """A seed of 32 bits that changes wholly with each of the three."""
    digest = hashlib.sha256(f"{seed}\n{name}\n{block}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def _slug(name: str) -> str:
    """The name with what a file name had better not hold replaced; short, and never empty."""
    return re.sub(r"[^A-Za-z0-9_.]+", "-", name).strip("-.")[:60] or "scenario"
