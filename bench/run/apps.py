"""What Celery and the user's app say of themselves. An app is asked in a process of its own."""

import functools
import inspect
import json
import subprocess
import sys
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.run.process import clean_environment
from bench.scenario.outside import AppError, Outside, Tasks

PEEK = Path(__file__).with_name("peek.py")
PATIENCE_S = 60.0
_KINDS = {str(int(kind)): kind for kind in inspect._ParameterKind}


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """``tasks`` by name; the ``broker`` URL (it may hold a password) and its transport ``options``."""

    tasks: Tasks
    broker: str
    options: dict[str, Any]


@functools.cache
def look(name: str) -> App:
    """The app as ``celery -A NAME`` would find it from the current folder. Raises AppError."""
    with tempfile.TemporaryDirectory(prefix="celery-bench-") as folder:
        answer = Path(folder) / "answer.json"
        command = [sys.executable, "-P", str(PEEK), name, str(answer)]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=PATIENCE_S,
                env=clean_environment({}),
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise AppError(f"the app {name} was not imported within {PATIENCE_S:.0f} s") from None
        if not answer.exists():
            said = [line for line in done.stderr.strip().splitlines() if line.strip()]
            last = said[-1].strip() if said else f"exit status {done.returncode}"
            raise AppError(
                f"the app {name} cannot be imported from {Path.cwd()}: {last}", done.stderr.strip()
            )
        told = json.loads(answer.read_text())
    tasks = {task: _signature(parameters) for task, parameters in told["tasks"].items()}
    return App(tasks=tasks, broker=told["broker"], options=told["options"])


def _signature(parameters: list[list[Any]]) -> inspect.Signature:
    return inspect.Signature(
        [
            inspect.Parameter(name, _KINDS[str(kind)], default=None if optional else inspect.Parameter.empty)
            for name, kind, optional in parameters
        ]
    )


@functools.cache
def celery_settings() -> Collection[str]:
    """The names of all settings that the installed Celery knows."""
    from celery.app.defaults import SETTING_KEYS

    return frozenset(SETTING_KEYS)


OUTSIDE = Outside(settings=celery_settings, tasks=lambda app: look(app).tasks)
