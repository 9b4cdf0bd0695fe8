"""YAML text → plain data and, for each path in it, the line where it stands.

Only ``yaml.SafeLoader``, no objects. What would grow absurdly by aliases is refused before it is built.
"""

import datetime
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from bench.errors import ScenarioError
from bench.scenario.mistakes import Mistake, Steps, safe

MAX_BYTES = 256 * 1024
"""A scenario is written by a person; PyYAML reads about 100 kB a second."""
MAX_NODES = 50_000
"""Values in a document once every alias is followed."""

_MERGE = "tag:yaml.org,2002:merge"


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a value stands (``file:line`` or the option that gave it); ``leaf``: nothing lies below it."""

    place: str
    leaf: bool


class Marks:
    """Where each path of a scenario stands."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._marks: dict[Steps, Mark] = {(): Mark(f"{file}:1", leaf=False)}
        self._moved: dict[Steps, Steps] = {}

    def add(self, path: Steps, line: int, *, leaf: bool) -> None:
        self._marks.setdefault(path, Mark(f"{self.file}:{line}", leaf))

    def give(self, path: Steps, value: Any, place: str) -> None:
        """``value`` was put at ``path`` by a command-line option, called ``place`` in messages."""
        for known in [p for p in self._marks if p[: len(path)] == path]:
            del self._marks[known]
        for depth in range(1, len(path)):
            self._marks.setdefault(path[:depth], Mark(place, leaf=False))
        for below, leaf in _paths(value):
            self._marks[path + below] = Mark(place, leaf)

    def __contains__(self, path: Steps) -> bool:
        return path in self._marks

    def move(self, old: Steps, new: Steps, *, whole: bool = False) -> None:
        """What the file says at ``old`` is found at ``new`` from now on, and told of as at ``old``.

        ``whole``: so is what lies below ``new``.
        """
        for depth in range(1, len(new)):
            self._marks.setdefault(new[:depth], self._marks[old])
        for path in [old] if whole else [p for p in self._marks if p[: len(old)] == old]:
            self._marks[new + path[len(old) :]] = Mark(
                self._marks[path].place, leaf=whole or self._marks[path].leaf
            )
        self._moved[new] = old

    def locate(self, path: Steps) -> tuple[str, Steps]:
        """The place nearest to ``path`` and the path as this file would write it.

        An index that the file leaves out (a workload of one task is a plain mapping) is left out,
        and so is whatever would lie below a scalar (``broker: valkey`` for ``broker.kind``).
        """
        known: Steps = ()
        rest = list(path)
        while rest:
            if (*known, rest[0]) in self._marks:
                known = (*known, rest.pop(0))
            elif rest[0] == 0:
                rest.pop(0)
            else:
                break
        mark = self._marks[known]
        for new, old in self._moved.items():
            if known[: len(new)] == new:
                known = old + known[len(new) :]
        return mark.place, known if mark.leaf else (*known, *rest)


@dataclass(slots=True)
class Document:
    """A scenario file as read: plain data, places, its text, and what is wrong with it so far."""

    data: dict[str, Any]
    marks: Marks
    source: str
    mistakes: list[Mistake] = field(default_factory=list)


def read(path: Path) -> Document:
    """Read one file. Raises ScenarioError where nothing more can be said: unreadable, no YAML …"""
    text = _text(path)
    marks = Marks(str(path))
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is None:
            raise _stop(path, 1, "the file is empty. Begin with a line `question: …`")
        _weigh(path, node)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise _syntax(path, error) from None
    except RecursionError:
        raise _stop(path, 1, "lists and mappings are nested too deeply to be a scenario") from None
    except (ValueError, OverflowError) as error:
        raise _stop(path, _bad_scalar(text), f"a value cannot be read: {error}. Write it in quotes") from None
    if not isinstance(data, dict):
        line = node.start_mark.line + 1
        raise _stop(path, line, "a scenario is a mapping of keys. Begin with a line `question: …`")
    mistakes = [*_mark(node, (), marks), *odd_values(data)]
    return Document({str(key): value for key, value in data.items()}, marks, text, mistakes)


def parse(text: str) -> Any:
    """One YAML value, as on a command line. Raises ValueError with a sentence."""
    if len(text) > MAX_BYTES:
        raise ValueError("the value is too long")
    try:
        if "&" in text and (node := yaml.compose(text, Loader=yaml.SafeLoader)) is not None:
            _weigh(Path("-"), node)
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"not a YAML value: {getattr(error, 'problem', None) or error}") from None
    except ScenarioError as error:
        raise ValueError(error.mistakes[0].removeprefix("-:1: ")) from None
    except RecursionError:
        raise ValueError("the value is nested too deeply") from None


