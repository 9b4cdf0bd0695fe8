"""Tasks that compute and wait."""

import time

from .cpu import spin


def mixed(cpu_ms: float, io_seconds: float) -> None:
    """Compute for ``cpu_ms`` milliseconds of an idle core, waiting ``io_seconds`` in the middle."""
    spin(cpu_ms / 2)
    time.sleep(io_seconds)
    spin(cpu_ms / 2)
