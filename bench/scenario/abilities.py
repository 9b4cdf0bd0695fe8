"""What a pool, a broker or this Celery cannot do is refused: no setting is silently without effect."""

import os
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version

from bench import model
from bench.scenario.canvas_keys import PARTS_MOST, places
from bench.scenario.mistakes import Mistake, Steps

PREFETCH_MOST = 65_535
"""Above this kombu turns the prefetch limit off with a warning (PREFETCH_COUNT_MAX in kombu/common.py)."""

_ONLY = {
    "max_tasks_per_child": ("prefork",),
    "max_memory_per_child": ("prefork",),
    "pool_start_method": ("prefork",),
    "soft_time_limit": ("prefork",),
    "time_limit": ("prefork", "gevent"),
    "autoscale_from": ("prefork", "gevent", "eventlet"),
    "auto": ("prefork",),
}
"""Which pools know a setting (celery/concurrency/*.py); the others ignore it."""
_NAMES = {"autoscale_from": "autoscale", "auto": "concurrency"}
_WHY = {
    "autoscale_from": "cannot grow or shrink",
    "auto": "does not know `auto`",
    "time_limit": "cannot end a task",
    "soft_time_limit": "cannot interrupt a task",
}
_SINCE = {
    "auto": ((5, 7), "concurrency"),
    "pool_start_method": ((5, 7), "pool_start_method"),
    "disable_prefetch": ((5, 6), "disable_prefetch"),
}
_PACKAGES = {"brotli": "brotli", "zstd": "zstandard", "msgpack": "msgpack"}
"""What kombu needs for a compression or serializer that does not come with Python."""
_REDIS_PRIORITIES = 9
"""Redis and Valkey know 0 to 9 (kombu/transport/redis.py, PRIORITY_STEPS)."""

Installed = Callable[[str], bool]
Found = Iterator[Mistake]


def impossible(setup: model.Setup, installed: Installed) -> Found:
    """Everything in the setup that could not have the effect it asks for."""
    for index, group in enumerate(setup.fleet):
        yield from _pool(group, ("workers", index), installed)
        yield from _bounds(group, ("workers", index))
        if group.disable_prefetch and setup.broker.kind == "rabbitmq":
            text = "RabbitMQ hands out as many as are prefetched: Celery ignores this there. Use prefetch 1"
            yield _mistake(("workers", index, "disable_prefetch"), text, ("broker", "kind"))
    yield from _queues(setup)
    yield from _broker(setup.broker)
    yield from _delivery(setup)
    yield from _messages(setup, installed)
    for index, entry in enumerate(setup.workload):
        for call, path in places(entry, ("workload", index)):
            yield from _priority(setup, call, (*path, "priority"))
            if call.expires is not None and setup.broker.kind == "rabbitmq":
                text = (
                    "RabbitMQ throws expired messages away and tells nobody, so they could not be told from "
                )
                yield _mistake((*path, "expires"), f"{text}lost ones", ("broker", "kind"))
        yield from _canvas(setup, entry, ("workload", index, entry.canvas))


def _mistake(path: Steps, text: str, *also: Steps) -> Mistake:
    return Mistake(path=path, text=text, also=also)


def _pool(group: model.Workers, path: Steps, installed: Installed) -> Found:
    pool = group.pool
    if pool in model.GREEN_POOLS and not installed(pool):
        text = f"the {pool} pool needs the package {pool}, which is not installed. Try: pip install {pool}"
        yield _mistake((*path, "pool"), text)
    if pool == "solo" and group.concurrency != 1 and not group.auto:
        text = (
            f"the solo pool runs one task at a time, so concurrency {group.concurrency} is impossible. "
            "Write 1, choose nodes instead, or leave the cell out (`exclude:`, `zip:`)"
        )
        yield _mistake((*path, "concurrency"), text, (*path, "pool"))
    for name, pools in _ONLY.items():
        if getattr(group, name) not in (None, False) and pool not in pools:
            why = _WHY.get(name, "has no children to replace")
            text = f"the {pool} pool {why}: only {' and '.join(pools)} can. Leave it out there"
            yield _mistake((*path, _NAMES.get(name, name)), text, (*path, "pool"))
    for name, (needed, key) in _SINCE.items():
        if getattr(group, name) not in (None, False) and _celery() < needed:
            have = ".".join(map(str, _celery()))
            text = f"needs Celery {needed[0]}.{needed[1]}, here is {have}. Try: pip install -U celery"
            yield _mistake((*path, key), text)


