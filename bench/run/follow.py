"""Follows a trial from the outside, by reading its event files: what was sent, what has ended, and when."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.run import eventlog

Times = npt.NDArray[np.int64]


class Follower:
    """Counts of warm-up and load, kept up to date by ``poll``.

    ``intended_ns`` and ``ended_ns`` hold each task's times by its number, 0 where it has none yet.
    """

    def __init__(self, folder: Path, tasks: int) -> None:
        self._folder = folder
        self._tails: dict[str, eventlog.Tail] = {}
        self._warm: set[int] = set()
        self.intended_ns: Times = np.zeros(tasks, np.int64)
        self.ended_ns: Times = np.zeros(tasks, np.int64)
        self.sent = 0
        self.ended = 0
        self.returned = 0
        self.trouble = ""

    def poll(self) -> None:
        """Read whatever was written since the last call."""
        for path in self._folder.glob("events-*.bin"):
            if path.name not in self._tails:
                self._tails[path.name] = eventlog.Tail(path)
        for name, tail in self._tails.items():
            self._take(tail.poll())
            if error := tail.error():
                self.trouble = f"an event could not be written to {name}: {os.strerror(error)}"

    def _take(self, records: "np.ndarray[Any, Any]") -> None:
        if not len(records):
            return
        kind, seq = records["kind"], records["seq"]
        self.sent += int(np.count_nonzero(kind == eventlog.SENT))
        self.returned += int(np.count_nonzero(kind == eventlog.RETURNED))
        due = kind == eventlog.INTENDED
        self._room_for(seq)
        self.intended_ns[seq[due]] = records["t_ns"][due]
        final = (kind == eventlog.ENDED) & (records["state"] != eventlog.RETRY)
        self._warm.update(seq[final & (seq < 0)].tolist())
        final &= seq >= 0
        seqs, first = np.unique(seq[final], return_index=True)
        fresh = self.ended_ns[seqs] == 0
        self.ended += int(np.count_nonzero(fresh))
        self.ended_ns[seqs[fresh]] = records["t_ns"][final][first[fresh]]

    def _room_for(self, seqs: Times) -> None:
        needed = int(seqs.max()) + 1
        if needed > self.ended_ns.size:
            more = max(needed, 2 * self.ended_ns.size) - self.ended_ns.size
            self.ended_ns = np.append(self.ended_ns, np.zeros(more, np.int64))
            self.intended_ns = np.append(self.intended_ns, np.zeros(more, np.int64))

    @property
    def warmed(self) -> int:
        """Warm-up tasks that have ended."""
        return len(self._warm)

    def close(self) -> None:
        for tail in self._tails.values():
            tail.close()


def collect(folder: Path, choice: npt.NDArray[np.int16], first: int = 0) -> pd.DataFrame:
    """All events of the load, from task ``first`` on, in the columns of docs/results.md, sorted by time."""
    parts = []
    for path in sorted(folder.glob("events-*.bin")):
        records, node, pid = eventlog.read(path)
        records = records[records["seq"] >= first]
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
