"""What one entry of a workload publishes: a task, or several that Celery's canvas ties together.

A *unit* is what is published at a time; its *parts* are the messages that it comes to, numbered from 1 (a
plain task is part 0 of itself). Standard library only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, NamedTuple

CANVASES = ("chain", "group", "chord", "map", "chunks")
MAPS = ("map", "chunks")
"""One task applied to many items, several in a message."""


class Part(NamedTuple):
    """One message of a canvas: ``call`` is the index of its task in ``TaskCall.calls``; parts of a ``stage``
    (from 0) may begin when all of the stage before have succeeded; ``items`` is how often it calls the task.
    """

    stage: int
    call: int
    items: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCall:
    """One kind of task in the mix; ``weight`` is its share relative to the others.

    ``payload`` bytes of records travel along as the argument of that name; ``countdown`` and ``expires`` in
    seconds; ``rate_limit`` as Celery writes it (``10/s`` for each worker). ``arguments``: where they come
    from instead, a CSV file, ``module:callable``, or rows that take turns.

    Or a ``canvas`` (one of ``CANVASES``) of ``parts``, each of them there ``times`` over: the last part of a
    chord is its body; a map or chunks has one part, applied to ``items`` items, ``size`` in each chunk.
    """

    task: str = ""
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    weight: float = 1.0
    payload: int | None = None
    priority: int | None = None
    countdown: float | None = None
    expires: float | None = None
    rate_limit: str | None = None
    arguments: str | tuple[Any, ...] = ""
    canvas: str = ""
    parts: tuple["TaskCall", ...] = ()
    times: int = 1
    items: int | None = None
    size: int | None = None

    @property
    def name(self) -> str:
        """What people read: ``io.sleep``, ``chain of 3``, ``100 in chunks of 10``."""
        if not self.canvas:
            return self.task
        if self.canvas == "chunks":
            return f"{self.items} in chunks of {self.size}"
        many = self.items or sum(part.times for part in self.parts[: -1 if self.canvas == "chord" else None])
        return f"{self.canvas} of {many}"

    @property
    def calls(self) -> tuple["TaskCall", ...]:
        """The tasks that it is made of: itself, or the parts of a canvas."""
        return self.parts or (self,)

    @property
    def total(self) -> int:
        """How often one unit calls somebody's function."""
        return self.items or sum(call.times for call in self.calls)

    @property
    def messages(self) -> tuple[Part, ...]:
        """Its parts in the order of their numbers, stage after stage; a plain task has none."""
        if self.canvas in MAPS:
            size, items = self.size or self.total, self.total
            return tuple(Part(0, 0, min(size, items - first)) for first in range(0, items, size))
        each = [(n, part) for n, part in enumerate(self.parts) for _ in range(part.times)]
        if self.canvas == "chain":
            return tuple(Part(stage, n, 1) for stage, (n, _) in enumerate(each))
        last = len(self.parts) - 1
        return tuple(Part(int(self.canvas == "chord" and n == last), n, 1) for n, _ in each)


def part_names(call: TaskCall) -> list[tuple[str, int]]:
    """What each part is called (``2 io.sleep``, ``1–10 io.sleep``, ``body noop``), those alike of one stage
    together, and how many they are.
    """
    names = []
    number = 1
    for (stage, which), alike in groupby(call.messages, key=lambda part: part[:2]):
        many = len(list(alike))
        place = f"{number}–{number + many - 1}" if many > 1 else str(number)
        is_body = call.canvas == "chord" and stage == 1
        names.append((f"{'body' if is_body else place} {call.calls[which].task}", many))
        number += many
    return names


def distinct(workload: Sequence[TaskCall]) -> list[TaskCall]:
    """Every task that these entries call, each once, whatever its share."""
    found: list[TaskCall] = []
    for call in (bare(part) for entry in workload for part in entry.calls):
        if call not in found:
            found.append(call)
    return found


def bare(call: TaskCall) -> TaskCall:
    """The task without what says how often it is called."""
    return replace(call, weight=1.0, times=1)


class Underway:
    """Canvases of a workload that have not ended. Ends of parts may be told in any order, as they are read
    from several files.
    """

    def __init__(self, workload: Sequence[TaskCall]) -> None:
        self._stage = [[part.stage for part in call.messages] for call in workload]
        self._units: dict[int, _Unit] = {}

    def ended(self, unit: int, entry: int, part: int, t_ns: int, *, ok: bool) -> int:
        """Note that ``part`` of ``unit`` (of that entry of the workload) ended for good, ``ok`` or not.

        When the unit ended (ns), if with this it has; else 0. A unit has ended when a stage has, and it was
        the last or not all of it went well: what comes after never runs.
        """
        stages = self._stage[entry]
        at = self._units.setdefault(unit, _Unit(stages))
        stage = stages[part - 1]
        if part not in at.seen:
            at.seen.add(part)
            at.left[stage] -= 1
        at.broken[stage] |= not ok
        at.latest[stage] = max(at.latest[stage], t_ns)
        if at.left[stage] or not (stage == stages[-1] or at.broken[stage]):
            return 0
        del self._units[unit]
        return at.latest[stage]


class _Unit:
    __slots__ = ("broken", "latest", "left", "seen")

    def __init__(self, stages: Sequence[int]) -> None:
        self.left = [stages.count(stage) for stage in range(stages[-1] + 1)]
        self.broken = [False] * len(self.left)
        self.latest = [0] * len(self.left)
        self.seen: set[int] = set()
