"""What happened to every task: the columns of a trial's events, and one row a task with its times.

The on-disk form is docs/results.md. Pure: nothing here starts, reads or writes anything.
"""

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

INTENDED, SENT, RECEIVED, STARTED, ENDED, RETURNED = range(1, 7)
"""Kinds of event, as written by ``bench.run.eventlog``."""

SUCCESS, FAILURE, RETRY, REVOKED, REJECTED, IGNORED, WORKER_LOST = range(1, 8)
"""States of an end. Every state but RETRY is final."""

COMPLETED = (SUCCESS, IGNORED)
"""Final states of a task that did what it should; the other final states count as failed."""

NS = 1e-9
Floats = NDArray[np.float64]

EVENT_COLUMNS: Mapping[str, str] = {
    "seq": "int64",
    "t_ns": "int64",
    "kind": "uint8",
    "state": "uint8",
    "attempt": "uint16",
    "node": "int16",
    "pid": "int32",
    "task": "int16",
}
SAMPLE_COLUMNS: Mapping[str, str] = {
    "t_ns": "int64",
    "group": "str",
    "cpu": "float64",
    "memory": "float64",
    "uss": "float64",
    "processes": "float64",
    "threads": "float64",
    "fds": "float64",
    "switches": "float64",
    "steal": "float64",
    "completed": "float64",
    "backlog": "float64",
}


def no_events() -> pd.DataFrame:
    """An empty frame with the columns of events.parquet."""
    return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in EVENT_COLUMNS.items()})


def no_samples() -> pd.DataFrame:
    """An empty frame with the columns of samples.parquet."""
    return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in SAMPLE_COLUMNS.items()})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recording:
    """What an executor brings back from one trial: raw, nothing computed. Columns are those of
    docs/results.md.

    ``timings`` in seconds; ``search`` what a saturate load found; ``host`` what was read of the machine
    around the trial; ``logs`` maps a file name (``node-0.log``) to its text.
    """

    started_at: str
    outcome: str
    events: pd.DataFrame = field(default_factory=no_events)
    samples: pd.DataFrame = field(default_factory=no_samples)
    reason: str = ""
    log_tail: str = ""
    effective: tuple[dict[str, Any], ...] = ()
    mismatches: tuple[str, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict)
    broker: Mapping[str, float] = field(default_factory=dict)
    search: Mapping[str, Any] = field(default_factory=dict)
    host: Mapping[str, float] = field(default_factory=dict)
    logs: Mapping[str, str] = field(default_factory=dict)


def tasks(events: pd.DataFrame) -> pd.DataFrame:
    """One row for each task that has an intended event, indexed by ``seq``.

    Columns in seconds after the first intended time, NaN where there is no such event: ``intended``,
    ``sent`` (never after received: the loader notes a sending when the call returns, a fast worker has the
    task by then), ``received`` and ``started`` of the first attempt, ``last_started`` of the last one,
    ``ended`` (the first final end; a completing one goes before a failing one), ``returned`` (its caller had
    the result; closed loop only). ``task``; ``state`` of
    that end (0: none); ``attempts`` (starts), ``retries`` (retry ends), ``finals`` (final ends: more than
    1 is a duplicate); ``node`` and ``pid`` that ran it last (−1: none).
    """
    if not events["t_ns"].is_monotonic_increasing:
        events = events.sort_values("t_ns", kind="stable")
    log = _Scatter(events)
    intended = log.first(log.kind == INTENDED)
    ends = log.kind == ENDED
    final = ends & (log.state != RETRY)
    completing = final & np.isin(log.state, COMPLETED)
    ended_at = log.first(completing)
    ended_at = np.where(ended_at < 0, log.first(final & ~completing), ended_at)
    received, ended = log.seconds(log.first(log.kind == RECEIVED)), log.seconds(ended_at)
    starts = log.kind == STARTED
    last_start = log.last(starts, not_after=ended_at)
    ran = np.where(last_start >= 0, last_start, ended_at)
    return pd.DataFrame(
        {
            "task": log.pick("task", intended),
            "intended": log.seconds(intended),
            "sent": np.minimum(log.seconds(log.first(log.kind == SENT)), _or_inf(received)),
            "received": received,
            "started": log.seconds(log.first(starts)),
            "last_started": log.seconds(last_start),
            "ended": ended,
            "returned": log.seconds(log.first(log.kind == RETURNED)),
            "state": log.pick("state", ended_at, missing=0),
            "attempts": log.count(starts),
            "retries": log.count(ends & (log.state == RETRY)),
            "finals": log.count(final),
            "node": log.pick("node", ran),
            "pid": log.pick("pid", ran),
        },
        index=pd.Index(log.seq, name="seq"),
    )


