"""celery-bench: the benchmark and tuning harness for Celery.

``bench.load(run)`` gives the numbers of a run as a DataFrame (``bench.frames``). All else is behind
``celery-bench --help``.
"""

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    """``load`` on its first use: importing ``bench`` must cost nothing."""
    if name != "load":
        raise AttributeError(f"module 'bench' has no attribute {name!r}")
    return import_module("bench.frames").load


def __dir__() -> list[str]:
    return [*globals(), "load"]
