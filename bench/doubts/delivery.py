"""Doubts about the way of a task to its worker: settings that go together badly, or that are part of what is
measured. Each was seen on Celery 5.7 (docs/findings.md).
"""

import math

from bench.doubts.rule import Evidence, rule
from bench.model import Workers
from bench.units import format_duration, plural

VISIBILITY_S = 3600.0
"""kombu's own ``visibility_timeout`` (kombu/transport/redis.py)."""
WAKES_S = {"threads": 1.0, "gevent": 2.0, "eventlet": 2.0}
"""How long a consumer of that pool sleeps that nothing wakes: seen with plain workers (docs/findings.md)."""


@rule(
    "visibility-timeout",
    source="Redis and Valkey have no acknowledgements: kombu gives a message that is unacknowledged for this"
    " long to another worker, and whoever looks for such messages first puts it back.",
    advice="Set delivery.visibility_timeout above the longest task, or acknowledge early.",
)
def visibility_timeout(e: Evidence) -> str | None:
    setup = e.cell.setup
    if setup.broker.kind == "rabbitmq":
        return None
    limit = setup.delivery.visibility_timeout or setup.broker.options.get("visibility_timeout", VISIBILITY_S)
    unacknowledged = ("max(prefetch_wait)", "max(service)") if _acks_late(e) else ("max(prefetch_wait)",)
    longest = max((r.metrics.get(name, 0.0) for r in e.ok for name in unacknowledged), default=0.0)
    if longest <= limit:
        return None
    seen = f"A message was unacknowledged for {format_duration(longest)}"
    return f"{seen}, longer than the visibility timeout of {format_duration(limit)}: it is delivered again."


def _acks_late(e: Evidence) -> bool:
    """Asked for, or what the app's own tasks do."""
    if e.cell.setup.delivery.acks is not None:
        return e.cell.setup.delivery.acks == "late"
    return any(late for r in e.ok for node in r.effective for late in node.get("acks_late", {}).values())


@rule(
    "disable-prefetch",
    source="A plain worker of two threads with it took 5.0 s for twelve tasks of 0.1 s, two green threads"
    " 10 s, each without it 0.5 s (Celery 5.7): nothing wakes the consumer when a slot becomes free.",
    advice="Use it with prefork, or take prefetch 1 with late acks there.",
)
def disable_prefetch(e: Evidence) -> str | None:
    slow = [g.pool for g in e.cell.setup.fleet if g.disable_prefetch and g.pool in WAKES_S]
    if not slow:
        return None
    pause = format_duration(WAKES_S[slow[0]])
    return (
        f"With disable_prefetch the {slow[0]} pool looks for tasks only every {pause}: its slots stand idle."
    )


@rule(
    "rate-limit",
    source="A worker holds back what is above the limit and counts it as reserved, so a limited task keeps"
    " others from being fetched, too: a plain worker stayed far below the limit (Celery 5.7).",
    advice="Read throughput as that of the limit, or set rate_limit for the task in the workload.",
)
def rate_limit(e: Evidence) -> str | None:
    asked = {part.task for call in e.cell.setup.workload for part in call.calls if part.rate_limit}
    own = {
        task: limit
        for r in e.ok
        for node in r.effective
        for task, limit in node.get("rate_limits", {}).items()
        if task not in asked
    }
    named = ", ".join(f"{task} ({limit})" for task, limit in own.items())
    return f"The app limits the rate of its own tasks: {named}." if own else None


@rule(
    "priority-prefetch",
    source="Priorities order a queue. What a worker has taken from it runs in the order in which it came.",
    advice="Use prefetch 1 with acks: late, which holds no more than the slots, or disable_prefetch.",
)
def priority_prefetch(e: Evidence) -> str | None:
    if len({call.priority for entry in e.cell.setup.workload for call in entry.calls}) < 2:
        return None
    late = _acks_late(e)
    beyond = [n for group in e.cell.setup.fleet if (n := _beyond_slots(group, late))]
    if not beyond:
        return None
    most = "all tasks" if max(beyond) == math.inf else plural(round(max(beyond)), "task")
    return f"A worker reserves {most} beyond its slots, and among those priorities do not count."


def _beyond_slots(group: Workers, late: bool) -> float:
    """How many tasks a node reserves that it has no slot for."""
    if group.disable_prefetch:
        return 0
    if not group.prefetch:
        return math.inf
    return group.concurrency * (group.prefetch - late)


@rule(
    "countdown",
    source="Celery raises the prefetch count by one for each task that has to wait for its time; in a quorum"
    " queue that is impossible, as the count holds for one consumer and is fixed.",
    advice="Set delivery.eta_task_limit, and count prefetch wait from when a task was due to start.",
)
def countdown(e: Evidence) -> str | None:
    setup = e.cell.setup
    if all(call.countdown is None for entry in setup.workload for call in entry.calls):
        return None
    if setup.broker.queue == "quorum":
        return "Tasks that wait for their countdown use up the prefetch count: others wait behind them."
    if setup.delivery.eta_task_limit is not None:
        return None
    return (
        "Tasks that wait for their countdown are not counted by the prefetch multiplier: a worker takes all."
    )


@rule(
    "events",
    source="Here -E took 40 % of the throughput of tasks that do nothing (1 443 → 848/s): each event is a"
    " message to the broker.",
    advice="Leave events, gossip and mingle out, unless your workers run with them or they are the question.",
)
def events(e: Evidence) -> str | None:
    settings = e.cell.settings
    asked = {path.rpartition(".")[2] for path in settings}
    on = [name for name in ("events", "gossip") if any(getattr(g, name) for g in e.cell.setup.fleet)]
    told = [] if "workers" in settings else [name for name in on if name not in asked]
    return (
        f"The workers run with {' and '.join(told)}: what that costs is part of the numbers."
        if told
        else None
    )
