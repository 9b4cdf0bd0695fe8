"""The CPU quota of the control groups we run in, versions 1 and 2: how much, and how long it held us back.

A quota of any group above ours holds too, so all of them up to the root are read. Where a container shows
only its own part of the tree, the folders that are not there are left out.
"""

from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")
UNIFIED = ("", "unified")
"""Where version 2 is found below the root: alone, or beside version 1."""
CPU_V1 = ("cpu", "cpu,cpuacct", "cpuacct,cpu")
NS = 1e-9
US = 1e-6


def quota_cores(root: Path = ROOT, own: Path = OWN) -> float | None:
    """The smallest CPU quota that holds for us, in cores; None where there is none."""
    return min((quota for folder in _folders(root, own) if (quota := _quota(folder))), default=None)


def throttled_s(root: Path = ROOT, own: Path = OWN) -> float | None:
    """Seconds so far in which quotas held us back, summed over cores; None where nobody counts them."""
    counted = [t for folder in _folders(root, own) if (t := _throttled(folder)) is not None]
    return sum(counted) if counted else None


def _folders(root: Path, own: Path) -> Iterator[Path]:
    """Our group and all above it, of every hierarchy that can limit the CPU."""
    for line in _read(own).splitlines():
        _, controllers, path = line.split(":", 2)
        names = UNIFIED if not controllers else CPU_V1 if "cpu" in controllers.split(",") else ()
        for name in names:
            group = root / name / path.lstrip("/")
            for folder in (group, *group.parents):
                if folder.is_dir():
                    yield folder
                if folder == root / name:
                    break


def _quota(folder: Path) -> float | None:
    """The quota of one group in cores; None where it has none."""
    words = _read(folder / "cpu.max").split() or [
        _read(folder / "cpu.cfs_quota_us").strip(),
        _read(folder / "cpu.cfs_period_us").strip(),
    ]
    try:
        quota, period = int(words[0]), int(words[1])
    except (ValueError, IndexError):  # "max", or no such file
        return None
    return quota / period if quota > 0 else None  # version 1 writes −1 for none


def _throttled(folder: Path) -> float | None:
    """Seconds in which one group was held back; None where it does not count."""
    stat = dict(line.split() for line in _read(folder / "cpu.stat").splitlines())
    if "throttled_usec" in stat:
        return int(stat["throttled_usec"]) * US
    return int(stat["throttled_time"]) * NS if "throttled_time" in stat else None


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