def odd_values(value: Any, path: Steps = ()) -> Iterator[Mistake]:
    """What YAML can say and JSON, and so a Celery message, cannot: dates, bytes, sets, NaN, odd keys."""
    if isinstance(value, dict):
        for key, below in value.items():
            if not isinstance(key, str):
                hint = "YAML reads on, off, yes and no as true or false. " if isinstance(key, bool) else ""
                text = f"the key {key!r} is not text. {hint}Write it in quotes"
                yield Mistake(path=(*path, str(key)), text=text)
            else:
                yield from odd_values(below, (*path, key))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from odd_values(below, (*path, index))
    elif isinstance(value, float) and not math.isfinite(value):
        yield Mistake(path=path, text=f"{value} is not a finite number")
    elif isinstance(value, datetime.date):
        yield Mistake(path=path, text="YAML reads this as a date. Write it in quotes")
    elif isinstance(value, str):
        if any("\ud800" <= char <= "\udfff" for char in value):
            yield Mistake(path=path, text="the text holds half a character (a lone surrogate)")
    elif value is not None and not isinstance(value, bool | int | float):
        yield Mistake(
            path=path, text=f"a value of type {type(value).__name__} cannot be sent. Write text or numbers"
        )


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _stop(path, 1, f"the file cannot be read: {error.strerror or error}") from None
    if len(raw) > MAX_BYTES:
        raise _stop(path, 1, f"the file is larger than {MAX_BYTES // 1024} KiB: this is not a scenario")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise _stop(path, line, "the file is not UTF-8 text. Save it as UTF-8") from None


def _stop(path: Path, line: int, text: str) -> ScenarioError:
    return ScenarioError([safe(f"{path}:{line}: {text}")])


def _syntax(path: Path, error: yaml.YAMLError) -> ScenarioError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be read"
    if "single document" in str(error):
        problem = "a second document begins with `---`; one file asks one question"
    if "cannot start any token" in problem and "\\t" in problem:
        problem += ". Indent with spaces, not with tabs"
    return _stop(path, mark.line + 1 if mark else 1, f"not valid YAML: {problem}")


def _bad_scalar(text: str) -> int:
    """The line of the first scalar that looks like a number or date and is none (``2026-13-45``)."""
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.ScalarEvent) and not event.style and event.start_mark:
            try:
                yaml.safe_load(event.value)
            except yaml.YAMLError:
                continue
            except (ValueError, OverflowError):
                return int(event.start_mark.line) + 1
    return 1


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _weigh(path: Path, root: yaml.Node) -> None:
    """Refuse a document with more than MAX_NODES values with aliases followed, or one inside itself."""
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()

    def size(node: yaml.Node) -> int:
        if id(node) in open_nodes:
            raise _stop(path, node.start_mark.line + 1, "an alias refers to what it is part of")
        if id(node) not in sizes:
            open_nodes.add(id(node))
            sizes[id(node)] = 1 + sum(map(size, _children(node)))
            open_nodes.discard(id(node))
        return sizes[id(node)]

    if size(root) > MAX_NODES:
        raise _stop(path, 1, f"the file comes to more than {MAX_NODES} values: this is not a scenario")


def _mark(node: yaml.Node, path: Steps, marks: Marks) -> Iterator[Mistake]:
    """Note the line of every path below ``node``; yield a mistake for each key that stands twice."""
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            marks.add((*path, index), item.start_mark.line + 1, leaf=isinstance(item, yaml.ScalarNode))
            yield from _mark(item, (*path, index), marks)
    elif isinstance(node, yaml.MappingNode):
        first: dict[str, int] = {}
        for key, value in sorted(node.value, key=lambda pair: pair[0].tag == _MERGE):
            line = key.start_mark.line + 1
            if key.tag == _MERGE:
                merged = value.value if isinstance(value, yaml.SequenceNode) else [value]
                for part in merged:
                    yield from _mark(part, path, marks)
                continue
            if key.value in first:
                text = f"the key stands twice, first in line {first[key.value]}. Keep one of them"
                yield Mistake(path=(*path, key.value), text=text, place=f"{marks.file}:{line}")
                continue
            first[key.value] = line
            marks.add((*path, key.value), line, leaf=isinstance(value, yaml.ScalarNode))
            yield from _mark(value, (*path, key.value), marks)


def _paths(value: Any) -> Iterator[tuple[Steps, bool]]:
    yield (), not isinstance(value, dict | list)
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, below in items:
        for path, leaf in _paths(below):
            yield (step, *path), leaf
