"""How a condition is written, in gates and in what is expected of a belief, and which cells it means.

    condition := side [ "/" side ] op limit        op := "<" | "<=" | ">" | ">="
    side      := metric [ "[" part { "," part } "]" ]
    metric    := a name of measured.METRICS: throughput, memory, p99(response), failed, …
    part      := label | path "=" label            the last step of a path is enough: pool=gevent
    limit     := number unit, of the metric's kind
                   durations, makespan, cpu_per_task   250ms  1.5s  2m
                   throughput, items, capacity         500/s  30/min
                   memory                              400MiB  1.5GB
                   utilisation                         80%  0.8
                   cpu (cores), counts                 1.5  0
                 or, of a ratio, a number or a percentage: 3  90%

A side means the cells that have all of its labels, and all cells where it names none. A label with a comma or
a bracket in it needs another name, which a matrix can give it (``label: value``).
"""

import difflib
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench import units
from bench.measured import COUNTS, METRICS
from bench.model import Label

_SIDE = r"\s*([^<>=!/\[\]]*?)\s*(?:\[([^\[\]]*)\]\s*)?"
_CONDITION = re.compile(rf"{_SIDE}(?:(/){_SIDE})?(?P<op>[<>=!]+)\s*(?P<limit>.*?)\s*\Z")
_PART = re.compile(r"\s*(?:([\w.]+)\s*=\s*)?(.*?)\s*", re.DOTALL)
"""What stands before "=" is a path if it looks like one: ``io.sleep(seconds=1)`` is a label."""
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A label that a cell must have: on the axis that ``path`` is the end of, or (empty) on any."""

    path: str
    label: str

    def __str__(self) -> str:
        return f"{self.path}={self.label}" if self.path else self.label


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A metric of the cells that have all ``parts``."""

    metric: str
    parts: tuple[Part, ...] = ()

    def __str__(self) -> str:
        return f"{self.metric}[{', '.join(map(str, self.parts))}]" if self.parts else self.metric


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """``left`` (÷ ``right``) ``op`` ``limit``; ``limit`` in SI; ``text`` as it was written."""

    left: Side
    right: Side | None
    op: str
    limit: float
    text: str

    @property
    def sides(self) -> tuple[Side, ...]:
        return (self.left,) if self.right is None else (self.left, self.right)

    @property
    def metric(self) -> str:
        """Of the left side."""
        return self.left.metric

    @property
    def is_everywhere(self) -> bool:
        """Whether it is a condition on each cell by itself: it names none and compares none."""
        return self.right is None and not self.left.parts

    @property
    def is_ratio(self) -> bool:
        return self.right is not None

    @property
    def counts(self) -> bool:
        """Whether it is about counts, which can be zero and are judged on their point."""
        return self.left.metric in COUNTS

    def keeps(self, value: float) -> bool:
        return _OPERATORS[self.op](value, self.limit)


def parse(text: str, noun: str = "a condition") -> Condition:
    """The condition that ``text`` states; messages call it ``noun``.

    Raises ValueError with a sentence that says what to write instead.
    """
    match = _CONDITION.match(text)
    if not match or not match[1] or (match[3] and not match[4]):
        raise ValueError(
            f"{text!r} is not {noun}: write metric, operator, limit, like 'p99(response) < 250ms'"
        )
    try:
        left = _side(match[1], match[2])
        right = _side(match[4], match[5]) if match[3] else None
        if match["op"] not in _OPERATORS:
            raise ValueError(f"{match['op']!r} is not an operator; use one of {' '.join(_OPERATORS)}")
        limit = _limit(left, right, match["limit"])
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}") from None
    return Condition(left=left, right=right, op=match["op"], limit=limit, text=" ".join(text.split()))


def _side(metric: str, selector: str | None) -> Side:
    name = re.sub(r"\s+", "", metric)
    if name not in METRICS:
        near = difflib.get_close_matches(name, METRICS, n=1)
        hint = f"did you mean {near[0]}?" if near else "throughput, makespan, p95(response), memory are some"
        raise ValueError(f"there is no metric {name!r}; {hint}")
    if selector is None:
        return Side(metric=name)
    parts = []
    for text in selector.split(","):
        path, label = _PART.fullmatch(text).groups("")  # type: ignore[union-attr]  # it matches whatever there is
        if not label:
            raise ValueError(f"[{selector}] has an empty place; write labels like gevent or pool=gevent")
        parts.append(Part(path=path, label=label))
    return Side(metric=name, parts=tuple(parts))


