"""A trace that a load replays: when tasks arrived somewhere once, and perhaps which ones.

    offset,task,kwargs
    0.0,io.sleep,"{""seconds"": 0.05}"
    0.8,noop,

``offset`` is in seconds from the start of the load, in any order. CSV or Parquet, told apart by content.
"""

import functools
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench import model
from bench.errors import EnvironmentFault
from bench.scenario.document import odd_values
from bench.scenario.mistakes import Mistake, Steps, shown
from bench.scenario.trace import Floats, Integers, Rows, TraceError, lines_of, rows_of, sized

Choice = npt.NDArray[np.int16]
CheckCall = Callable[[model.TaskCall, Steps, str], Iterable[Mistake]]

_TOLD = 5
"""Mistakes of a trace that are told one by one."""
_FILE: Steps = ("load", 0, "file")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """A trace in order of time: ``due`` (s, at speed 1), and which of ``calls`` each task is, if it says."""

    due: Floats
    choice: Choice | None
    calls: tuple[model.TaskCall, ...]
    digest: str


def schedule(load: model.Load) -> tuple[Floats, Choice | None]:
    """When the tasks of a replayed load are due (ascending s), and which entry of the workload each is.

    None: the mix of the workload decides. Raises EnvironmentFault where the file is gone or has changed.
    """
    path = Path(load.file)
    again = "Put it back as it was, or start a new run."
    try:
        about = sized(path)
        trace = _trace(path, about.st_size, about.st_mtime_ns)
    except (OSError, TraceError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise EnvironmentFault(f"The trace {path} cannot be read any more: {reason}", again) from None
    if trace.digest != load.digest:
        raise EnvironmentFault(f"The trace {path} has changed since this run was planned", again)
    n = load.count
    return trace.due[:n] / load.speed, None if trace.choice is None else trace.choice[:n].copy()


class Traces:
    """The traces that the cells of one scenario replay; each is read once."""

    def __init__(self, folder: Path, check_call: CheckCall) -> None:
        self._folder = folder
        self._check_call = check_call
        self._known: dict[tuple[str, str], tuple[Trace | None, list[Mistake]]] = {}

    def complete(self, data: Any) -> tuple[Any, Trace | None, list[Mistake]]:
        """Plain data of a cell with the workload that its trace brings along, the trace, and its mistakes."""
        name = _file_of(data)
        if name is None:
            return data, None, []
        app = data.get("app")
        key = name, app if isinstance(app, str) else ""
        if key not in self._known:
            self._known[key] = self._read(*key)
        trace, mistakes = self._known[key]
        if trace is None:  # what it would bring is not known, so nothing is said to be missing
            return {"workload": {"task": "noop"}, **data}, None, mistakes
        if not trace.calls:
            return data, trace, []
        if "workload" in data:
            text = (
                f"{name} says itself which tasks run (column `task`). Leave the workload out, or the column"
            )
            return data, trace, [Mistake(path=("workload",), text=text)]
        return {**data, "workload": [_plain(call) for call in trace.calls]}, trace, []

    def fill(self, setup: model.Setup, trace: Trace) -> model.Setup:
        """The setup with what its load is told by the trace."""
        load = setup.load
        return replace(
            setup,
            load=replace(
                load,
                file=str((self._folder / load.file).resolve()),
                digest=trace.digest,
                tasks=len(trace.due),
                duration=float(trace.due[-1]) / load.speed,
            ),
        )

    def _read(self, name: str, app: str) -> tuple[Trace | None, list[Mistake]]:
        path = self._folder / name
        try:
            about = sized(path)
            state = path.resolve(), about.st_size, about.st_mtime_ns
            rows = _rows(*state)
            wrong = {**_bad_offsets(rows), **self._bad_calls(rows, app)}
            return (None, _tell(path, wrong)) if wrong else (_trace(*state), [])
        except TraceError as error:
            place = f"{path}:{error.line}" if error.line else ""
            return None, [Mistake(path=() if place else _FILE, text=str(error), place=place)]
        except OSError as error:
            return None, [Mistake(path=_FILE, text=f"{path} cannot be read: {error.strerror or error}")]

    def _bad_calls(self, rows: Rows, app: str) -> dict[int, str]:
        """A sentence for each call that cannot run, at the first row that has it."""
        wrong: dict[int, str] = {}
        for (task, text), row in zip(rows.texts, rows.firsts, strict=True):
            try:
                call = model.TaskCall(task=task, kwargs=_kwargs(text))
                for mistake in self._check_call(call, (), app):
                    if mistake.path != ("app",):  # told of the workload
                        wrong[row] = mistake.text
            except ValueError as error:
                wrong[row] = str(error)
        return wrong


def _file_of(data: Any) -> str | None:
    """The file that plain data of a scenario wants replayed."""
    load = data.get("load") if isinstance(data, Mapping) else None
    if isinstance(load, list) and len(load) == 1:
        load = load[0]
    if isinstance(load, Mapping) and load.get("shape") == "replay":
        name = load.get("file")
        return name if isinstance(name, str) and name and "\0" not in name else None
    return None


def _plain(call: model.TaskCall) -> dict[str, Any]:
    return {"task": call.task, "kwargs": dict(call.kwargs), "weight": call.weight}


def _tell(path: Path, wrong: Mapping[int, str]) -> list[Mistake]:
    """The first few, each with its line, and how many more there are. ``wrong``: row → sentence."""
    rows = sorted(wrong)[:_TOLD]
    lines = lines_of(path, rows)
    told = [Mistake(path=(), text=wrong[row], place=f"{path}:{lines[row]}") for row in rows]
    if len(wrong) > len(rows):
        told.append(Mistake(path=(), text=f"and {len(wrong) - len(rows)} more mistakes", place=str(path)))
    return told


@functools.lru_cache(maxsize=1)
def _rows(path: Path, size: int, mtime_ns: int) -> Rows:  # noqa: ARG001 – they tell a changed file
    return rows_of(path)


@functools.lru_cache(maxsize=4)
def _trace(path: Path, size: int, mtime_ns: int) -> Trace:
    """The trace, read again only when the file has changed. Raises TraceError, OSError."""
    rows = _rows(path, size, mtime_ns)
    if _bad_offsets(rows):
        raise TraceError("it holds offsets that are none")
    order = np.argsort(rows.offsets, kind="stable")
    due = rows.offsets[order]
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:16]
    if rows.kinds is None:
        return Trace(due=due, choice=None, calls=(), digest=digest)
    choice, calls = _calls(rows.kinds[order], rows.texts)
    return Trace(due=due, choice=choice, calls=calls, digest=digest)


