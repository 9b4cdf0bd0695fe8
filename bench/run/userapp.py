"""Loads the app under test as ``celery -A`` would, and gives it the trial's settings; nothing in it changes.

Loaded by its path inside workers and loader; standard library and celery only.
"""

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SHIPPED = "bench.workloads.app:app"


def find(name: str) -> Any:
    """The app that ``celery -A NAME`` would find from the current folder; what its import raises goes on."""
    from celery.app.utils import find_app

    if name == SHIPPED:
        importlib.import_module(name.partition(":")[0])  # before a folder ``bench`` here is looked at
    elif (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    return find_app(name)


def load(name: str, settings: Mapping[str, Any]) -> Any:
    """The app with these settings instead of its own, where it has some of its own."""
    app = find(name)
    app.conf.update(settings)
    return app
