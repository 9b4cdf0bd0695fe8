"""The keys of an entry of ``workload:``: a task, or a canvas of tasks.

A new canvas is a model here, its shape is in ``bench/canvas.py``, how it is published in
``bench/run/canvases.py``.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Discriminator, Field, Tag

from bench.canvas import CANVASES, MAPS, TaskCall
from bench.scenario.fields import AsSchema, Duration, Keys, Schema, SizeFromZero
from bench.scenario.mistakes import Steps, shown

_ITEMS_MOST = 1_000_000
PARTS_MOST = 10_000
_LIST_MOST = 1000
_RATE_LIMIT = re.compile(r"\d+(\.\d+)?/[smh]")
_RATE_LIMIT_TEXT = AsSchema(lambda _: {"type": "string", "pattern": f"^{_RATE_LIMIT.pattern}$"})


def _arguments(value: Any) -> Any:
    if isinstance(value, str) or (isinstance(value, list) and all(isinstance(v, list | dict) for v in value)):
        return value
    raise ValueError("must be a CSV file, `module:callable`, or a list of lists and mappings")


def _rate_limit(value: Any) -> Any:
    if isinstance(value, str) and _RATE_LIMIT.fullmatch(value):
        return value
    if type(value) in (int, float):
        raise ValueError(f"{shown(value)} has no unit. Write a rate such as {shown(value)}/s")
    raise ValueError(f"{shown(value)} is not a rate. Write a number with /s, /m or /h, as in 10/s")


_ARGUMENTS = AsSchema(lambda _: {"anyOf": [{"type": "string"}, {"type": "array"}]})


class _MessageKeys(Keys):
    """What any message of a task has."""

    task: str = Field(description="Name of the task", examples=["cpu.spin", "io.sleep"])
    args: list[Any] = Field(default=[], description="Positional arguments, as written", examples=[[5]])
    priority: int | None = Field(
        default=None, ge=0, le=255, description="Redis and Valkey: 0 is served first; RabbitMQ: last"
    )
    countdown: Duration | None = Field(
        default=None, description="It may not start earlier than this after being sent", examples=["5s"]
    )
    expires: Duration | None = Field(
        default=None,
        description="A worker drops it if it has not started this long after (Redis and Valkey)",
        examples=["30s"],
    )


class CallKeys(_MessageKeys):
    """A task and its arguments."""

    kwargs: dict[str, Any] = Field(
        default={}, description="Keyword arguments, as written", examples=[{"seconds": 0.05}]
    )
    arguments: Annotated[Any, BeforeValidator(_arguments), _ARGUMENTS] = Field(
        default="",
        description="Where arguments come from instead, by turns: a list of lists (`args`) or mappings "
        "(`kwargs`), a CSV file with a column for each, or `module:callable`, which gets a seeded "
        "`random.Random` and returns `args, kwargs`",
        examples=["mails.csv"],
    )
    payload: SizeFromZero | None = Field(
        default=None,
        description="Records of about this size travel along as the argument `payload`",
        examples=["64KiB"],
    )
    rate_limit: Annotated[str, BeforeValidator(_rate_limit), _RATE_LIMIT_TEXT] | None = Field(
        default=None,
        description="At most so many starts in each worker",
        examples=["10/s"],
    )


_WEIGHT = Field(default=1.0, gt=0, description="Share of the mix relative to the others", examples=[9])


class TaskKeys(CallKeys):
    """One kind of task in the mix."""

    weight: float = _WEIGHT


class PartKeys(CallKeys):
    """One part of a canvas."""

    times: int = Field(
        default=1, ge=1, le=PARTS_MOST, description="In a canvas: this part is there so many times"
    )


def _named(value: Any) -> Any:
    return {"task": value} if isinstance(value, str) else value


PartKey = Annotated[
    PartKeys, BeforeValidator(_named), AsSchema(lambda made: {"anyOf": [made, {"type": "string"}]})
]
Parts = Annotated[list[PartKey], Field(min_length=1, max_length=_LIST_MOST)]


class ChainKeys(Keys):
    """Tasks that run one after another."""

    chain: Parts = Field(
        description="Instead of `task`: tasks that run one after another, each as above or just its name",
        examples=[["noop", {"task": "io.sleep", "args": [0.05]}]],
    )
    weight: float = _WEIGHT


class GroupKeys(Keys):
    """Tasks that are published together."""

    group: Parts = Field(
        description="Instead of `task`: tasks that are published together",
        examples=[[{"task": "io.sleep", "times": 10}]],
    )
    weight: float = _WEIGHT


class HeaderAndBody(Keys):
    """A group, and what runs when all of it has succeeded."""

    header: Parts = Field(description="Tasks that are published together")
    body: PartKey = Field(description="The task that runs once when all of them have succeeded")


class ChordKeys(Keys):
    """A group, and what runs when all of it has succeeded."""

    chord: HeaderAndBody = Field(
        description="Instead of `task`: a group, and a task that runs once when all of it has succeeded"
    )
    weight: float = _WEIGHT


def _rows(value: Any) -> Any:
    if isinstance(value, list) and all(isinstance(row, list) for row in value):
        return value
    raise ValueError("must be a list of lists here: map and chunks pass positional arguments only")


class MapOf(_MessageKeys):
    """A task and the items it is applied to; Celery passes these as positional arguments only."""

    arguments: Annotated[list[Any], BeforeValidator(_rows)] = Field(
        default=[], description="The items' arguments, by turns: a list of lists", examples=[[[0.01], [0.02]]]
    )
    items: int = Field(ge=1, le=_ITEMS_MOST, description="How many items: calls of the task in one unit")


class ChunksOf(MapOf):
    """The same in several messages."""

    size: int = Field(ge=1, le=_ITEMS_MOST, description="chunks: items in each message")


class MapKeys(Keys):
    """A task applied to items, all in one message."""

    map: MapOf = Field(description="Instead of `task`: one that is applied to many items, all in one message")
    weight: float = _WEIGHT


class ChunksKeys(Keys):
    """A task applied to items, so many in a message."""

    chunks: ChunksOf = Field(
        description="Instead of `task`: one that is applied to many items, so many in each message"
    )
    weight: float = _WEIGHT


ENTRY_KEYS: Mapping[str, type[Keys]] = {
    "task": TaskKeys,
    "chain": ChainKeys,
    "group": GroupKeys,
    "chord": ChordKeys,
    "map": MapKeys,
    "chunks": ChunksKeys,
}
BELOW: Mapping[str, type[Keys]] = {
    "chain.0": PartKeys,
    "group.0": PartKeys,
    "chord": HeaderAndBody,
    "chord.header.0": PartKeys,
    "chord.body": PartKeys,
    "map": MapOf,
    "chunks": ChunksOf,
}
"""What lies below a canvas: its path in the entry → the keys there."""


def _canvas_of(value: Any) -> str:
    return next((name for name in CANVASES if isinstance(value, Mapping) and name in value), "task")


def _one_of(made: Schema) -> Schema:
    return {"anyOf": made.get("oneOf") or made["anyOf"]}


Entry = Annotated[
    Annotated[TaskKeys, Tag("task")]
    | Annotated[ChainKeys, Tag("chain")]
    | Annotated[GroupKeys, Tag("group")]
    | Annotated[ChordKeys, Tag("chord")]
    | Annotated[MapKeys, Tag("map")]
    | Annotated[ChunksKeys, Tag("chunks")],
    Discriminator(_canvas_of),
    AsSchema(_one_of),
]


def entry_noun(keys: Any) -> TaskCall:
    """The validated entry in the program's own noun."""
    canvas = next((name for name in CANVASES if name in type(keys).model_fields), "")
    if not canvas:
        return _call(keys)
    within = getattr(keys, canvas)
    if canvas in MAPS:
        more = {"items": within.items, "size": getattr(within, "size", None)}
        return TaskCall(canvas=canvas, parts=(_call(within),), weight=keys.weight, **more)
    parts = [*within.header, within.body] if canvas == "chord" else within
    return TaskCall(canvas=canvas, parts=tuple(map(_call, parts)), weight=keys.weight)


def _call(keys: Any) -> TaskCall:
    given = {name: getattr(keys, name) for name in type(keys).model_fields if name not in ("items", "size")}
    payload = given.get("payload")
    given["payload"] = None if payload is None else round(payload)
    rows = given["arguments"]
    rows = rows if isinstance(rows, str) else tuple(rows) or ""
    return TaskCall(**{**given, "args": tuple(keys.args), "arguments": rows})


def places(entry: TaskCall, path: Steps) -> Iterator[tuple[TaskCall, Steps]]:
    """The tasks of an entry that stands at ``path``, and where each of them stands."""
    match entry.canvas:
        case "":
            yield entry, path
        case "map" | "chunks":
            yield entry.parts[0], (*path, entry.canvas)
        case "chord":
            for n, part in enumerate(entry.parts[:-1]):
                yield part, (*path, "chord", "header", n)
            yield entry.parts[-1], (*path, "chord", "body")
        case _:
            for n, part in enumerate(entry.parts):
                yield part, (*path, entry.canvas, n)
