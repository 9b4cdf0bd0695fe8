"""Fixed amounts of work for a core: the same iterations each time, so that contention shows as time."""

import hashlib
import os
import time

from .amounts import Amount, draw

_BATCH = 2_000
_BLOCK = bytes(64 * 1024)


def _iterate(n: int) -> int:
    x = 1
    for i in range(n):
        x = (x * 1_103_515_245 + i) & 0x7FFF_FFFF
    return x


def calibrate(seconds: float = 0.3) -> float:
    """Iterations a millisecond of an idle core here: the fastest of many short batches (thread CPU time)."""
    best = float("inf")
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.thread_time_ns()
        _iterate(_BATCH)
        best = min(best, time.thread_time_ns() - start)
    return _BATCH / (best / 1e6)


def _per_ms() -> float:
    given = os.environ.get("CELERY_BENCH_SPINS_PER_MS")
    if given is None:  # outside the harness; a trial always hands the run's own calibration down
        given = os.environ["CELERY_BENCH_SPINS_PER_MS"] = str(calibrate())
    return float(given)


def spin(ms: Amount) -> int:
    """Pure Python holding the GIL for ``ms`` milliseconds of an idle core: a fixed number of iterations."""
    return _iterate(round(draw(ms) * _per_ms()))


def hash(mib: Amount) -> str:
    """SHA-256 over ``mib`` MiB in 64 KiB blocks; hashlib releases the GIL, so threads run side by side."""
    digest = hashlib.sha256()
    for _ in range(round(draw(mib) * 16)):
        digest.update(_BLOCK)
    return digest.hexdigest()
