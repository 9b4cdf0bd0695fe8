"""Dotted paths into the plain data of a scenario: read, replace, compare, and name a value in a few words."""

import difflib
from collections.abc import Mapping
from typing import Any

from bench import units
from bench.grammar import text_of
from bench.model import CANVASES, Label
from bench.scenario.canvas_keys import BELOW, PartKeys
from bench.scenario.keys import default_at, known_paths
from bench.scenario.mistakes import PathError, Steps, did_you_mean, shown

MISSING = object()
"""What ``get`` answers where the data says nothing."""

_LONGEST_LABEL = 60
_ONE_OR_MORE = {
    "workers": "the workers are one group",
    "workload": "the workload is one task",
    "load": "the load is one, without phases",
}
"""What may be written as a mapping or as a list of them, and a sentence about the mapping."""
_FREE = (
    "routes",
    "settings",
    "broker.transport_options",
    "workers.0.env",
    *(
        f"workload.0.{below}{name}"
        for below in ("", *(f"{b}." for b in BELOW))
        for name in ("args", "kwargs")
    ),
)
"""Where any name may follow."""


def steps(path: str) -> Steps:
    """``"workload.0.kwargs.seconds"`` → ``("workload", 0, "kwargs", "seconds")``."""
    return tuple(int(step) if step.isdecimal() and step.isascii() else step for step in path.split("."))


def canonical(path: Steps) -> Steps:
    """The path with the index that a workload of one task or a single load may leave out.

    Equal places have equal paths.
    """
    if len(path) > 1 and path[0] in _ONE_OR_MORE and not isinstance(path[1], int):
        return (path[0], 0, *path[1:])
    return path


def unknown(path: Steps) -> str:
    """A sentence about a path that no scenario has, or nothing where it may exist."""
    known = known_paths()
    normal = [0 if isinstance(step, int) else step for step in canonical(path)]
    name = ".".join(map(str, normal))
    if (
        name in known
        or name in (f"{top}.0" for top in _ONE_OR_MORE)
        or name.startswith(tuple(f"{f}." for f in _FREE))
    ):
        return ""
    names = [without_index(p) for p in known]
    last = [p for p in names if p.rpartition(".")[2] == str(path[-1])]
    near = difflib.get_close_matches(without_index(name), names, n=1, cutoff=0.6)
    if last or near:
        return f"no such path in a scenario. Did you mean {(last or near)[0]!r}?"
    return f"no such path in a scenario. {did_you_mean(str(path[0]), [p for p in known if '.' not in p])}"


def without_index(name: str) -> str:
    """``load.0.rate`` → ``load.rate``: how a path is mostly written."""
    return name.replace("load.0.", "load.").replace("workers.0.", "workers.")  # and workload.0.


def get(data: Any, path: Steps) -> Any:
    """The value at ``path``, or MISSING."""
    for depth, step in enumerate(path):
        if isinstance(data, list) and not isinstance(step, int) and len(data) == 1:
            data = data[0]
        if isinstance(data, Mapping):
            if step == 0 and depth == 1:
                continue
            data = data.get(str(step), MISSING)
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            return MISSING
    return data


def get_or_default(data: Any, path: Steps) -> Any:
    """The value at ``path``, or what a key that the data leaves out stands for."""
    value = get(data, path)
    return default_at(path) if value is MISSING else value


def replace(data: Any, path: Steps, value: Any, done: Steps = ()) -> Any:
    """A copy of ``data`` with ``value`` at ``path``; what does not change is shared, what is missing is made.

    Raises PathError where the path goes through a scalar or beyond a list.
    """
    if not path:
        return value
    step, rest = path[0], path[1:]
    if done == ("broker",) and isinstance(data, str):
        data = {"url" if "://" in data else "kind": data}
    if isinstance(data, str) and step in PartKeys.model_fields and {*done} & {*CANVASES}:
        data = {"task": data}
    if done == ("workload",) and data is None:
        raise PathError("the scenario has no workload to change. State one, or sweep `workload` as a whole")
    if data is None:
        data = {}
    if isinstance(data, list):
        return _replace_in_list(data, path, value, done)
    if not isinstance(data, Mapping):
        raise PathError(f"{'.'.join(map(str, done))} is {shown(data)}, nothing lies below it")
    if len(done) == 1 and done[0] in _ONE_OR_MORE and isinstance(step, int):
        if step == 0:
            return replace(data, rest, value, done)
        raise PathError(f"{_ONE_OR_MORE[str(done[0])]}, so there is no {done[0]}.{step}")
    return {**data, str(step): replace(data.get(str(step)), rest, value, (*done, step))}


def _replace_in_list(data: list[Any], path: Steps, value: Any, done: Steps) -> list[Any]:
    step, rest = path[0], path[1:]
    name = ".".join(map(str, done))
    if not isinstance(step, int):
        if len(data) != 1:
            raise PathError(f"{name} is a list of {len(data)}. Say which one: {name}.0.{step} is the first")
        step, rest = 0, path
    if step >= len(data):
        raise PathError(
            f"{name} is a list of {len(data)}, so there is no {name}.{step}; the first is {name}.0"
        )
    return [*data[:step], replace(data[step], rest, value, (*done, step)), *data[step + 1 :]]


def without(data: Any, path: Steps) -> Any:
    """A copy of ``data`` without what lies at ``path``, if there is anything."""
    if isinstance(data, Mapping):
        if path[0] == 0 and "0" not in data:  # a workload of one task, a load without phases
            return without(data, path[1:]) if path[1:] else {}
        key = str(path[0])
        if len(path) == 1 or not isinstance(data.get(key), Mapping | list):
            return {k: v for k, v in data.items() if k != key}
        return {**data, key: without(data[key], path[1:])}
    if isinstance(data, list) and isinstance(path[0], int) and path[0] < len(data):
        index = path[0]
        inner = [without(data[index], path[1:])] if path[1:] else []
        return [*data[:index], *inner, *data[index + 1 :]]
    return data


def label_of(value: Any) -> Label:
    """A value in a few words: a scalar is its own label, ``io.sleep(seconds=0.05)`` a task."""
    if isinstance(value, bool | int | float):
        return value
    text = units.hide_password(_compact(value))
    return text if len(text) <= _LONGEST_LABEL else text[: _LONGEST_LABEL - 1] + "…"


def _compact(value: Any) -> str:
    if value is None:
        return "default"
    if isinstance(value, Mapping):
        if "task" in value:
            return _call(value)
        canvas = next((name for name in CANVASES if name in value), None)
        if canvas:
            return f"{canvas}({_compact(value[canvas])})"
        return " ".join(f"{key}={_compact(below)}" for key, below in value.items())
    if isinstance(value, list):
        mix = any(isinstance(item, Mapping) for item in value)
        return (" + " if mix else ",").join(map(_compact, value))
    return text_of(value)


def _call(value: Mapping[str, Any]) -> str:
    args, kwargs = value.get("args") or [], value.get("kwargs") or {}
    inside = [_compact(arg) for arg in args] if isinstance(args, list) else []
    inside += (
        [f"{name}={_compact(arg)}" for name, arg in kwargs.items()] if isinstance(kwargs, Mapping) else []
    )
    weight = f"{_compact(value['weight'])}× " if "weight" in value else ""
    return f"{weight}{value['task']}({', '.join(inside)})" if inside else f"{weight}{value['task']}"
