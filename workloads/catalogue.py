"""Every shipped task by the name scenarios use. Plain functions: reading this list imports no Celery."""

from collections.abc import Callable
from typing import Any

from . import basic, cpu, io, memory, mixed

TASKS: dict[str, Callable[..., Any]] = {
    "noop": basic.noop,
    "fail": basic.fail,
    "crash": basic.crash,
    "cpu.spin": cpu.spin,
    "cpu.hash": cpu.hash,
    "io.sleep": io.sleep,
    "io.http": io.http_get,
    "mixed": mixed.mixed,
    "memory.hold": memory.hold,
    "memory.leak": memory.leak,
}
