"""What a scenario is checked against that this room may not look at itself: Celery and the user's app."""

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

Tasks = Mapping[str, inspect.Signature]


class AppError(ValueError):
    """An app that cannot be asked for its tasks: a sentence, and the ``traceback`` of what it raised."""

    def __init__(self, text: str, traceback: str = "") -> None:
        super().__init__(text)
        self.traceback = traceback


def _of_nobody(app: str) -> Tasks:
    raise AppError(f"nobody here can look at {app}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """``settings``: the names of Celery's settings, None where nobody knows. ``tasks``: the tasks of an app
    by their names; raises AppError.
    """

    settings: Callable[[], Collection[str]] | None = None
    tasks: Callable[[str], Tasks] = _of_nobody
