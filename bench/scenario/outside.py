"""What a scenario is checked against that this room may not look at itself: Celery and the user's app."""

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

Tasks = Mapping[str, inspect.Signature]
Arguments = tuple[tuple[Any, ...], Mapping[str, Any]]
"""Positional and keyword arguments of one task."""


class AppError(ValueError):
    """An app that cannot be asked for its tasks: a sentence, and the ``traceback`` of what it raised."""

    def __init__(self, text: str, traceback: str = "") -> None:
        super().__init__(text)
        self.traceback = traceback


def _of_nobody(app: str, *_: str) -> Any:
    raise AppError(f"nobody here can look at {app}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """``settings``: the names of Celery's settings, None where nobody knows. Of an app by its name: its
    ``tasks``, the URL of its own ``broker`` (it may hold a password), and what a callable ``module:name``
    gives as ``arguments``, None where nobody may ask it. All but the first raise AppError.
    """

    settings: Callable[[], Collection[str]] | None = None
    tasks: Callable[[str], Tasks] = _of_nobody
    broker: Callable[[str], str] = _of_nobody
    arguments: Callable[[str, str], Arguments] | None = None
