"""Follows a trial from the outside, by reading its event files: what was sent, what has ended."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.run import eventlog


class Follower:
    """Counts of warm-up and load, kept up to date by ``poll``."""

    def __init__(self, folder: Path, tasks: int) -> None:
        self._folder = folder
        self._tails: dict[str, eventlog.Tail] = {}
        self._ended = np.zeros(tasks, bool)
        self._warm: set[int] = set()
        self.sent = 0

    def poll(self) -> None:
        """Read whatever was written since the last call."""
        for path in self._folder.glob("events-*.bin"):
            if path.name not in self._tails:
                self._tails[path.name] = eventlog.Tail(path)
        for tail in self._tails.values():
            records = tail.poll()
            self.sent += int(np.count_nonzero(records["kind"] == eventlog.SENT))
            final = (records["kind"] == eventlog.ENDED) & (records["state"] != eventlog.RETRY)
            seqs = records["seq"][final]
            self._warm.update(seqs[seqs < 0].tolist())
            self._ended[seqs[seqs >= 0]] = True

    @property
    def warmed(self) -> int:
        """Warm-up tasks that have ended."""
        return len(self._warm)

    @property
    def ended(self) -> int:
        """Tasks of the load that have ended for good."""
        return int(np.count_nonzero(self._ended))

    def close(self) -> None:
        for tail in self._tails.values():
            tail.close()


def collect(folder: Path, choice: npt.NDArray[np.int16]) -> pd.DataFrame:
    """All events of the load from all files, in the columns of docs/results.md, sorted by time."""
    parts = []
    for path in sorted(folder.glob("events-*.bin")):
        records, node, pid = eventlog.read(path)
        records = records[records["seq"] >= 0]
        columns: dict[str, Any] = {
            name: records[name] for name in ("seq", "t_ns", "kind", "state", "attempt")
        }
        columns["node"] = np.full(len(records), node, np.int16)
        columns["pid"] = np.full(len(records), pid, np.int32)
        columns["task"] = choice[records["seq"]].astype(np.int16)
        parts.append(pd.DataFrame(columns))
    if not parts:
        return pd.DataFrame(columns=["seq", "t_ns", "kind", "state", "attempt", "node", "pid", "task"])
    return pd.concat(parts, ignore_index=True).sort_values("t_ns", kind="stable", ignore_index=True)
