"""What the loader publishes: each entry of the workload as calls of the app's tasks.

Loaded by the loader by its path; standard library and celery only. A call is ``(task, args, kwargs,
options)``. Equal calls are one object, so that their message is built once; a call that must be made at its
own moment (a countdown runs from there) or that a callable thinks up is ``single``.
"""

import csv
import importlib
import inspect
import json
import random
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kombu.exceptions import EncodeError

Call = tuple[Any, Any, dict[str, Any], dict[str, Any]]


class Kind:
    """A task of the workload. ``call(seq)`` is what task ``seq`` is."""

    def __init__(self, app: Any, spec: dict[str, Any], seed: int) -> None:
        self.task = app.tasks[spec["task"]]
        self.options = spec["options"]
        self.single = "countdown" in self.options or "expires" in self.options
        self._seed = seed
        self._rows: list[Call] = []
        self._make: Callable[..., Any] | None = None
        source = spec["arguments"]
        if isinstance(source, str) and source and not source.endswith(".csv"):
            self._make, self.single = callable_of(source), True
            return
        rows = read_csv(source) if isinstance(source, str) and source else source or [{}]
        for row in rows:
            args = row if isinstance(row, list) else spec["args"]
            kwargs = {**spec["kwargs"], **(row if isinstance(row, dict) else {})}
            if spec["payload"] is not None:
                kwargs["payload"] = records(spec["payload"])
            self._rows.append((self.task, args, kwargs, self.options))

    def publish(self, seq: int, marks: dict[str, Any], producer: Any, **more: Any) -> Any:
        """Publish task ``seq`` as everybody does; its result. ``more`` goes before its own options."""
        task, args, kwargs, options = self.call(seq)
        try:
            return task.apply_async(args, kwargs, producer=producer, **{**(more or options), **marks})
        except (EncodeError, TypeError, ValueError) as error:
            if self._make is None:
                raise
            raise ValueError(
                _blame(self._make, f"what it gives for task {seq} cannot be sent", error)
            ) from error

    def call(self, seq: int) -> Call:
        """A row by turns; what a callable returns depends on the trial's seed and the number alone."""
        if self._make is None:
            return self._rows[seq % len(self._rows)]
        try:
            args, kwargs = self._make(random.Random(f"{self._seed} {seq}"))
        except Exception as error:
            raise ValueError(_blame(self._make, f"it gives nothing for task {seq}", error)) from error
        return self.task, args, kwargs, self.options


def _blame(make: Callable[..., Any], what: str, error: Exception) -> str:
    """What is wrong with a callable, in a line that begins with the last line of its file that ran."""
    code = getattr(inspect.unwrap(make), "__code__", None)
    place = ""
    if code is not None:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == code.co_filename]
        place = f"{code.co_filename}:{lines[-1] if lines else code.co_firstlineno}: "
    name = getattr(make, "__name__", type(make).__name__)
    return f"{place}{name}: {what}: {type(error).__name__}: {' '.join(str(error).split())}"


def callable_of(source: str) -> Callable[..., Any]:
    """The callable that ``module:name`` names, also from the current folder."""
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)  # last: with the shipped tasks nothing there comes before what is installed
    module, _, name = source.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found


def read_csv(path: str) -> list[dict[str, Any]]:
    """Rows of a CSV file, a column an argument; what is JSON is read as that (``5``, ``true``), else text."""
    with Path(path).open(newline="", encoding="utf-8-sig") as file:
        return [{name: _value(text) for name, text in row.items()} for row in csv.DictReader(file)]


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def records(size: int) -> list[dict[str, Any]]:
    """Records as an application sends them, about ``size`` bytes in JSON; always the same."""
    draw = random.Random(size)
    found: list[dict[str, Any]] = []
    room = size
    while room > 0:
        record = {
            "id": draw.randrange(10**9),
            "name": "".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=12)),
            "price": round(draw.lognormvariate(3, 1), 2),
            "tags": [draw.choice(("new", "sale", "online", "archived")) for _ in range(2)],
            "active": draw.random() < 0.5,
        }
        found.append(record)
        room -= len(json.dumps(record)) + 2
    return found