def _limit(left: Side, right: Side | None, text: str) -> float:
    if right is None:
        return _quantity(left.metric)(text)
    if _quantity(left.metric) != _quantity(right.metric):
        raise ValueError(f"{left.metric} and {right.metric} are not of a kind, so they have no ratio")
    if str(left) == str(right):
        raise ValueError("both sides are the same")
    limit = _share(text)
    if limit == 0:
        raise ValueError("a ratio has a limit above zero; a single side may be compared with 0")
    return limit


def _quantity(metric: str) -> Callable[[str], float]:
    """How the limit of this metric is written."""
    if metric.endswith(")") or metric in ("makespan", "cpu_per_task"):
        return units.duration
    if metric in ("throughput", "items", "capacity"):
        return units.rate
    if metric == "memory":
        return units.size
    return _share if metric == "utilisation" else _number


def _share(text: str) -> float:
    return _number(text.removesuffix("%")) / (100 if text.endswith("%") else 1)


def _number(text: str) -> float:
    if not re.fullmatch(r"\s*\d+(\.\d*)?\s*", text):
        raise ValueError(f"{text!r} is not a plain number")
    return float(text)


def text_of(label: Label) -> str:
    """A label as it is typed on a command line and compared: ``true``, not ``True``."""
    return str(label).lower() if isinstance(label, bool) else str(label)


Settings = Mapping[str, Label]
"""Axis path → label of one cell."""


def check(condition: Condition, cells: Sequence[Settings]) -> None:
    """Raises ValueError where a side means no cell of this matrix, a part several axes, or both sides of a
    ratio of one metric the same cell.
    """
    chosen = []
    for side in condition.sides:
        for part in side.parts:
            _check_part(part, cells)
        chosen.append(chosen_by(side, cells))
        if not chosen[-1]:
            raise ValueError(f"{condition.text!r}: no cell has all of {', '.join(map(str, side.parts))}")
    if len({side.metric for side in condition.sides}) < len(chosen) and {*chosen[0]} & {*chosen[1]}:
        raise ValueError(f"{condition.text!r}: some cells are on both sides; name what tells the sides apart")


def chosen_by(side: Side, cells: Sequence[Settings]) -> list[int]:
    """Which of the cells the side means, by position."""
    return [i for i, cell in enumerate(cells) if all(_has(cell, part) for part in side.parts)]


def _has(cell: Settings, part: Part) -> bool:
    return any(text_of(cell[axis]) == part.label for axis in _axes(part, cell))


def _axes(part: Part, paths: Iterable[str]) -> list[str]:
    """The axes that the part may mean; one that is named in full goes before those of which it is the end."""
    names = list(paths)
    if not part.path or part.path in names:
        return [part.path] if part.path else names
    return [name for name in names if name.endswith(f".{part.path}")]


def _check_part(part: Part, cells: Sequence[Settings]) -> None:
    paths = list(dict.fromkeys(path for cell in cells for path in cell))
    axes = _axes(part, paths)
    if not paths:
        raise ValueError(f"[{part}]: this scenario has no matrix, so there is one cell; leave the labels out")
    if not axes:
        ends = {path.rpartition(".")[2]: path for path in paths} | {path: path for path in paths}
        raise ValueError(f"[{part}]: {part.path} is not an axis of this matrix; {_near(part.path, ends)}")
    found = {axis: [text_of(cell[axis]) for cell in cells if axis in cell] for axis in axes}
    having = [axis for axis, labels in found.items() if part.label in labels]
    if not having:
        labels = dict.fromkeys(label for each in found.values() for label in each)
        raise ValueError(f"[{part}]: no cell is labelled {part.label!r}; {_near(part.label, labels)}")
    if len(having) > 1:
        raise ValueError(
            f"[{part}] may mean {' or '.join(having)}; write the one that is meant, {having[0]}={part.label}"
        )


def _near(word: str, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
