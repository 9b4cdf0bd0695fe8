"""A setup in Celery's own words: options of the worker's command line, and settings of ``app.conf``.

What a trial gives to its workers, and what a report tells to paste: the same from the same place.
"""

from typing import Any

from bench.model import Setup, Workers

KIB = 1024
PERSISTENT, TRANSIENT = 2, 1
"""AMQP's delivery modes."""


def options(group: Workers) -> list[str]:
    """Options of ``celery worker`` besides name and queues, each word by itself: ``-Pgevent`` would start a
    worker that never patches.
    """
    words = ["-P", group.pool]
    if group.autoscale_from is not None:
        words += ["--autoscale", f"{group.concurrency},{group.autoscale_from}"]
    else:
        words += ["-c", "auto" if group.auto else str(group.concurrency)]
    for name, value in (
        ("--max-tasks-per-child", group.max_tasks_per_child),
        ("--max-memory-per-child", memory_kib(group)),
        ("--pool-start-method", group.pool_start_method),
        ("--soft-time-limit", group.soft_time_limit),
        ("--time-limit", group.time_limit),
        ("--heartbeat-interval", group.heartbeat and max(1, round(group.heartbeat))),
    ):
        if value:
            words += [name, f"{value:g}" if isinstance(value, float) else str(value)]
    for name, wanted in (
        ("-E", group.events),
        ("--without-gossip", not group.gossip),
        ("--without-mingle", not group.mingle),
        ("--without-heartbeat", group.heartbeat == 0),
    ):
        words += [name] if wanted else []
    return words


def memory_kib(group: Workers) -> int | None:
    """The memory above which a child is replaced, in KiB as Celery counts it."""
    return None if group.max_memory_per_child is None else max(1, group.max_memory_per_child // KIB)


def configuration(setup: Setup, group: Workers) -> dict[str, Any]:
    """Settings that the scenario asks for, for workers of ``group``; nothing about where things are, and no
    transport options.
    """
    delivery, messages, broker = setup.delivery, setup.messages, setup.broker
    late = None if delivery.acks is None else delivery.acks == "late"
    is_quorum = broker.queue == "quorum"
    asked: dict[str, Any] = {
        "worker_prefetch_multiplier": group.prefetch,
        "worker_disable_prefetch": True if group.disable_prefetch else None,
        "task_acks_late": late,
        "task_reject_on_worker_lost": delivery.reject_on_worker_lost,
        "worker_eta_task_limit": delivery.eta_task_limit,
        "task_queue_max_priority": delivery.max_priority,
        "task_serializer": messages.serializer,
        "result_serializer": messages.serializer,
        "accept_content": [messages.serializer, "json"] if messages.serializer else None,
        "task_compression": messages.compression,
        "result_compression": messages.compression,
        "broker_pool_limit": broker.pool_limit,
        "task_default_delivery_mode": _delivery_mode(setup),
        "task_default_queue_type": "quorum" if is_quorum else None,
        "task_create_missing_queue_type": "quorum" if is_quorum else None,
        "task_annotations": _annotations(setup),
    }
    return {name: value for name, value in asked.items() if value is not None} | dict(setup.settings)


def transport_options(setup: Setup) -> dict[str, Any]:
    """Options of kombu's transport that the scenario asks for."""
    asked = dict(setup.broker.options)
    if setup.delivery.visibility_timeout is not None:
        asked["visibility_timeout"] = setup.delivery.visibility_timeout
    if setup.broker.queue == "quorum":
        asked.setdefault("confirm_publish", True)  # else a message is lost where the queue has no majority
    return asked


def _delivery_mode(setup: Setup) -> int | None:
    if setup.broker.kind != "rabbitmq" or setup.broker.persistent is None:
        return None
    return PERSISTENT if setup.broker.persistent else TRANSIENT


def _annotations(setup: Setup) -> dict[str, Any] | None:
    calls = [part for call in setup.workload for part in call.calls]
    limits = {call.task: {"rate_limit": call.rate_limit} for call in calls if call.rate_limit}
    return limits or None


OWN = {
    "worker_concurrency": "workers.concurrency",
    "worker_pool": "workers.pool",
    "worker_prefetch_multiplier": "workers.prefetch",
    "worker_disable_prefetch": "workers.disable_prefetch",
    "worker_max_tasks_per_child": "workers.max_tasks_per_child",
    "worker_max_memory_per_child": "workers.max_memory_per_child",
    "worker_pool_start_method": "workers.pool_start_method",
    "worker_send_task_events": "workers.events",
    "task_soft_time_limit": "workers.soft_time_limit",
    "task_time_limit": "workers.time_limit",
    "task_acks_late": "delivery.acks",
    "task_reject_on_worker_lost": "delivery.reject_on_worker_lost",
    "worker_eta_task_limit": "delivery.eta_task_limit",
    "task_queue_max_priority": "delivery.max_priority",
    "task_serializer": "messages.serializer",
    "result_serializer": "messages.serializer",
    "accept_content": "messages.serializer",
    "task_compression": "messages.compression",
    "result_compression": "messages.compression",
    "result_backend": "messages.results",
    "task_ignore_result": "messages.results",
    "broker_url": "broker.url",
    "broker_read_url": "broker.url",
    "broker_write_url": "broker.url",
    "broker_transport_options": "broker.transport_options",
    "broker_pool_limit": "broker.pool_limit",
    "task_default_delivery_mode": "broker.persistent",
    "task_default_queue_type": "broker.queue",
    "task_create_missing_queue_type": "broker.queue",
    "task_routes": "routes",
    "task_queues": "workers.queues",
    "task_annotations": "workload.rate_limit",
}
"""Celery's settings that a scenario asks for by a key of its own."""

OPTIONS_OWN = {"visibility_timeout": "delivery.visibility_timeout"}
"""The same of the options of kombu's transport."""

HARNESS = frozenset(
    {
        "task_default_queue",
        "task_default_exchange",
        "task_default_exchange_type",
        "task_default_routing_key",
        "task_create_missing_queues",
        "task_always_eager",
        "task_protocol",
        "worker_direct",
        "worker_state_db",
        "worker_enable_remote_control",
        "control_exchange",
        "event_exchange",
    }
)
"""Celery's settings that the measuring itself rests on."""
