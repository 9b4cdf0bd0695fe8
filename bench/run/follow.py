"""Follows a trial from the outside, by reading its event files: what was sent, what has ended, and when."""

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.canvas import TaskCall, Underway
from bench.events import no_events
from bench.run import eventlog

Times = npt.NDArray[np.int64]
Choice = Callable[[], Sequence[int] | npt.NDArray[np.int16]]


class Follower:
    """Counts of warm-up and load, kept up to date by ``poll``. A canvas of ``workload`` counts as one.

    ``intended_ns`` and ``ended_ns`` hold each unit's times by its number, 0 where it has none yet.
    ``choice()`` tells each unit's entry of the workload.
    """

    def __init__(
        self, folder: Path, tasks: int, workload: Sequence[TaskCall] = (), choice: Choice = lambda: ()
    ) -> None:
        self._underway, self._choice = Underway(workload), choice
        self._folder = folder
        self._tails: dict[str, eventlog.Tail] = {}
        self._warm: set[int] = set()
        self.intended_ns: Times = np.zeros(tasks, np.int64)
        self.ended_ns: Times = np.zeros(tasks, np.int64)
        self.sent = 0
        self.ended = 0
        self.returned = 0
        self.others = Others()
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
        self.others.take(records[records["seq"] == eventlog.OTHER])
        records = records[records["seq"] != eventlog.OTHER]
        if not len(records):
            return
        kind, number = records["kind"], records["seq"]
        unit, part = eventlog.split(number)
        seq, part = np.where(number < 0, number, unit), np.where(number < 0, 0, part)
        self.sent += int(np.count_nonzero(kind == eventlog.SENT))
        self.returned += int(np.count_nonzero(kind == eventlog.RETURNED))
        due = kind == eventlog.INTENDED
        self._room_for(seq)
        self.intended_ns[seq[due]] = records["t_ns"][due]
        final = (kind == eventlog.ENDED) & (records["state"] != eventlog.RETRY)
        self._warm.update(seq[final & (seq < 0)].tolist())
        final &= seq >= 0
        of_parts = np.flatnonzero(final & (part > 0))
        final &= part == 0
        seqs, first = np.unique(seq[final], return_index=True)
        fresh = self.ended_ns[seqs] == 0
        self.ended += int(np.count_nonzero(fresh))
        self.ended_ns[seqs[fresh]] = records["t_ns"][final][first[fresh]]
        for at in of_parts.tolist():
            self._part_ended(int(seq[at]), int(part[at]), records[at])

    def _part_ended(self, unit: int, part: int, record: Any) -> None:
        if self.ended_ns[unit]:
            return
        entry, ok = int(self._choice()[unit]), bool(record["state"] == eventlog.SUCCESS)
        ended = self._underway.ended(unit, entry, part, int(record["t_ns"]), ok=ok)
        if ended:
            self.ended += 1
            self.ended_ns[unit] = ended

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


class Others:
    """The tasks that the load's tasks called: how many were ``received`` and ``ended`` (an attempt is one of
    each), the ``seconds`` that slots spent on those that ended, and when the last of them did (``last_ns``).
    """

    def __init__(self) -> None:
        self.received = self.ended = self.last_ns = 0
        self._times = {eventlog.STARTED: 0, eventlog.ENDED: 0}
        self._started = self._zero = 0

    def take(self, records: "np.ndarray[Any, Any]") -> None:
        """Count these records, all of tasks of others."""
        if not len(records):
            return
        self._zero = self._zero or int(records["t_ns"][0])
        for kind in self._times:
            self._times[kind] += int((records["t_ns"][records["kind"] == kind] - self._zero).sum())
        self.received += int(np.count_nonzero(records["kind"] == eventlog.RECEIVED))
        self._started += int(np.count_nonzero(records["kind"] == eventlog.STARTED))
        ends = records["t_ns"][records["kind"] == eventlog.ENDED]
        self.ended += len(ends)
        self.last_ns = max(self.last_ns, int(ends.max(initial=0)))

    @property
    def outstanding(self) -> int:
        """How many were received and have not ended."""
        return max(0, self.received - self.ended)

    def summary(self, left: int) -> dict[str, float]:
        """What docs/results.md calls ``others``; empty where there were none."""
        if not self.received and not left:
            return {}
        found = {"ended": self.ended, "left": left, "seconds": self.seconds, "last_ns": self.last_ns}
        return {name: value for name, value in found.items() if not math.isnan(value)}

    @property
    def seconds(self) -> float:
        """Σ ended − Σ started, which needs nobody to tell which end belongs to which start; NaN where some
        have no end, or ended unstarted.
        """
        whole = self._started == self.ended
        return (self._times[eventlog.ENDED] - self._times[eventlog.STARTED]) / 1e9 if whole else math.nan


def collect(folder: Path, choice: npt.NDArray[np.int16], first: int = 0) -> pd.DataFrame:
    """All events of the load, from unit ``first`` on, in the columns of docs/results.md, sorted by time."""
    parts = []
    for path in sorted(folder.glob("events-*.bin")):
        records, node, pid = eventlog.read(path)
        records = records[records["seq"] >= 0]
        unit, part = eventlog.split(records["seq"])
        records, unit, part = (values[unit >= first] for values in (records, unit, part))
        columns: dict[str, Any] = {"seq": unit}
        columns |= {name: records[name] for name in ("t_ns", "kind", "state", "attempt")}
        columns["node"] = np.full(len(records), node, np.int16)
        columns["pid"] = np.full(len(records), pid, np.int32)
        columns["task"] = choice[unit].astype(np.int16)
        columns["part"] = part.astype(np.int32)
        parts.append(pd.DataFrame(columns))
    if not parts:
        return no_events()
    return pd.concat(parts, ignore_index=True).sort_values("t_ns", kind="stable", ignore_index=True)
