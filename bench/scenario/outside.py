"""What a scenario is checked against that this room may not look at itself: Celery and the user's app."""

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
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
    """``settings``: Celery's, name → type as Celery calls it (``bool``, ``string`` …). ``options``: the names
    of those that kombu's transport takes, by kind of broker. Both empty where nobody knows.

    Of an app by its name: its ``tasks``, the URLs of its own ``broker`` and ``results`` (they may hold a
    password; without results empty), and what a callable ``module:name`` gives as ``arguments``, None where
    nobody may ask it. All of these raise AppError.
    """

    settings: Callable[[], Mapping[str, str]] = dict
    options: Callable[[str], Collection[str]] = lambda kind: ()  # noqa: ARG005  nobody knows of any kind
    tasks: Callable[[str], Tasks] = _of_nobody
    broker: Callable[[str], str] = _of_nobody
    results: Callable[[str], str] = _of_nobody
    arguments: Callable[[str, str], Arguments] | None = None

    def of_elsewhere(self) -> "Outside":
        """The same for an app in an environment that is not there yet: it is asked nothing, later."""
        return replace(
            self, tasks=lambda _: _AnyTask(), broker=_of_nobody, results=_of_nobody, arguments=None
        )


class _AnyTask(dict[str, inspect.Signature]):
    """Every task there could be, whatever it takes."""

    def __contains__(self, name: object) -> bool:
        return True

    def get(self, name: str, default: Any = None) -> Any:  # noqa: ARG002  there is no other
        return inspect.signature(lambda *args, **kwargs: None)  # noqa: ARG005
