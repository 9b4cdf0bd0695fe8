"""The door into ``celery worker``: runs in a process of its own, then hands over to Celery's command line.

Started by path (``python -P worker.py SPEC.json``): neither this folder nor the name ``bench`` comes between
the user's app and its own modules. The order matters: green pools patch first, settings are on ``app.conf``
before the command line reads them (later would be too late for the prefetch count), the agent goes last.

A child that is spawned and not forked is a new interpreter. billiard runs this file in it once more, as
``__mp_main__``, before it unpickles the work: there the app and the agent are loaded again.
"""

import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

SPEC = "CELERY_BENCH_SPEC"
"""Names the spec to spawned children, whose command line is billiard's."""


def _sibling(name: str) -> Any:
    path = Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"celery_bench_{name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Read the spec (written by ``fleet``), become the worker."""
    os.environ[SPEC] = sys.argv[1]
    spec = json.loads(Path(sys.argv[1]).read_text())
    sys.argv = ["celery", "-A", spec["app"], *spec["argv"]]
    if spec["cpus"]:
        os.sched_setaffinity(0, spec["cpus"])

    import celery

    celery.maybe_patch_concurrency()

    _load(spec)

    from celery.bin.celery import celery as command

    command(prog_name="celery")  # its ``main`` would read options of the worker from the environment too


def _load(spec: dict[str, Any]) -> None:
    """The app with the trial's settings, and the agent."""
    _sibling("userapp").load(spec["app"], spec["settings"], spec["added"], spec["queues"])
    eventlog = _sibling("eventlog")
    log = eventlog.EventLog(spec["folder"], spec["node"])
    errors = _sibling("errorlog").ErrorLog(spec["folder"], spec["node"])
    _sibling("agent").install(log, eventlog, errors, spec)


if __name__ == "__main__":
    main()
elif __name__ == "__mp_main__":
    _load(json.loads(Path(os.environ[SPEC]).read_text()))
