"""What a task knows of its present attempt: chance, drawn anew in each, and how to ask for another one."""

import os
import random
from typing import Annotated, NoReturn

Share = Annotated[float, "from 0 to 1"]
"""A probability, or so many of all."""


def draw(purpose: str = "") -> float:
    """A number in [0, 1) from the task, the attempt and the ``purpose``: the same for the same three."""
    return random.Random(f"{key()} {purpose}").random()


def key() -> str:
    """What tells this attempt from all others: the task and how often it was retried before."""
    task = _task()
    return f"{identity()} {task.request.retries}" if task else "no-task 0"


def identity() -> str:
    """Which task this is: in a trial its seed and the task's number, so that cells that are compared get the
    same tasks; elsewhere the task's id.
    """
    request = _task().request
    number = getattr(request, "bench_seq", None)
    return request.id if number is None else f"{os.environ.get('CELERY_BENCH_SEED')} {number}"


def again(error: Exception, *, retries: int, backoff: float, jitter: bool = True) -> NoReturn:
    """Let Celery retry this task after ``backoff`` × 2^attempt seconds; raise ``error`` after ``retries`` of
    them, and at once outside a worker.

    With ``jitter`` the wait is drawn between nothing and that, so that tasks that failed together do not come
    back together.
    """
    task = _task()
    if task is None:
        raise error
    wait = backoff * 2**task.request.retries
    if jitter:
        wait *= draw("wait")
    raise task.retry(exc=error, countdown=wait, max_retries=retries)


def flaky(chance: Share = 0.2, retries: int = 3, backoff: float = 0.1, jitter: bool = True) -> int:
    """Fail with probability ``chance`` in each attempt, drawn from the task and the attempt; be
    retried after ``backoff`` × 2^attempt seconds (``jitter``: between nothing and that), fail for good
    after ``retries``.

    Returns how many retries it took.
    """
    if draw() < chance:
        again(RuntimeError("this attempt fails on purpose"), retries=retries, backoff=backoff, jitter=jitter)
    task = _task()
    return int(task.request.retries) if task else 0


def _task():  # type: ignore[no-untyped-def]  # Celery's proxy to the task that runs here, None outside of one
    from celery import current_task  # late: the catalogue is read without Celery

    return current_task if current_task else None
