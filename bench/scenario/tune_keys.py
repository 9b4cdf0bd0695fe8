"""The ``tune:`` of a scenario: ranges and choices to search → a matrix of which each point is a candidate.

    tune:
      workers.concurrency: {from: 1, to: 500, log: true}      whole numbers, evenly or in equal ratios
      workers.prefetch: [1, 4]                                as in a matrix
      workers.pool:                                           each choice with ranges of its own
        prefork: {workers.concurrency: {from: 1, to: 8}}
        gevent: {workers.concurrency: {from: 10, to: 500, log: true}}
        solo: {workers.concurrency: 1}

A range becomes finitely many values: neighbours that are closer could not be told apart anyway.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench.model import is_circumstance
from bench.scenario.document import Marks
from bench.scenario.mistakes import Mistake, Steps, did_you_mean, shown
from bench.scenario.paths import canonical, get_or_default, steps, unknown

RATIO = 1.3
"""Between neighbours of a range in equal ratios: 25 values from 1 to 500."""

MOST_EVEN = 16
"""Values of an even range; wider ones are thinned out to so many."""

RANGE_KEYS = ("from", "to", "log")

Matrix = dict[str, Any]


def spread(data: Mapping[str, Any], marks: Marks | None) -> tuple[Matrix, list[Mistake]]:
    """The matrix that ``data["tune"]`` comes to, and what is wrong. Where it is to be used, ``marks`` learn
    where its parts stand.

    Choices with ranges of their own become rows that move together (``zip``); of a workload or a load a
    mapping has values by their labels, as in a matrix.
    """
    tune = data["tune"]
    if not isinstance(tune, dict) or not tune or not all(isinstance(path, str) for path in tune):
        text = "must be a mapping of paths to values or ranges, and not empty"
        return {}, [Mistake(path=("tune",), text=text)]
    mistakes: list[Mistake] = []
    matrix: Matrix = {}
    zipped: list[Matrix] = []
    seen: dict[Steps, str] = {}
    for path, value in tune.items():
        where: Steps = ("tune", path)
        is_range = isinstance(value, dict) and bool({"from", "to"} & value.keys())
        by_label = isinstance(value, dict) and is_circumstance(path) and not is_range
        if isinstance(value, dict) and not is_range and not by_label:
            rows, inner = _choices(data, path, value, mistakes)
            names = [path, *inner]
            matrix.setdefault("zip", zipped)
            zipped += [{name: [row[name] for row in rows] for name in names}] if rows else []
            if rows and marks:
                for name in names:
                    _move_rows(marks, path, name, rows, ("matrix", "zip", len(zipped) - 1, name))
        else:
            names = [path]
            values = value if by_label else _values(value, where, mistakes)
            if values:
                matrix[path] = values
            if values and marks:
                marks.move(where, ("matrix", path), whole=not by_label and not isinstance(value, list))
        for name in names:
            if seen.setdefault(canonical(steps(name)), path) is not path:
                mistakes.append(Mistake(path=where, text=f"{name} is given twice. Keep one of them"))
    return matrix, mistakes


def _move_rows(marks: Marks, path: str, name: str, rows: Sequence[Matrix], new: Steps) -> None:
    """Each row stands where its choice does, or the range of ``name`` there; all else at ``path``."""
    for index, row in enumerate(rows):
        said: Steps = ("tune", path, row[path], *(() if name == path else (name,)))
        if said in marks:
            marks.move(said, (*new, index), whole=True)
    marks.move(("tune", path), new, whole=True)


def _choices(
    data: Mapping[str, Any], path: str, value: Mapping[Any, Any], mistakes: list[Mistake]
) -> tuple[list[dict[str, Any]], list[str]]:
    """A row for each choice and each combination of its own ranges, and the paths of these; a choice that
    says nothing of one has what the file says elsewhere.
    """
    found: dict[Any, dict[str, list[Any]]] = {}
    for choice, below in value.items():
        where: Steps = ("tune", path, choice)
        if below is not None and not isinstance(below, dict):
            mistakes.append(Mistake(path=where, text="must be a mapping of paths to values or ranges"))
            continue
        found[choice] = {}
        for inner_path, each in (below or {}).items():
            if problem := unknown(steps(inner_path)):
                mistakes.append(Mistake(path=(*where, inner_path), text=problem))
            else:
                found[choice][inner_path] = _values(each, (*where, inner_path), mistakes)
    inner = list(dict.fromkeys(name for own in found.values() for name in own))
    rows = []
    for choice, own in found.items():
        columns = [own[name] if name in own else [get_or_default(data, steps(name))] for name in inner]
        rows += [{path: choice, **dict(zip(inner, row, strict=True))} for row in itertools.product(*columns)]
    return rows, inner


def _values(value: Any, where: Steps, mistakes: list[Mistake]) -> list[Any]:
    """The values of a list, a range or a single value; none where it is wrong."""
    if isinstance(value, list):
        if not value:
            mistakes.append(Mistake(path=where, text="must be a range or a list of values, and not empty"))
        return value
    if not isinstance(value, dict):
        return [value]
    wrong = list(_wrong_range(value, where))
    mistakes += wrong
    return [] if wrong else numbers(value["from"], value["to"], log=value.get("log", False))


def _wrong_range(value: Mapping[Any, Any], where: Steps) -> Iterator[Mistake]:
    for key in value:
        if key not in RANGE_KEYS:
            text = f"unknown key. {did_you_mean(str(key), RANGE_KEYS)}"
            yield Mistake(path=(*where, key), text=text)
    ends = [value.get(key) for key in ("from", "to")]
    for key, end in zip(("from", "to"), ends, strict=True):
        if end is None:
            text = "is missing. A range is written {from: 1, to: 500, log: true}"
            yield Mistake(path=(*where, key), text=text)
        elif isinstance(end, bool) or not isinstance(end, int) or end < 0:
            yield Mistake(path=(*where, key), text=f"must be a whole number from 0 on, not {shown(end)}")
            return
    first, last = ends
    if not isinstance(value.get("log", False), bool):
        yield Mistake(path=(*where, "log"), text="must be true or false")
    elif first is not None and last is not None and first >= last:
        yield Mistake(path=(*where, "to"), text=f"must be above {first}, where the range begins")
    elif value.get("log") and first == 0:
        text = "must be at least 1 where values grow in equal ratios (log: true)"
        yield Mistake(path=(*where, "from"), text=text)


def numbers(first: int, last: int, *, log: bool) -> list[int]:
    """Whole numbers from ``first`` to ``last``, both included: ``RATIO`` apart, or evenly, ``MOST_EVEN`` at
    most.
    """
    if log:
        count = math.ceil(math.log(last / first) / math.log(RATIO)) + 1
        return list(dict.fromkeys(round(first * (last / first) ** (i / (count - 1))) for i in range(count)))
    count = min(last - first + 1, MOST_EVEN)
    return [round(first + (last - first) * i / (count - 1)) for i in range(count)]