def _celery() -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in version("celery").split(".")[:2])
    except (PackageNotFoundError, ValueError):
        return (0, 0)


def _bounds(group: model.Workers, path: Steps) -> Found:
    concurrency, prefetch = group.concurrency, group.prefetch
    if concurrency * prefetch > PREFETCH_MOST:
        text = (
            f"prefetch {prefetch} × concurrency {concurrency} is above {PREFETCH_MOST}: there "
            "Celery turns the limit off. Write 0 if you mean unlimited"
        )
        yield _mistake((*path, "prefetch"), text, (*path, "concurrency"))
    if group.autoscale_from is not None and group.autoscale_from > concurrency:
        text = (
            f"begins with {group.autoscale_from}, above the concurrency {concurrency} that it may grow up to"
        )
        yield _mistake((*path, "autoscale"), text, (*path, "concurrency"))
    if group.autoscale_from is not None and group.auto:
        text = "needs a number that it may grow up to, not `auto`. Write `concurrency` as a number"
        yield _mistake((*path, "autoscale"), text, (*path, "concurrency"))
    if group.heartbeat and group.heartbeat % 1:
        text = f"Celery counts whole seconds, so {group.heartbeat:g} s are impossible. Write 1s, 2s …"
        yield _mistake((*path, "heartbeat"), text)
    if group.soft_time_limit and group.time_limit and group.soft_time_limit >= group.time_limit:
        text = "is not below `time_limit`, so the task would be ended before it is interrupted"
        yield _mistake((*path, "soft_time_limit"), text, (*path, "time_limit"))
    missing = sorted(set(group.cpus) - os.sched_getaffinity(0))
    if missing:
        have = ", ".join(map(str, sorted(os.sched_getaffinity(0))))
        text = f"there is no core {', '.join(map(str, missing))} to run on here. There are: {have}"
        yield _mistake((*path, "cpus"), text)


def _queues(setup: model.Setup) -> Found:
    """Tasks that nobody takes, and workers that get nothing."""
    calls = [found for n, call in enumerate(setup.workload) for found in places(call, ("workload", n))]
    routed = {setup.route(call.task) for call, _ in calls}
    taken = {queue for group in setup.fleet for queue in group.queues}
    if not any(not group.queues for group in setup.fleet):
        for call, path in calls:
            queue = setup.route(call.task)
            if queue not in taken:
                text = f"goes to the queue {queue!r}, from which no worker consumes. Add it to `queues`"
                yield _mistake((*path, "task"), text, ("routes",), ("workers", 0, "queues"))
    for index, group in enumerate(setup.fleet):
        if group.queues and not routed.intersection(group.queues):
            text = f"no task goes to {' or '.join(group.queues)}: this group would be idle. Add a route"
            of_tasks = tuple((*place, "task") for _, place in calls)
            yield _mistake(("workers", index, "queues"), text, ("routes",), *of_tasks)


def _broker(broker: model.Broker) -> Found:
    amqp = broker.kind == "rabbitmq"
    if broker.queue == "quorum" and not amqp and not broker.of_app:
        text = f"quorum queues are RabbitMQ's; {broker.kind} has one kind of queue. Leave it out there"
        yield _mistake(("broker", "queue"), text, ("broker", "kind"))
    if broker.persistent is not None and not amqp and broker.url is not None:
        text = "a Redis or Valkey of your own decides this itself (`appendonly`). Set it there"
        yield _mistake(("broker", "persistent"), text, ("broker", "url"))
    if broker.queue == "quorum" and broker.persistent is False:
        text = "a quorum queue always writes to disk. Use classic queues for what may be lost"
        yield _mistake(("broker", "persistent"), text, ("broker", "queue"))


