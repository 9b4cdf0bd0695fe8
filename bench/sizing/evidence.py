"""What a run tells of how its workers scale: one sample a good trial, gathered into families.

A family is everything that differs in nothing but nodes, concurrency, prefetch and load: those are what a
plan chooses, and the load is what it is asked about.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench import analyse, store
from bench.measured import TrialResult
from bench.model import Cell, Label, Load, Setup

Floats = NDArray[np.floating[Any]]

CHOSEN = ("workers.nodes", "workers.concurrency", "workers.prefetch")
"""Axes whose values a plan chooses."""

LOCKED = 1.1
"""Cores that a node of one process uses at most while its tasks hold the GIL: one, and what reading the clock
of samples a little late makes of it."""

CONSUMER_S = 0.00065
"""CPU of the consumer for a message where tasks run in the same process, so that it cannot be told from
theirs: no-op tasks come to 1 300 to 1 700 a second and core."""

Point = tuple[float, Mapping[str, float]]
"""A rate (1/s), and metrics of the tasks that came at it."""

FEW_GAPS = 10
"""Fewest gaps between two tasks of a slot whose median is told."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """One good trial. Per task, in CPU seconds: ``consumer_s`` of the nodes' main processes, ``work_s`` of
    the pool's children, ``broker_s``, ``loader_s``. ``services``: seconds of each task, which is of the entry
    ``kinds`` of the workload; ``busy``: slots of its domain that a task found busy, itself among them;
    ``gap_s``: from a task's end to the next start in the same slot while there was a next one. ``points``:
    what was measured at each rate that the workers kept up with. ``memory`` in bytes. ``flood``: all tasks
    were there from the start. What was not measured is None.
    """

    trial: str
    cell: str
    nodes: int
    concurrency: int
    prefetch: int
    points: tuple[Point, ...]
    services: Floats
    kinds: NDArray[np.integer[Any]]
    busy: float
    gap_s: float | None
    consumer_s: float
    work_s: float
    broker_s: float
    loader_s: float
    memory: float | None
    metrics: Mapping[str, float]
    flood: bool = False

    @property
    def slots(self) -> int:
        return self.nodes * self.concurrency


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Family:
    """Samples that one plan may be made of. ``settings``: labels of all axes that a plan does not choose;
    ``setup``: of one of its cells. ``by_node``: slots slow each other down within a node (they share one
    lock), not within a host. ``failed``: trials that failed.
    """

    scenario: str
    settings: Mapping[str, Label]
    setup: Setup
    samples: tuple[Sample, ...]
    by_node: bool
    failed: int = 0

    def run_with(self, axis: str, values: Sequence[int]) -> str:
        """What to run to measure these values of a setting of the workers."""
        return (
            f"celery-bench run FILE --set 'matrix.workers.{axis}={[*values]}', where FILE is the scenario"
            f" {self.scenario}"
        )

    @property
    def concurrencies(self) -> tuple[int, ...]:
        """Those that were measured, ascending."""
        return tuple(sorted({sample.concurrency for sample in self.samples}))

    @property
    def widths(self) -> tuple[int, ...]:
        """How many slots shared a domain, ascending."""
        return tuple(sorted({s.concurrency if self.by_node else s.slots for s in self.samples}))


def families(run: store.Run, cells: Sequence[Cell]) -> Iterator[Family]:
    """The families of these cells, in the order of the file; those without a good trial have no samples."""
    results = run.results()
    ids = {cell.id: cell for cell in cells}
    gathered: dict[str, list[tuple[Cell, TrialResult]]] = {_key(cell): [] for cell in cells}
    for result in results:
        if result.cell in ids:
            gathered[_key(ids[result.cell])].append((ids[result.cell], result))
    first = {_key(cell): cell for cell in reversed(cells)}
    names = {cell.id: scenario.name for scenario in run.scenarios for cell in scenario.cells}
    for key, found in gathered.items():
        cell = first[key]
        good = [(own, result) for own, result in found if result.ok]
        by_node = _locked([result for _, result in good], cell.setup)
        yield Family(
            scenario=names[cell.id],
            settings={axis: label for axis, label in cell.settings.items() if not _chosen(axis)},
            setup=cell.setup,
            samples=tuple(_sample(run, own, result, by_node) for own, result in good),
            by_node=by_node,
            failed=len(found) - len(good),
        )


def _chosen(axis: str) -> bool:
    return axis in CHOSEN or axis.split(".", maxsplit=1)[0] == "load"


def _key(cell: Cell) -> str:
    """The same for cells of a family."""
    fleet = tuple(replace(group, nodes=1, concurrency=1, prefetch=1) for group in cell.setup.fleet)
    return repr(replace(cell.setup, fleet=fleet, load=Load(tasks=1)))


def _locked(results: Sequence[TrialResult], setup: Setup) -> bool:
    """Whether the tasks of a node share one core: all run in its main process, which never took more."""
    if setup.fleet[0].pool in ("prefork", "solo"):  # a slot is a process: more of them are more on the host
        return False
    used = [r.metrics["cpu"] / max(1, len(r.effective)) for r in results if "cpu" in r.metrics]
    return max(used, default=0.0) <= LOCKED


def _sample(run: store.Run, cell: Cell, result: TrialResult, by_node: bool) -> Sample:
    table = analyse.tasks(run.events(result.trial), cell.setup.workload)
    ended = table[(table["state"] != 0) & table["started"].notna()]
    group, load = cell.setup.fleet[0], cell.setup.load
    taken = [node.get("concurrency") for node in result.effective]
    concurrency = (taken[0] if taken else None) or group.concurrency
    slots = concurrency if by_node else group.nodes * concurrency
    per_task = {name: used.get("cpu", 0.0) / max(1, len(ended)) for name, used in result.resources.items()}
    return Sample(
        trial=result.trial,
        cell=cell.id,
        nodes=group.nodes,
        concurrency=concurrency,
        prefetch=group.prefetch,
        points=tuple(_points(load, result)),
        services=ended["service"].to_numpy(),
        kinds=ended["task"].to_numpy(),
        busy=min(met(ended, by_node=by_node), slots),  # a start may be noted before the last end is
        gap_s=gap(ended),
        consumer_s=per_task.get("workers", 0.0),
        work_s=per_task.get("pool", 0.0),
        broker_s=per_task.get("broker", 0.0),
        loader_s=per_task.get("loader", 0.0),
        memory=result.metrics.get("memory"),
        metrics=result.metrics,
        flood=load.shape == "flood",
    )


def _points(load: Load, result: TrialResult) -> Iterator[Point]:
    if load.shape in ("constant", "poisson") and load.rate:
        yield load.rate, result.metrics
    for step, phase in zip(result.search.get("steps", ()), result.phases, strict=False):
        if step["held"]:
            yield step["rate"], phase["metrics"]


def met(ended: pd.DataFrame, *, by_node: bool) -> float:
    """How many slots were busy while a task ran, itself among them, on the average of all seconds of service:
    ∫b² ÷ ∫b, where b slots of the domain are busy. 1 for tasks that never overlap.
    """
    squares = total = 0.0
    for _, own in ended.groupby("node" if by_node else np.zeros(len(ended))):
        end = own["ended"].to_numpy()
        times = np.concatenate([end - own["service"].to_numpy(), end])
        order = np.argsort(times, kind="stable")
        busy = np.cumsum(np.repeat([1, -1], end.size)[order])[:-1]
        spans = np.diff(times[order])
        squares += float((busy**2 * spans).sum())
        total += float((busy * spans).sum())
    return max(1.0, squares / total) if total > 0 else 1.0


def gap(ended: pd.DataFrame) -> float | None:
    """The median time from a task's end to the next start in the same slot, of those that had been received
    by then: what a slot needs to go on. None where too few were.
    """
    lane = analyse.lanes(ended).to_numpy()
    order = np.lexsort((ended["last_started"].to_numpy(), lane))
    own = ended.iloc[order]
    ends, starts = own["ended"].to_numpy()[:-1], own["last_started"].to_numpy()[1:]
    there = (lane[order][1:] == lane[order][:-1]) & (own["received"].to_numpy()[1:] < ends)
    gaps = (starts - ends)[there]
    return max(0.0, float(np.median(gaps))) if gaps.size >= FEW_GAPS else None


def offered(family: Family, nodes: int, concurrency: int, prefetch: int) -> list[Point]:
    """What was measured with this layout, the slowest rate first."""
    layout = (nodes, concurrency, prefetch)
    same = [s for s in family.samples if (s.nodes, s.concurrency, s.prefetch) == layout]
    return sorted((point for sample in same for point in sample.points), key=lambda point: point[0])
