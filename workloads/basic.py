"""Tasks that do next to nothing, or go wrong on purpose."""

import functools
import os
import random
import signal

from .attempts import Share


def noop(payload: object = None, reply: int = 0) -> str | None:  # noqa: ARG001  it is there to be carried
    """Nothing: what is left is Celery itself. ``payload`` travels along; ``reply`` characters come back."""
    return _text(reply) if reply else None


@functools.cache
def _text(length: int) -> str:
    return random.Random(length).randbytes(length // 2 + 1).hex()[:length]


def fail(chance: Share = 1.0) -> None:
    """Fail with probability ``chance``, drawn from the task's id: the same id always ends the same way."""
    if _draw() < chance:
        raise RuntimeError("this task fails on purpose")


def crash(chance: Share = 1.0) -> None:
    """Kill its own process with probability ``chance``, as running out of memory would; a message that comes
    again is spared.
    """
    from celery import current_task

    again = (current_task.request.delivery_info or {}).get("redelivered")
    if not again and _draw() < chance:
        os.kill(os.getpid(), signal.SIGKILL)


def _draw() -> float:
    from celery import current_task  # late: the catalogue is read without Celery

    return random.Random(current_task.request.id).random()
