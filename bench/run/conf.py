"""What the harness sets on the app's configuration, besides what the scenario asks for."""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bench import settings
from bench.model import DEFAULT_QUEUE, Setup
from bench.run.broker import RunningBroker

KEPT_FOR_CLIENTS = "broker"
"""Where results go when the load waits for them and the scenario does not say."""
KEPT_FOR_CHORDS = {"rabbitmq": "server"}
"""Where they go when only a chord does, by broker: RabbitMQ has no store that could count a chord's parts."""

AS_COMMANDED = {"worker_pool": "prefork", "worker_disable_prefetch": False}
"""Celery's own values: with another ``worker_pool``, ``-P prefork`` would start that one."""


def queue_names(setup: Setup, name: str) -> dict[str, str]:
    """The scenario's queue → its name on the broker, which nobody else uses."""
    return {queue: name if queue == DEFAULT_QUEUE else f"{name}.{safe(queue)}" for queue in setup.queues}


def safe(queue: str) -> str:
    """The name without what a broker might read something into."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", queue)


def results_kept(setup: Setup) -> str:
    """Where the results of this setup are kept: one of ``model.RESULTS`` or a URL."""
    if setup.messages.results:
        return setup.messages.results
    if any(call.canvas == "chord" for call in setup.workload):
        return KEPT_FOR_CHORDS.get(setup.broker.kind, KEPT_FOR_CLIENTS)
    return KEPT_FOR_CLIENTS if setup.load.shape == "closed" else "ignored"


def of_trial(setup: Setup, broker: RunningBroker, backend: str, name: str, folder: Path) -> dict[str, Any]:
    """Settings for loader and workers alike, instead of the app's own. ``backend``: the URL of a second
    server, where one is needed; ``name`` is that of the trial's queues and exchanges; ``folder`` takes files.
    """
    queues = queue_names(setup, name)
    return {
        **_broker(setup, broker),
        **_results(setup, broker, backend, folder),
        "task_default_queue": name,
        "task_default_exchange": None,
        "task_default_exchange_type": "direct",
        "task_default_routing_key": None,
        "task_queues": None,
        "task_routes": {pattern: {"queue": queues[q]} for pattern, q in setup.routes.items() if q in queues},
        "task_create_missing_queues": True,
        "task_always_eager": False,
        "task_protocol": 2,
        **AS_COMMANDED,
        "worker_direct": False,
        "worker_state_db": None,
        "worker_enable_remote_control": True,
        "control_exchange": name,
        "event_exchange": f"{name}.ev",
        "worker_send_task_events": False,
    }


def added(setup: Setup, broker: RunningBroker, results: RunningBroker | None) -> dict[str, dict[str, Any]]:
    """Options laid over the app's own, where its own broker or store of ``results`` is used."""
    found = {}
    if setup.broker.of_app:
        found["broker_transport_options"] = {**settings.transport_options(setup), **broker.transport_options}
    if results is not None:
        found["result_backend_transport_options"] = results.transport_options
    return found


def _broker(setup: Setup, broker: RunningBroker) -> dict[str, Any]:
    if setup.broker.of_app:
        return {"broker_connection_retry_on_startup": True}
    return {
        "broker_url": broker.url,
        **dict.fromkeys(_PARTS_OF_A_BROKER),
        "broker_use_ssl": False,
        "broker_transport_options": {**settings.transport_options(setup), **broker.transport_options},
        "broker_connection_retry_on_startup": True,
    }


_PARTS_OF_A_BROKER = (
    *("broker_read_url", "broker_write_url", "broker_host", "broker_port", "broker_user", "broker_password"),
    *("broker_vhost", "broker_transport", "broker_login_method"),
)
_PARTS_OF_REDIS = ("redis_username", "redis_password", "redis_backend_use_ssl")
"""Settings that Celery reads besides the URL."""


def _results(setup: Setup, broker: RunningBroker, backend: str, folder: Path) -> dict[str, Any]:
    """The result backend; its keys on a server of somebody else's are kept apart like the broker's."""
    kept = results_kept(setup)
    if kept == "app":
        return {}
    urls = {
        "ignored": "disabled://",
        "broker": "rpc://" if broker.is_amqp else broker.url,
        "rpc": "rpc://",
        "sql": f"db+sqlite:///{folder}/results.sqlite",
        "server": backend,
    }
    shares_broker = kept == "broker" and not broker.is_amqp
    options = broker.transport_options if shares_broker else {}
    return {**results_at(urls.get(kept, kept), options), "task_ignore_result": kept == "ignored"}


def results_at(url: str, options: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
    """Settings that keep results at a URL, whatever the app says of its own."""
    return {
        "result_backend": url,
        **dict.fromkeys(_PARTS_OF_REDIS),
        "result_backend_transport_options": dict(options),
    }
