"""Tasks that compute and wait."""

import time

from .amounts import Amount, draw
from .cpu import spin


def mixed(cpu_ms: Amount, io_seconds: Amount) -> None:
    """Compute for ``cpu_ms`` milliseconds of an idle core, waiting ``io_seconds`` in the middle."""
    half = draw(cpu_ms) / 2
    spin(half)
    time.sleep(draw(io_seconds))
    spin(half)
