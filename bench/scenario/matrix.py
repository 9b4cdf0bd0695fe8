"""The matrix of a scenario: axes crossed, zipped, excluded and included → the points to measure.

    matrix:
      workers.prefetch: [1, 4]                      a list of values
      workload: {cpu: {…}, io: {…}}                 or label → value
      zip: {workers.pool: [a, b], workers.concurrency: [4, 20]}   move together, or a list
      exclude: [{workers.pool: a, workload: io}]    label or list of labels for some of the axes
      include: [{workers.pool: c, workers.concurrency: 1}]        extra points; the rest is the base's

Pure data in, pure data out; what a value means is checked later, for each point.
"""

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bench.grammar import text_of
from bench.model import Label
from bench.scenario.axes import Axis, AxisReader, Override, Pins
from bench.scenario.mistakes import Mistake, PathError, Steps, did_you_mean, shown
from bench.scenario.paths import canonical, get_or_default, label_of, replace, steps

MAX_CELLS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One cell before it is checked: labels for every axis, and what to change in the base."""

    settings: Mapping[str, Label]
    overrides: tuple[Override, ...]
    mark: Steps


def expand(data: Mapping[str, Any], pins: Pins) -> tuple[list[Point], list[Mistake]]:
    """Every point of ``data["matrix"]`` in the order of the file, the first axis slowest, and what is wrong.

    ``data`` is the whole scenario. Faulty axes and entries are left out of the points, so that the rest can
    be checked; with more than MAX_CELLS only the first point is returned.
    """
    matrix = data.get("matrix")
    if matrix is None:
        return [Point(settings={}, overrides=(), mark=())], []
    if not isinstance(matrix, dict):
        return [], [Mistake(path=("matrix",), text="must be a mapping of paths to lists of values")]
    reader = AxisReader(pins)
    reader.read({key: value for key, value in matrix.items() if isinstance(key, str)})
    count = math.prod(len(group[0].labels) for group in reader.groups)
    crossed = _cross(reader.groups)
    if count > MAX_CELLS:
        reader.wrong(("matrix",), f"comes to {count} cells; at most {MAX_CELLS}. Sweep fewer values at once")
        return [next(crossed)], reader.mistakes
    points = _exclude(reader, list(crossed), matrix.get("exclude"))
    base = {key: value for key, value in data.items() if key != "matrix"}
    points = _include(reader, base, points, matrix.get("include"))
    if not points and not reader.mistakes:
        reader.wrong(("matrix",), "leaves no cell to measure. Exclude less")
    return _apart(reader, points), reader.mistakes


def apply(base: Mapping[str, Any], overrides: tuple[Override, ...]) -> Any:
    """The base with the overrides of a point, the shorter paths first. Raises PathError."""
    data: Any = base
    for override in sorted(overrides, key=lambda o: len(o.path)):
        try:
            data = replace(data, override.path, override.value)
        except PathError as error:
            raise PathError(str(error), override.mark) from None
    return data


def _cross(groups: list[list[Axis]]) -> Iterator[Point]:
    for rows in itertools.product(*(range(len(group[0].labels)) for group in groups)):
        chosen = [(axis, row) for group, row in zip(groups, rows, strict=True) for axis in group]
        yield Point(
            settings={axis.path: axis.labels[row] for axis, row in chosen},
            overrides=tuple(axis.overrides[row] for axis, row in chosen),
            mark=(),
        )


def _entries(reader: AxisReader, word: str, entries: Any) -> Iterator[tuple[Steps, dict[str, Any]]]:
    """The entries of ``include:`` or ``exclude:`` that are mappings, each with its path."""
    if entries is None:
        return
    if not isinstance(entries, list):
        reader.wrong(("matrix", word), "must be a list of mappings")
        return
    for index, entry in enumerate(entries):
        if isinstance(entry, dict) and entry and all(isinstance(key, str) for key in entry):
            yield ("matrix", word, index), entry
        else:
            reader.wrong(("matrix", word, index), "must be a mapping of paths to values, and not empty")


def _exclude(reader: AxisReader, points: list[Point], entries: Any) -> list[Point]:
    for where, entry in _entries(reader, "exclude", entries):
        before = len(reader.mistakes)
        conditions = _conditions(reader, where, entry)
        if conditions is None or len(reader.mistakes) > before:
            continue
        kept = [p for p in points if not all(text_of(p.settings[path]) in ok for path, ok in conditions)]
        if len(kept) == len(points) and not reader.pins:
            reader.wrong(where, "matches no cell that is still there. Leave it out")
        points = kept
    return points


def _conditions(
    reader: AxisReader, where: Steps, entry: Mapping[str, Any]
) -> list[tuple[str, set[str]]] | None:
    """For each axis that the entry names the labels that match; None where a pinned value never matches."""
    conditions = []
    for path, wanted in entry.items():
        place = canonical(steps(path))
        if place in reader.pins:
            if not any(_same(reader.pins[place], value) for value in _any_of(wanted)):
                return None
            continue
        axis = reader.axes.get(place)
        if axis is None:
            if place not in reader.seen:
                near = did_you_mean(path, [a.path for a in reader.axes.values()]) or "It has none"
                reader.wrong((*where, path), f"is not an axis of this matrix. {near}")
            continue
        rows = (
            [axis.find(wanted)] if axis.find(wanted) is not None else [axis.find(v) for v in _any_of(wanted)]
        )
        if None in rows:
            near = did_you_mean(text_of(label_of(wanted)), map(text_of, axis.labels))
            reader.wrong((*where, path), f"{shown(wanted)} is not a value of this axis. {near}")
        conditions.append((axis.path, {text_of(axis.labels[row]) for row in rows if row is not None}))
    return conditions


def _any_of(wanted: Any) -> list[Any]:
    return wanted if isinstance(wanted, list) else [wanted]


def _same(value: Any, wanted: Any) -> bool:
    return bool(value == wanted) or text_of(label_of(value)) == text_of(label_of(wanted))


def _include(reader: AxisReader, base: Mapping[str, Any], points: list[Point], entries: Any) -> list[Point]:
    """The points and after them the extra ones; every point gets a label for every path of an entry."""
    extra: list[Point] = []
    new_axes: dict[Steps, str] = {}
    for where, entry in _entries(reader, "include", entries):
        stated = _stated(reader, where, entry)
        if stated:
            new_axes |= {canonical(o.path): path for path, (_, o) in stated.items()}
            settings = {path: label for path, (label, _) in stated.items()}
            overrides = tuple(override for _, override in stated.values())
            extra.append(Point(settings=settings, overrides=overrides, mark=where))
    names = {place: axis.path for place, axis in reader.axes.items()}
    names = {**{place: path for place, path in new_axes.items() if place not in names}, **names}
    order = [*(axis.path for axis in reader.axes.values())]
    order += [path for path in names.values() if path not in order]
    if extra:
        points = [_named(reader, base, point, order) for point in [*points, *extra]]
    return points


def _stated(
    reader: AxisReader, where: Steps, entry: Mapping[str, Any]
) -> dict[str, tuple[Label, Override]] | None:
    """Axis path → label and override for what an entry says; None where a pinned value contradicts it."""
    stated: dict[str, tuple[Label, Override]] = {}
    for path, value in entry.items():
        place, mark = canonical(steps(path)), (*where, path)
        if place in reader.pins:
            if not _same(reader.pins[place], value):
                return None
            continue
        axis = reader.axes.get(place)
        row = axis.find(value) if axis else None
        if axis and row is not None:
            known = axis.overrides[row]
            stated[axis.path] = axis.labels[row], Override(path=known.path, value=known.value, mark=mark)
        elif axis and axis.only_names and not isinstance(value, dict | list):
            near = did_you_mean(text_of(label_of(value)), map(text_of, axis.labels))
            reader.wrong(mark, f"{shown(value)} is not a value of this axis. {near}")
        elif problem := "" if axis else reader.path_problem(path):
            reader.wrong(mark, problem)
        else:
            name = axis.path if axis else path
            stated[name] = label_of(value), Override(path=steps(path), value=value, mark=mark)
    return stated


def _named(reader: AxisReader, base: Mapping[str, Any], point: Point, order: list[str]) -> Point:
    """The point with a label for every path in ``order``: what it does not state is what the base says."""
    if len(point.settings) == len(order):
        settings = {path: point.settings[path] for path in order}
    else:
        try:
            data = apply(base, point.overrides)
        except PathError:
            data = base
        settings = {
            path: point.settings[path] if path in point.settings else _label_at(reader, data, path)
            for path in order
        }
    return Point(settings=settings, overrides=point.overrides, mark=point.mark)


def _label_at(reader: AxisReader, data: Any, path: str) -> Label:
    value = get_or_default(data, steps(path))
    axis = reader.axes.get(canonical(steps(path)))
    row = axis.find(value) if axis else None
    return label_of(value) if axis is None or row is None else axis.labels[row]


def _apart(reader: AxisReader, points: list[Point]) -> list[Point]:
    """The points without those that repeat another's labels; a mistake unless options made them equal."""
    first: dict[tuple[str, ...], Point] = {}
    for point in points:
        key = tuple(map(text_of, point.settings.values()))
        if first.setdefault(key, point) is not point and point.mark and not reader.pins:
            reader.wrong(point.mark, "this cell is there already. Leave it out")
    return list(first.values())