class _Scatter:
    """Events sorted by time, addressed by the row of their task: array writes instead of a group-by, which
    is some fifty times slower for millions of tasks. Positions are −1 where a task has no such event."""

    def __init__(self, events: pd.DataFrame) -> None:
        self.events = events
        self.t, seq = events["t_ns"].to_numpy(), events["seq"].to_numpy()
        self.kind, self.state = events["kind"].to_numpy(), events["state"].to_numpy()
        intended = seq[self.kind == INTENDED]
        self.n = n = intended.size
        self.start = int(self.t[self.kind == INTENDED].min()) if n else 0
        if n and intended.min() == 0 and intended.max() == n - 1 and np.bincount(intended).all():
            self.seq, self.row, self.known = np.arange(n), seq, (seq >= 0) & (seq < n)
            return
        self.seq = np.unique(intended)  # numbers are missing: slower, so only where it must be
        self.n = n = self.seq.size
        self.row = np.searchsorted(self.seq, seq)
        self.known = np.append(self.seq, -1)[self.row] == seq if n else np.zeros(seq.size, dtype=bool)

    def first(self, mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Position of each task's first event under ``mask``: written backwards, so that the first stays."""
        return self._write(np.flatnonzero(mask & self.known)[::-1])

    def last(self, mask: NDArray[np.bool_], *, not_after: NDArray[np.int64]) -> NDArray[np.int64]:
        """Position of each task's last event under ``mask``, not after its event at ``not_after`` if it has
        one.
        """
        at = np.flatnonzero(mask & self.known)
        limit = not_after[self.row[at]]
        return self._write(at[(limit < 0) | (at < limit)])

    def _write(self, at: NDArray[np.int64]) -> NDArray[np.int64]:
        out = np.full(self.n, -1, dtype=np.int64)
        out[self.row[at]] = at
        return out

    def count(self, mask: NDArray[np.bool_]) -> NDArray[np.int32]:
        rows = self.row[np.flatnonzero(mask & self.known)]
        return np.bincount(rows, minlength=self.n).astype(np.int32)

    def seconds(self, at: NDArray[np.int64]) -> Floats:
        out = np.full(self.n, np.nan)
        there = at >= 0
        out[there] = (self.t[at[there]] - self.start) * NS
        return out

    def pick(self, column: str, at: NDArray[np.int64], missing: int = -1) -> NDArray[np.integer[Any]]:
        values = self.events[column].to_numpy()
        out = np.full(self.n, missing, dtype=values.dtype)
        there = at >= 0
        out[there] = values[at[there]]
        return out


def _or_inf(values: Floats) -> Floats:
    return np.where(np.isnan(values), np.inf, values)


def lanes(tasks: pd.DataFrame, concurrency: Sequence[int] = ()) -> pd.Series:
    """The slot each task ran in the last time, from 0 over all nodes, aligned to ``tasks``; −1 where it never
    started.

    Lowest free lane first (greedy interval partitioning, which needs no more lanes than tasks that ever
    overlapped): among the tasks of a process, and among the processes of a node by the time they were in
    use, so that a child that replaces another gets its lane. A node has at least as many lanes as
    ``concurrency`` says of it, by its number. A task without an end keeps its lane.
    """
    out = np.full(len(tasks), -1, dtype=np.int64)
    start, end = tasks["last_started"].to_numpy(), tasks["ended"].to_numpy()
    node, pid = tasks["node"].to_numpy(), tasks["pid"].to_numpy()
    ran = ~np.isnan(start)
    base = 0
    for number in np.unique(node[ran]):
        here = ran & (node == number)
        processes = [np.flatnonzero(here & (pid == p)) for p in np.unique(pid[here])]
        own = [_greedy(start[at], _or_inf(end[at])) for at in processes]
        widths = [int(lane.max()) + 1 for lane in own]
        lives = [(start[at].min(), np.nanmax([start[at].max(), *end[at]])) for at in processes]
        offsets = _stack(lives, widths)
        for at, lane, offset in zip(processes, own, offsets, strict=True):
            out[at] = base + offset + lane
        least = concurrency[number] if number < len(concurrency) else 0
        base += max(least, *(o + w for o, w in zip(offsets, widths, strict=True)))
    return pd.Series(out, index=tasks.index, name="lane")


def _greedy(start: Floats, end: Floats) -> NDArray[np.int64]:
    """Lowest free lane for each interval, taken in the order of their starts."""
    out = np.zeros(start.size, dtype=np.int64)
    free: list[int] = []
    busy: list[tuple[float, int]] = []
    for i in np.lexsort((end, start)).tolist():
        while busy and busy[0][0] <= start[i]:
            heapq.heappush(free, heapq.heappop(busy)[1])
        lane = heapq.heappop(free) if free else len(busy)
        heapq.heappush(busy, (end[i], lane))
        out[i] = lane
    return out


def _stack(lives: list[tuple[float, float]], widths: list[int]) -> list[int]:
    """First lane of each process: in a block of lanes that a finished one left, if it is wide enough, or
    above all.
    """
    offsets = [0] * len(lives)
    blocks: list[list[float]] = []  # first lane, width, free from
    top = 0
    for i in sorted(range(len(lives)), key=lives.__getitem__):
        begin, end = lives[i]
        block = next((b for b in blocks if b[2] <= begin and b[1] >= widths[i]), None)
        if block is None:
            block = [top, widths[i], end]
            blocks.append(block)
            top += widths[i]
        block[2] = end
        offsets[i] = int(block[0])
    return offsets