def _calls(kinds: Integers, texts: tuple[tuple[str, str], ...]) -> tuple[Choice, tuple[model.TaskCall, ...]]:
    """Which of the distinct calls each row is, and these, as they first appear and weighted by their rows."""
    present, first = np.unique(kinds, return_index=True)
    index: dict[tuple[str, str], int] = {}
    lookup = np.zeros(len(texts), np.int16)
    for kind in present[np.argsort(first)]:
        task, text = texts[kind]
        same = (task, json.dumps(_kwargs(text), sort_keys=True))
        lookup[kind] = index.setdefault(same, len(index))
    choice = lookup[kinds]
    counts = np.bincount(choice, minlength=len(index))
    calls = tuple(
        model.TaskCall(task=task, kwargs=json.loads(text), weight=float(counts[i]))
        for (task, text), i in index.items()
    )
    return choice, calls


def _kwargs(text: str) -> dict[str, Any]:
    """The arguments in a cell of the column ``kwargs``; none where it is empty. Raises ValueError."""
    if not text.strip():
        return {}
    example = """Write a JSON object such as {"seconds": 0.05}"""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"kwargs {shown(text)} is not JSON. {example}") from None
    if not isinstance(value, dict):
        raise ValueError(f"kwargs {shown(text)} is not a JSON object. {example}")
    odd = next(odd_values(value), None)
    if odd is not None:
        raise ValueError(f"kwargs {shown(text)}: {odd.text}")
    return value


def _bad_offsets(rows: Rows) -> dict[int, str]:
    """Row → sentence for every offset that is no time from 0 on."""
    about = "Write seconds from the start of the load, from 0 on"
    bad = np.flatnonzero(~(np.isfinite(rows.offsets) & (rows.offsets >= 0))).tolist()
    return {
        row: f"offset {rows.offsets[row]:g} is negative. {about}"
        if np.isfinite(rows.offsets[row])
        else f"offset is not a finite number. {about}"
        for row in bad
    }
