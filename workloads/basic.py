"""Tasks that do next to nothing, or go wrong on purpose."""

import random


def noop() -> None:
    """Nothing: what is left is Celery itself."""


def fail(chance: float = 1.0) -> None:
    """Fail with probability ``chance``, drawn from the task's id: the same id always ends the same way."""
    if _draw() < chance:
        raise RuntimeError("this task fails on purpose")


def _draw() -> float:
    from celery import current_task  # late: the catalogue is read without Celery

    return random.Random(current_task.request.id).random()
