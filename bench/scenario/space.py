"""What ``tune`` searches: the candidates of a scenario, and beside them a cell with Celery's defaults."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from bench import model
from bench.errors import UsageError
from bench.grammar import text_of
from bench.model import Label, is_circumstance
from bench.scenario.axes import Override
from bench.scenario.keys import default_at
from bench.scenario.matrix import Point
from bench.scenario.paths import canonical, label_of, steps

DEFAULT = "Celery's default"


class Space(NamedTuple):
    """``scenario`` has the cells that are ``candidates``, and the one with Celery's ``default`` (ids), which
    need not be among these.
    """

    scenario: model.Scenario
    candidates: tuple[str, ...]
    default: str


def default_points(points: Sequence[Point]) -> list[Point]:
    """For each circumstance of ``points`` one with Celery's default for everything else that is swept."""
    found: dict[str, Point] = {}
    for point in points:
        fixed = {path: label for path, label in point.settings.items() if is_circumstance(path)}
        kept = tuple(o for o in point.overrides if is_circumstance(".".join(map(str, o.path))))
        values = {path: _celerys(path) for path in point.settings if path not in fixed}
        overrides = [
            Override(path=steps(path), value=value, mark=("tune",)) for path, value in values.items()
        ]
        settings = {path: fixed[path] if path in fixed else _label(values[path]) for path in point.settings}
        key = str(sorted(fixed.items()))
        found.setdefault(key, Point(settings=settings, overrides=(*kept, *overrides), mark=("tune",)))
    return list(found.values())


def of(scenario: model.Scenario, defaults: Sequence[model.Cell]) -> Space:
    """The space whose candidates are the scenario's cells. Raises UsageError where there is nothing to choose
    between, or several kinds of work.
    """
    axes = [axis for axis in scenario.axes if not is_circumstance(axis)]
    if len(scenario.cells) < 2 or not axes:
        what = "one candidate only" if axes else "nothing to tune"
        if scenario.axes and not axes:
            what = f"no setting to tune: {scenario.axes[0]} is part of what is asked for"
        raise UsageError(
            f"{scenario.name} has {what}.",
            "Give its `tune:` ranges or choices (workers.concurrency: {from: 1, to: 8}), or a `matrix:`.",
        )
    works = {_work(cell): cell for cell in scenario.cells}
    if len(works) > 1:
        path, labels = next(
            (path, dict.fromkeys(text_of(cell.settings[path]) for cell in scenario.cells))
            for path in scenario.axes
            if is_circumstance(path) and len({text_of(c.settings[path]) for c in scenario.cells}) > 1
        )
        raise UsageError(
            f"{scenario.name} has several kinds of work, and each has a best setting of its own.",
            f"Choose one: --only {path}={next(iter(labels))}",
        )
    default = next(cell for cell in defaults if _work(cell) in works)
    candidates = tuple(cell.id for cell in scenario.cells)
    same = next((cell.id for cell in scenario.cells if cell.setup == default.setup), None)
    if same is not None:
        return Space(scenario, candidates, same)
    whole = replace(scenario, cells=(*scenario.cells, default))
    return Space(whole, candidates, default.id)


def _work(cell: model.Cell) -> str:
    return str([text_of(label) for path, label in cell.settings.items() if is_circumstance(path)])


def _celerys(path: str) -> Any:
    """What Celery does where nobody says anything else."""
    place = tuple(0 if isinstance(step, int) else step for step in canonical(steps(path)))
    cores = os.cpu_count() or 1
    if place in (("workers",), ("workers", 0)):
        return {"pool": "prefork", "concurrency": cores}
    return cores if place == ("workers", 0, "concurrency") else default_at(place)


def _label(value: Any) -> Label:
    return DEFAULT if isinstance(value, Mapping | list) or value is None else label_of(value)
