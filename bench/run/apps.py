"""What Celery and the user's app say of themselves. An app is asked in a process of its own."""

import contextlib
import functools
import inspect
import json
import logging
import subprocess
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.model import Variant
from bench.run import environments
from bench.run.environments import Environment
from bench.run.keeper import kill_group
from bench.run.process import clean_environment, users_environment
from bench.run.userapp import SHIPPED
from bench.scenario.outside import AppError, Arguments, Outside, Tasks

PEEK = Path(__file__).with_name("peek.py")
PATIENCE_S = 60.0
SILENCE_S = 5.0
"""After this long somebody is told what is waited for."""
HERE = Variant()
_KINDS = {str(int(kind)): kind for kind in inspect._ParameterKind}


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """``tasks`` by name; the URLs (they may hold passwords) of its ``broker`` and ``results``, each with the
    prefix that the app gives all keys there.
    """

    tasks: Tasks
    broker: str
    prefix: str
    results: str
    results_prefix: str


@functools.cache
def look(name: str, variant: Variant = HERE) -> App:
    """The app as ``celery -A NAME`` would find it from the current folder, or from that of a variant whose
    environment is there. Raises AppError.
    """
    around = environments.of(variant)
    told = _ask(name, around=around)
    if "error" in told:
        place = around.folder or Path.cwd()
        raise AppError(f"the app {name} cannot be imported from {place}: {told['error']}", told["traceback"])
    tasks = {task: _signature(parameters) for task, parameters in told.pop("tasks").items()}
    return App(tasks=tasks, **told)


@functools.cache
def draw(name: str, source: str, variant: Variant = HERE) -> Arguments:
    """What the callable ``source`` (``module:name``) returns for a task of the app. Raises AppError."""
    told = _ask(name or SHIPPED, "draw", source, around=environments.of(variant))
    if "error" in told:
        raise AppError(f"{source} gives no arguments: {told['error']}", told["traceback"])
    return tuple(told["args"]), told["kwargs"]


def unreached(name: str, settings: Mapping[str, Any], variant: Variant = HERE) -> str:
    """Why the app cannot keep results where these settings, or else its own, say; empty where it can."""
    around = environments.of(variant)
    around = replace(around, env={**around.env, "CELERY_BENCH_RESULTS": json.dumps(settings)})
    try:
        told = _ask(name or SHIPPED, "results", around=around)
    except AppError as error:
        return str(error)
    return str(told.get("error", ""))


def _ask(name: str, *more: str, around: Environment) -> dict[str, Any]:
    """What the app answers; whatever its import has started is ended. Raises AppError."""
    environment = clean_environment if name == SHIPPED else users_environment
    with tempfile.TemporaryDirectory(prefix="celery-bench-") as folder:
        answer, log = Path(folder) / "answer.json", Path(folder) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [around.python, "-P", str(PEEK), name, str(answer), *more],
                cwd=around.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment(around.env),
                start_new_session=True,
            )
        try:
            status = _status(process, name)
        except subprocess.TimeoutExpired:
            failed = "did not answer" if more else "was not imported"
            raise AppError(f"the app {name} {failed} within {PATIENCE_S:.0f} s") from None
        finally:
            kill_group(process.pid)
            process.wait()
        if answer.exists():
            found: dict[str, Any] = json.loads(answer.read_text())
            return found
        said = log.read_text(errors="replace").strip()
        raise AppError(f"the app {name} ended Python itself when it was imported (status {status})", said)


def _status(process: subprocess.Popen[bytes], name: str) -> int:
    """Its exit status; what takes long is told on stderr. Raises TimeoutExpired."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        return process.wait(min(SILENCE_S, PATIENCE_S))
    logging.getLogger(__name__).warning(
        "The app %s is still being imported; it is waited for up to %.0f s.", name, PATIENCE_S
    )
    return process.wait(PATIENCE_S - SILENCE_S)


def _signature(parameters: list[list[Any]]) -> inspect.Signature:
    return inspect.Signature(
        [
            inspect.Parameter(
                name, _KINDS[str(kind)], default=ELSEWHERE if optional else inspect.Parameter.empty
            )
            for name, kind, optional in parameters
        ]
    )


class _Elsewhere:
    """A default value that stayed in the app's process."""

    def __repr__(self) -> str:
        return "…"


ELSEWHERE = _Elsewhere()


_LOOSE = (
    *("_password", "_secret_access_key", "_use_ssl", "_port", "_rate_limit", "_priority", "_stdouts_level"),
    "_auth_kwargs",
)
"""How settings end that take more than Celery's table of types says, or must not be quoted."""


@functools.cache
def celery_settings() -> Mapping[str, str]:
    """All settings that the installed Celery knows, and their types."""
    from celery.app.defaults import NAMESPACES, flatten

    types = {name: getattr(option.type, "__name__", option.type) for name, option in flatten(NAMESPACES)}
    return {name: "any" if name.endswith(_LOOSE) else type_ for name, type_ in types.items()}


_IN_THE_URL = {"host", "userid", "password", "virtual_host"}
_OF_RETRIES = ("max_retries", "interval_start", "interval_step", "interval_max", "connect_retries_timeout")
"""What any connection takes (kombu/connection.py)."""
_OF_REDIS = ("polling_interval", "reauth_check_interval", "retry_on_error")
"""What the transport reads besides those that it lists (kombu/transport/redis.py and virtual/base.py)."""


@functools.cache
def transport_options(kind: str) -> Collection[str]:
    """The options that kombu's transport takes for this kind of broker."""
    if kind == "rabbitmq":
        from kombu.transport.pyamqp import Connection

        return {*inspect.signature(Connection).parameters, *_OF_RETRIES} - {*_IN_THE_URL, "kwargs"}
    from kombu.transport.redis import Channel

    return {*Channel.from_transport_options, *_OF_RETRIES, *_OF_REDIS}


def outside(variant: Variant = HERE) -> Outside:
    """What a scenario is checked against, of apps as they are in the variant's environment."""
    return Outside(
        settings=celery_settings,
        options=transport_options,
        tasks=lambda app: look(app, variant).tasks,
        broker=lambda app: look(app, variant).broker,
        results=lambda app: look(app, variant).results,
        arguments=lambda app, source: draw(app, source, variant),
    )


OUTSIDE = outside()
