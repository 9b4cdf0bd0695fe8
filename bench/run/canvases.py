"""Canvases as the loader publishes them: chain, group, chord, map and chunks of the app's tasks.

Loaded by the loader by its path; standard library and celery only. Signatures are immutable: what a task of a
scenario gets is what the scenario says, never the result of the one before.
"""

from collections.abc import Callable
from typing import Any

from celery import chain, chord, group


class Canvas:
    """One entry of the workload that is a canvas; it is built anew for each unit, as an app does."""

    single = True

    def __init__(
        self,
        entry: dict[str, Any],
        kinds: list[Any],
        marks: Callable[[int], dict[str, Any]],
        number_of: Callable[[int, int], int],
    ) -> None:
        self._canvas = entry["canvas"]
        self._messages = [(kinds[kind], items) for kind, items in entry["messages"]]
        self._turns = sum(items for _, items in self._messages)
        self._marks, self._number_of = marks, number_of

    def publish(self, seq: int, _marks: dict[str, Any], _producer: Any) -> Any:
        """Publish unit ``seq``, whose parts are numbered from 1; the result of the whole."""
        parts, turn = [], seq * self._turns
        for number, (kind, items) in enumerate(self._messages, start=1):
            signature = self._applied(kind, turn, items) if self._canvas in MAPS else _signature(kind, turn)
            parts.append(signature.set(**self._marks(self._number_of(seq, number))))
            turn += items
        match self._canvas:
            case "chain":
                return chain(*parts).apply_async()
            case "chord":
                *header, body = parts
                return chord(header, body).apply_async(task_id=body.options["task_id"])
            case "map":
                return parts[0].apply_async()
            case _:
                return group(parts).apply_async()

    @staticmethod
    def _applied(kind: Any, turn: int, items: int) -> Any:
        """The message of ``task.starmap(…)`` or, for one argument each, of ``task.map(…)``, with options."""
        calls = [kind.call(turn + i) for i in range(items)]
        task, options = kind.task, kind.options
        rows = [list(args) for _, args, _, _ in calls]
        is_map = all(len(row) == 1 for row in rows)
        applied = task.app.tasks["celery.map" if is_map else "celery.starmap"]
        return applied.si(task=task.s(), it=[row[0] for row in rows] if is_map else rows).set(**options)


MAPS = ("map", "chunks")


def _signature(kind: Any, turn: int) -> Any:
    task, args, kwargs, options = kind.call(turn)
    return task.si(*args, **kwargs).set(**options)
