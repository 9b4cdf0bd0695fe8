"""Whether a task takes the arguments that a workload gives it: as written, or row by row."""

import csv
import inspect
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.canvas import MAPS, TaskCall
from bench.scenario.mistakes import Mistake, Steps, did_you_mean, shown
from bench.scenario.outside import AppError, Arguments

Row = list[Any] | dict[str, Any] | Arguments
"""Positional arguments, keyword arguments, or both as a callable returns them."""

_TWICE = "give {!r} as well, and a task takes it once. Leave one of the two out"


@dataclass(frozen=True, slots=True)
class TaskArguments:
    """What the task at ``path`` takes; files that its arguments name are seen from ``folder``."""

    signature: inspect.Signature
    folder: Path
    path: Steps

    def check(self, call: TaskCall) -> Iterator[Mistake]:
        """What is wrong with the arguments as they stand in the scenario, or with each row of a list."""
        if not call.arguments:
            yield from self._bound(call)
        for index, row in enumerate(call.arguments):
            yield from self.check_row(call, row, (*self.path, "arguments", index))

    def check_row(self, call: TaskCall, row: Any, where: Steps) -> Iterator[Mistake]:
        """What is wrong with one row, told at ``where`` the row stands unless the fault lies beside it.

        None: nobody knows what the row will be.
        """
        twice = list(self._twice(call, row))
        yield from twice
        if twice or row is None:
            return
        for mistake in self._bound(_with(call, row)):
            key, *names = mistake.path[len(self.path) :]
            beside = key == "payload" or (names and names[0] in call.kwargs)
            yield mistake if beside else replace(mistake, path=(*where, *names))

    def _twice(self, call: TaskCall, row: Row | None) -> Iterator[Mistake]:
        """What stands beside the row and would vanish, as the row says the same."""
        source = (*self.path, "arguments")
        if row is None or isinstance(row, tuple):
            for key in _given(call):
                text = "has no effect beside a callable, which gives all arguments. Let it give these, too"
                yield Mistake(path=(*self.path, key), text=text, also=(source,))
        elif isinstance(row, list) and call.args:
            text = "has no effect beside rows that are lists. Write it into each row"
            yield Mistake(path=(*self.path, "args"), text=text, also=(source,))
        elif isinstance(row, dict):
            for name in [name for name in call.kwargs if name in row]:
                text = f"`arguments` {_TWICE.format(name)}"
                yield Mistake(path=(*self.path, "kwargs", name), text=text, also=(source,))

    def _bound(self, call: TaskCall) -> Iterator[Mistake]:
        """What the task does not take: a name, too many or too few, a value of another kind."""
        path, signature = self.path, self.signature
        if call.payload is not None and "payload" in call.kwargs:
            yield Mistake(path=(*path, "payload"), text=f"the other arguments {_TWICE.format('payload')}")
        kwargs = dict(call.kwargs) if call.payload is None else {**call.kwargs, "payload": None}
        unknown = [n for n in kwargs if n not in signature.parameters and not _takes_any(signature)]
        for name in unknown:
            text = (
                f"{call.task} has no argument {shown(name)}: it takes {_takes(signature)}. "
                f"{did_you_mean(name, signature.parameters)}"
            )
            where: Steps = ("kwargs", name) if name in call.kwargs else ("payload",)
            yield Mistake(path=(*path, *where), text=text.strip(), also=((*path, "task"),))
        if unknown:
            return
        try:
            bound = signature.bind(*call.args, **kwargs)
        except TypeError as error:
            named = (call.kwargs or not call.args) and not {*path[-1:]} & {*MAPS}
            key = "kwargs" if named else "args"
            text = f"{call.task} takes {_takes(signature)}: {error}"
            yield Mistake(path=(*path, key), text=text, also=((*path, "task"), (*path, "args")))
            return
        for name, value in bound.arguments.items():
            wanted = _wanted(signature.parameters[name].annotation, value, self.folder)
            if wanted:
                place: Steps = ("kwargs", name) if name in call.kwargs else ("args",)
                text = f"{call.task} takes {name} as {wanted}, not {shown(value)}"
                yield Mistake(path=(*path, *place), text=text)


def first_row(path: Path) -> dict[str, Any]:
    """The first row of a CSV file all of whose rows are whole. Raises AppError."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            first = None
            for row in reader:
                first = first or row
                if None in row or None in row.values():
                    names = ", ".join(reader.fieldnames or ())
                    raise AppError(f"{path}:{reader.line_num} has not one value for each of {names}")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise AppError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if first is None:
        raise AppError(f"{path} holds no row. Write the arguments' names first, then a row a task")
    return {name: _parsed(text) for name, text in first.items()}


def _parsed(text: str) -> Any:
    """What the loader makes of a field of a CSV file: what is JSON is read as that, else it is text."""
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return text


def _given(call: TaskCall) -> list[str]:
    """The keys of the call that give arguments themselves."""
    given = {"args": bool(call.args), "kwargs": bool(call.kwargs), "payload": call.payload is not None}
    return [key for key, is_given in given.items() if is_given]


def _with(call: TaskCall, row: Row) -> TaskCall:
    """The call with one row of its arguments."""
    if isinstance(row, tuple):
        return replace(call, args=row[0], kwargs=row[1])
    if isinstance(row, list):
        return replace(call, args=tuple(row))
    return replace(call, kwargs={**call.kwargs, **row})


def _wanted(annotation: Any, value: Any, folder: Path) -> str:
    """What an argument of a shipped task should be instead; empty where it is."""
    from bench.workloads import amounts, attempts

    if annotation is amounts.Amount:
        return str(amounts.problem(value)) or _wrong_file(value, folder)
    wanted, fine = {
        float: ("a number that is not negative, without a unit", _sane(value)),
        int: ("a whole number that is not negative", isinstance(value, int) and _sane(value)),
        bool: ("true or false", isinstance(value, bool)),
        attempts.Share: ("a share from 0 to 1", _sane(value) and value <= 1),
    }.get(annotation, ("", True))
    return "" if fine else wanted


def _wrong_file(amount: Any, folder: Path) -> str:
    """What the file that an amount names should be instead."""
    from bench.workloads import amounts

    if isinstance(amount, dict) and "file" in amount:
        try:
            amounts.values(str((folder / amount["file"]).resolve()))
        except (OSError, ValueError) as error:
            return f"numbers of a file that can be read ({getattr(error, 'strerror', None) or error})"
    return ""


def _sane(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


def _takes(signature: inspect.Signature) -> str:
    return "(" + ", ".join(str(p.replace(annotation=p.empty)) for p in signature.parameters.values()) + ")"


def _takes_any(signature: inspect.Signature) -> bool:
    return any(p.kind is inspect.Parameter.VAR_KEYWORD for p in signature.parameters.values())
