"""The axes of a matrix as the file writes them: a path, its values, and a label for each value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.grammar import text_of
from bench.model import Label
from bench.scenario.keys import HEAD_KEYS, MATRIX_WORDS
from bench.scenario.mistakes import Mistake, Steps
from bench.scenario.paths import canonical, label_of, steps, unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """``value`` at ``path`` instead of the base's; ``mark`` is where the file says so."""

    path: Steps
    value: Any
    mark: Steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One path that is swept. ``labels`` and ``overrides`` are equally long."""

    path: str
    labels: tuple[Label, ...]
    overrides: tuple[Override, ...]

    @property
    def place(self) -> Steps:
        """Its canonical path: the same for every way to write it."""
        return canonical(steps(self.path))

    @property
    def only_names(self) -> bool:
        """Whether every value is a list or mapping, so that a scalar can only mean a label."""
        return all(isinstance(override.value, dict | list) for override in self.overrides)

    def find(self, value: Any) -> int | None:
        """Which of its values is meant: by label, or by equality."""
        for index, label in enumerate(self.labels):
            if not isinstance(value, dict | list) and text_of(label) == text_of(label_of(value)):
                return index
        for index, override in enumerate(self.overrides):
            if type(override.value) is type(value) and override.value == value:
                return index
        return None


Pins = Mapping[Steps, Any]
"""Canonical path → the value that an option of the command line gave it: such an axis is left out."""


@dataclass(slots=True)
class AxisReader:
    """Collects groups of axes that move together (mostly groups of one), and mistakes."""

    pins: Pins
    groups: list[list[Axis]] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)
    seen: set[Steps] = field(default_factory=set)

    @property
    def axes(self) -> dict[Steps, Axis]:
        """Canonical path → axis, in the order of the file."""
        return {axis.place: axis for group in self.groups for axis in group}

    def wrong(self, path: Steps, text: str) -> None:
        """Note a mistake."""
        self.mistakes.append(Mistake(path=path, text=text))

    def read(self, matrix: Mapping[str, Any]) -> None:
        """Take in the axes in the order of the file."""
        for key, value in matrix.items():
            if key == "zip":
                parts = value if isinstance(value, list) else [value]
                for index, part in enumerate(parts):
                    where: Steps = ("matrix", "zip", index) if isinstance(value, list) else ("matrix", "zip")
                    self._zip(part, where)
            elif key not in MATRIX_WORDS:
                axis = self._axis(key, value, ("matrix", key), apart=True)
                self.groups += [[axis]] if axis else []

    def _zip(self, part: Any, where: Steps) -> None:
        if not isinstance(part, dict) or not part:
            self.wrong(where, "must be a mapping of paths to equally long lists")
            return
        found = [self._axis(key, value, (*where, key), apart=False) for key, value in part.items()]
        axes = [axis for axis in found if axis]
        lengths = {axis.path: len(axis.labels) for axis in axes}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{path} has {n}" for path, n in lengths.items())
            self.wrong(where, f"what moves together must be equally long: {told}")
            return
        if not axes:
            return
        rows = list(zip(*([text_of(label) for label in axis.labels] for axis in axes), strict=True))
        if not self.pins and len(set(rows)) < len(rows):
            row = next(i for i, r in enumerate(rows) if r in rows[:i])
            self.wrong(
                axes[0].overrides[row].mark, f"row {row + 1} is the same as an earlier one. Leave it out"
            )
        self.groups.append(axes)

    def _axis(self, key: str, value: Any, where: Steps, *, apart: bool) -> Axis | None:
        path = steps(key)
        if canonical(path) in self.pins:
            return None
        twice = "this path is an axis already. Keep one of them" if canonical(path) in self.seen else ""
        self.seen.add(canonical(path))
        if problem := twice or self.path_problem(key):
            self.wrong(where, problem)
            return None
        if isinstance(value, dict) and value:
            items = list(value.items())
        elif isinstance(value, list) and value:
            items = list(enumerate(value))
        else:
            self.wrong(where, "must be a list of values, or a mapping of labels to values, and not empty")
            return None
        overrides = tuple(Override(path=path, value=v, mark=(*where, step)) for step, v in items)
        labels = tuple(value) if isinstance(value, dict) else self._labels(value, where, apart=apart)
        return Axis(path=key, labels=labels, overrides=overrides)

    def path_problem(self, key: str) -> str:
        """Why this path cannot differ between cells, or nothing."""
        path = canonical(steps(key))
        if path[0] in (*HEAD_KEYS, "matrix", "tune"):
            return f"{path[0]} is the same for all cells. Write a scenario for each"
        return unknown(steps(key))

    def _labels(self, values: Sequence[Any], where: Steps, *, apart: bool) -> tuple[Label, ...]:
        """A label for each value; different values never share one."""
        labels: list[Label] = []
        first: dict[str, Any] = {}
        for index, value in enumerate(values):
            label = label_of(value)
            number = 1
            while text_of(label) in first and first[text_of(label)] != value:
                number += 1
                label = f"{label_of(value)} #{number}"
            if apart and text_of(label) in first:
                self.wrong((*where, index), f"{label!r} stands twice. Name the values if you want it twice")
            first.setdefault(text_of(label), value)
            labels.append(label)
        return tuple(labels)
