"""Housekeeping: what has become old is deleted."""

import os
import tempfile
import time
from pathlib import Path

from .attempts import Share

DAY_S = 24 * 3600.0


def clean(files: int = 100, kib: float = 4.0, stale: Share = 0.5) -> int:
    """Make ``files`` files of ``kib`` KiB in the trial's temporary folder, the share ``stale`` of them two
    days old; then look at each and delete those older than a day. The rest goes with its folder. Returns
    how many were deleted for their age.
    """
    with tempfile.TemporaryDirectory(prefix="uploads-") as name:
        folder = Path(name)
        _fill(folder, files, round(kib * 1024), round(files * stale))
        limit = time.time() - DAY_S
        deleted = 0
        for entry in os.scandir(folder):
            if entry.stat().st_mtime < limit:
                Path(entry.path).unlink()
                deleted += 1
        return deleted


def _fill(folder: Path, files: int, size: int, stale: int) -> None:
    content, then = bytes(size), time.time() - 2 * DAY_S
    for number in range(files):
        path = folder / f"{number}.tmp"
        path.write_bytes(content)
        if number < stale:
            os.utime(path, (then, then))
