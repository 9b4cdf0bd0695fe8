"""Asks an app for its tasks and where its broker is: ``python -P peek.py APP ANSWER.json``.

A process of its own, since importing somebody's app may do anything. Standard library and celery only.
"""

import inspect
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import userapp  # type: ignore[import-not-found]  # beside this file: the name `bench` may be the user's

sys.path.pop(0)


def parameters(task: Any) -> list[tuple[str, int, bool]]:
    """Name, kind and whether it may be left out, of each parameter that a caller gives."""
    try:
        found = inspect.signature(task.run).parameters.values()
    except (TypeError, ValueError):
        return [
            ("args", int(inspect.Parameter.VAR_POSITIONAL), False),
            ("kwargs", int(inspect.Parameter.VAR_KEYWORD), False),
        ]
    return [(p.name, int(p.kind), p.default is not p.empty) for p in found]


def main() -> None:
    """Write the answer; what the import raises goes to stderr with its traceback."""
    app = userapp.find(sys.argv[1])
    app.loader.import_default_modules()
    app.finalize()
    answer = {
        "tasks": {
            name: parameters(task) for name, task in app.tasks.items() if not name.startswith("celery.")
        },
        "broker": app.conf.broker_write_url or app.conf.broker_url or "",
        "options": app.conf.broker_transport_options or {},
    }
    Path(sys.argv[2]).write_text(json.dumps(answer, default=str))


if __name__ == "__main__":
    main()
