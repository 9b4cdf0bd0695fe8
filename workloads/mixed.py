"""Tasks that compute and wait."""

import time

from .cpu import spin


def mixed(cpu_ms: float, io_seconds: float) -> None:
    """Compute for ``cpu_ms`` milliseconds of an idle core, wait ``io_seconds``: parse a reply, ask the next."""
    spin(cpu_ms / 2)
    time.sleep(io_seconds)
    spin(cpu_ms / 2)