def _delivery(setup: model.Setup) -> Found:
    delivery, amqp = setup.delivery, setup.broker.kind == "rabbitmq"
    if delivery.reject_on_worker_lost and delivery.acks != "late":
        text = "has no effect on messages that are acknowledged early. Add `acks: late`"
        yield _mistake(("delivery", "reject_on_worker_lost"), text, ("delivery", "acks"))
    if delivery.reject_on_worker_lost and all(group.pool != "prefork" for group in setup.fleet):
        text = f"the {setup.fleet[0].pool} pool has no children that could be lost: only prefork has"
        yield _mistake(("delivery", "reject_on_worker_lost"), text, ("workers", 0, "pool"))
    if delivery.visibility_timeout is not None and amqp:
        text = "RabbitMQ has none: it gives a message to another worker when the connection is gone"
        yield _mistake(("delivery", "visibility_timeout"), text, ("broker", "kind"))
    if delivery.max_priority is not None and not amqp:
        text = f"is RabbitMQ's; {setup.broker.kind} always knows the priorities 0 to {_REDIS_PRIORITIES}"
        yield _mistake(("delivery", "max_priority"), text, ("broker", "kind"))
    if delivery.max_priority is not None and setup.broker.queue == "quorum":
        text = "quorum queues know no such priorities. Use classic queues"
        yield _mistake(("delivery", "max_priority"), text, ("broker", "queue"))


def _priority(setup: model.Setup, call: model.TaskCall, path: Steps) -> Found:
    if call.priority is None:
        return
    most = setup.delivery.max_priority
    if setup.broker.kind != "rabbitmq":
        if call.priority > _REDIS_PRIORITIES:
            text = (
                f"Redis and Valkey know the priorities 0 (first) to {_REDIS_PRIORITIES}, not {call.priority}"
            )
            yield _mistake(path, text, ("broker", "kind"))
    elif most is None:
        text = "RabbitMQ ignores it in a queue without priorities. Add `delivery: {max_priority: 10}`"
        yield _mistake(path, text, ("broker", "kind"))
    elif call.priority > most:
        text = f"is above `max_priority` {most}: RabbitMQ would treat it as {most}"
        yield _mistake(path, text, ("delivery", "max_priority"))


def _canvas(setup: model.Setup, entry: model.TaskCall, path: Steps) -> Found:
    """A chord whose parts nobody could count, a canvas that is too long, chunks that are one."""
    results, broker = setup.messages.results, setup.broker.kind
    is_rpc = results.startswith("rpc") or (results == "broker" and broker == "rabbitmq")
    if entry.canvas == "chord" and (results == "ignored" or is_rpc):
        text = (
            "a chord counts its parts in a result store. Results that are ignored or sent back (rpc, and "
            "`broker` with RabbitMQ) are in none. Keep them on a `server`"
        )
        yield _mistake(("messages", "results"), text, path)
    if len(entry.messages) > PARTS_MOST:
        text = f"comes to {len(entry.messages)} messages; a canvas may have {PARTS_MOST}"
        yield _mistake(path, text)
    if entry.canvas == "chord" and entry.parts[-1].times > 1:
        yield _mistake((*path, "body", "times"), "the body of a chord runs once. Leave it out")
    if entry.size is not None and entry.size > entry.total:
        text = f"is above the {entry.total} items: all of them would be in one message. Write `map`, or less"
        yield _mistake((*path, "size"), text, (*path, "items"))


def _messages(setup: model.Setup, installed: Installed) -> Found:
    messages, results = setup.messages, setup.messages.results
    for key, value in (("serializer", messages.serializer), ("compression", messages.compression)):
        package = _PACKAGES.get(value or "")
        if package and not installed(package):
            text = f"{value} needs the package {package}, which is not installed. Try: pip install {package}"
            yield _mistake(("messages", key), text)
    if results and results not in model.RESULTS and "://" not in results:
        text = f"{results!r} is no place for results. Write one of {', '.join(model.RESULTS)}, or a URL"
        yield _mistake(("messages", "results"), text)
    if results == "ignored" and setup.load.shape == "closed":
        text = "the clients of a closed load wait for results. Leave it out, or keep them in `broker`"
        yield _mistake(("messages", "results"), text, ("load", 0, "shape"))
    is_sql = results == "sql" or results.startswith("db+")
    if is_sql and not installed("sqlalchemy"):
        text = "needs the package SQLAlchemy, which is not installed. Try: pip install sqlalchemy"
        yield _mistake(("messages", "results"), text)
    if results == "app" and not setup.app:
        text = "the shipped tasks have no result store of their own. Write `broker`, or name your `app`"
        yield _mistake(("messages", "results"), text, ("app",))
