"""Loads the app under test as ``celery -A`` would, and gives it the trial's settings; nothing in it changes.

Loaded by its path inside workers and loader; standard library and celery only. What is overridden, and why in
this order: docs/decisions/007-the-users-app.md.
"""

import importlib
import os
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

SHIPPED = "bench.workloads.app:app"
ENVIRONMENT = {
    "CELERY_BROKER_URL": "broker_url",
    "CELERY_BROKER_READ_URL": "broker_url",
    "CELERY_BROKER_WRITE_URL": "broker_url",
    "BROKER_URL": "broker_url",
    "CELERY_RESULT_BACKEND": "result_backend",
    "RESULT_BACKEND": "result_backend",
}
"""Variables that Celery, or its command line, puts before any setting of the app."""
NOTHING = "celery.accumulate"
"""A task of Celery's own that does nothing; loader and clients call it."""


def find(name: str) -> Any:
    """The app that ``celery -A NAME`` would find from the current folder; what its import raises goes on."""
    from celery.app.utils import find_app

    if name == SHIPPED:
        importlib.import_module(name.partition(":")[0])  # before a folder ``bench`` here is looked at
    elif (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    return find_app(name)


def load(
    name: str, settings: Mapping[str, Any], added: Mapping[str, Mapping[str, Any]], queues: Mapping[str, str]
) -> Any:
    """The app with these settings instead of its own, all of its tasks known.

    ``added``: mappings that are laid over the app's own settings of that name. ``queues``: the scenario's
    name → ours; whatever queue the app's code names, its tasks stay on these.
    """
    set_environment(settings)
    app = find(name)
    set_environment(settings)  # an app may read a file of variables
    asked = {**settings, **{key: {**(app.conf.get(key) or {}), **more} for key, more in added.items()}}
    annotations = asked.pop("task_annotations", {})  # the app's own stay, these are laid over them
    app.conf.update(asked)
    _forget(app)
    app.loader.import_default_modules()
    app.finalize()
    for task in app.tasks.values():
        _ask(task, asked, annotations.get(task.name, {}))
    _stay(app, asked["task_default_queue"], queues)
    return app


def set_environment(settings: Mapping[str, Any]) -> None:
    """Variables that would go before these settings say the same as they do."""
    for variable, setting in ENVIRONMENT.items():
        if variable in os.environ and setting in settings:
            os.environ[variable] = settings[setting]


def _forget(app: Any) -> None:
    """What an app that was used while it was imported made of its old settings."""
    for cached in ("amqp", "annotations", "control", "events"):
        app.__dict__.pop(cached, None)
    app._backend_cache, app._local, app._pool = None, threading.local(), None


def _ask(task: Any, asked: Mapping[str, Any], annotated: Mapping[str, Any]) -> None:
    """What the scenario asks for holds for this task too, though its decorator, or an early ``finalize``,
    decided otherwise.
    """
    if task.name.startswith("celery.") and task.name != NOTHING:
        return
    kind = type(task)
    for attribute, setting in kind.from_config:
        if setting in asked:
            setattr(kind, attribute, asked[setting])
    for attribute, value in annotated.items():
        setattr(kind, attribute, value)
    kind._exec_options = None  # Celery keeps there what the options of ``apply_async`` were


def _stay(app: Any, default: str, queues: Mapping[str, str]) -> None:
    """Tasks that tasks call go to our queues, whatever queue, exchange or route they were given."""
    send: Callable[..., Any] = app.amqp.send_task_message

    def send_here(producer: Any, name: str, message: Any, **options: Any) -> Any:
        queue, key = options.pop("queue", None), options.pop("routing_key", None)
        for elsewhere in ("exchange", "exchange_type", "declare"):
            options.pop(elsewhere, None)
        wanted = getattr(queue, "name", queue) or key or default
        if not wanted.startswith(default):
            wanted = queues.get(wanted, default)
        return send(producer, name, message, queue=wanted, **options)

    app.amqp.send_task_message = send_here
