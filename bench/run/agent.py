"""Lives inside the worker: notes when each task was received, started and ended, and says what really runs.

Loaded by its path, before Celery's command line runs; standard library and celery only. Warm-up tasks carry
negative numbers; tasks that the load's tasks have called carry none and all count under one.
"""

import json
import os
from pathlib import Path
from typing import Any

from celery import __version__ as celery_version
from celery import platforms, signals

GONE = ("WorkerLostError", "TimeLimitExceeded", "Terminated")
"""Exceptions that the parent reports for a child that could not report itself."""


def install(log: Any, codes: Any, errors: Any, spec: dict[str, Any]) -> None:
    """Connect the signals. ``log`` is an EventLog, ``codes`` its module, ``errors`` an ErrorLog; ``spec`` is
    the door's.
    """
    write, note, tag, other = log.write, errors.note, spec["tag"], codes.OTHER
    states = {name: getattr(codes, name) for name in _STATE_NAMES}
    received, started, ended, failure = codes.RECEIVED, codes.STARTED, codes.ENDED, codes.FAILURE

    def on_received(request: Any, **_: Any) -> None:
        fields = request.request_dict
        if "bench_seq" in fields:
            write(received, fields["bench_seq"], 0, fields.get("retries") or 0)
        elif not request.name.startswith(CELERYS):
            write(received, other)

    def on_prerun(task: Any, **_: Any) -> None:
        fields = task.request_stack.top.__dict__
        if "bench_seq" in fields:
            write(started, fields["bench_seq"], 0, fields.get("retries") or 0)
        elif not task.name.startswith(CELERYS):
            write(started, other)

    def on_postrun(task: Any, state: Any = None, **_: Any) -> None:
        fields = task.request_stack.top.__dict__
        if "bench_seq" in fields:
            write(ended, fields["bench_seq"], states.get(state, failure), fields.get("retries") or 0)
        elif not task.name.startswith(CELERYS):
            write(ended, other, states.get(state, failure))

    def on_revoked(sender: Any, request: Any, expired: bool = False, **_: Any) -> None:
        note(sender.name, "expired before it was started" if expired else "revoked")
        write(ended, getattr(request, "bench_seq", other), codes.REVOKED)

    def on_unknown(message: Any, exc: BaseException | None = None, name: str = "", **_: Any) -> None:
        headers = message.headers or {}
        note(name or headers.get("task") or "?", exc or "rejected")
        write(ended, headers.get("bench_seq", other), codes.REJECTED)

    def on_failure(sender: Any, task_id: str, exception: BaseException, **_: Any) -> None:
        note(sender.name, exception)
        if type(exception).__name__ in GONE:
            seq = sequence_number(task_id) if task_id.startswith(tag) else other
            write(ended, seq, codes.WORKER_LOST)

    def on_child(**_: Any) -> None:
        platforms.set_pdeathsig("SIGKILL")  # not inherited over fork; Celery before 5.6 left it out

    def on_ready(sender: Any, **_: Any) -> None:
        path = Path(spec["folder"]) / f"ready-{spec['node']}.json"
        draft = path.with_suffix(".draft")
        ran = {"node": spec["node"], **effective(sender), **asked_for(sender, spec)}
        draft.write_text(json.dumps(ran, default=str))
        draft.rename(path)

    for signal in (signals.task_received, signals.task_prerun, signals.task_postrun):
        signal.use_caching = True  # else Celery looks under a lock for who listens, for every task anew
    for signal, receiver in (
        (signals.task_received, on_received),
        (signals.task_prerun, on_prerun),
        (signals.task_postrun, on_postrun),
        (signals.task_revoked, on_revoked),
        (signals.task_unknown, on_unknown),
        (signals.task_rejected, on_unknown),
        (signals.task_failure, on_failure),
        (signals.worker_process_init, on_child),
        (signals.worker_ready, on_ready),
    ):
        signal.connect(receiver, weak=False)


CELERYS = "celery."
"""How the names of Celery's own tasks begin."""
_STATE_NAMES = ("SUCCESS", "FAILURE", "RETRY", "REVOKED", "REJECTED", "IGNORED")


def sequence_number(task_id: str) -> int:
    """The number in the last twelve hexadecimal digits of one of our task ids (two's complement)."""
    number = int(task_id[-12:], 16)
    return number - (1 << 48) if number >> 47 else number


def effective(consumer: Any) -> dict[str, Any]:
    """What this worker really runs with, read back from the running consumer."""
    import platform

    import kombu

    qos = consumer.qos
    return {
        "pid": os.getpid(),
        "pool": type(consumer.pool).__module__.rpartition(".")[2],
        "concurrency": consumer.pool.num_processes,
        "prefetch_count": qos.value if qos is not None else None,
        "prefetch_multiplier": consumer.app.conf.worker_prefetch_multiplier,
        "transport": consumer.connection.transport.driver_type,
        "queues": sorted(queue.name for queue in consumer.task_consumer.queues),
        "celery": celery_version,
        "kombu": kombu.__version__,
        "python": platform.python_version(),
    }


def asked_for(consumer: Any, spec: dict[str, Any]) -> dict[str, Any]:
    """What the scenario set besides, as this worker has it: its settings, limits, cores and tasks."""
    app, worker = consumer.app, consumer.controller
    tasks = {name: app.tasks[name] for name in spec["tasks"] if name in app.tasks}
    scaler = getattr(worker, "autoscaler", None)
    return {
        "settings": {name: app.conf.get(name) for name in spec["asked"]},
        "autoscale": [worker.min_concurrency, worker.max_concurrency] if scaler else None,
        "max_tasks_per_child": worker.max_tasks_per_child,
        "max_memory_per_child_kib": worker.max_memory_per_child,
        "pool_start_method": getattr(worker, "pool_start_method", None),
        "soft_time_limit": worker.soft_time_limit,
        "time_limit": worker.time_limit,
        "events": bool(worker.task_events),
        "cpus": sorted(os.sched_getaffinity(0)),
        "acks_late": {name: bool(task.acks_late) for name, task in tasks.items()},
        "rate_limits": {name: task.rate_limit for name, task in tasks.items() if task.rate_limit},
        "backend": type(app.backend).__name__,
    }
