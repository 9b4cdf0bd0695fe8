"""Events by the task that they are of: array writes instead of a group-by, which is some fifty times slower
for millions of tasks; and what is in every event: kinds, states.

A row is a task, or a part of a canvas. Pure: nothing here starts, reads or writes anything.
"""

from typing import Any, NamedTuple

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
Positions = NDArray[np.int64]


class Scatter:
    """Events sorted by time, each with the ``row`` it belongs to if it is ``known``. Positions are −1 where a
    row has no such event; times are seconds after ``start`` (ns).
    """

    def __init__(
        self, events: pd.DataFrame, row: Positions, known: NDArray[np.bool_], n: int, start: int
    ) -> None:
        self.events, self.row, self.known, self.n, self.start = events, row, known, n, start
        self.t = events["t_ns"].to_numpy()
        self.kind, self.state = events["kind"].to_numpy(), events["state"].to_numpy()

    def first(self, mask: NDArray[np.bool_]) -> Positions:
        """Position of each row's first event under ``mask``: written backwards, so that the first stays."""
        return self._write(np.flatnonzero(mask & self.known)[::-1])

    def last(self, mask: NDArray[np.bool_], *, not_after: Positions) -> Positions:
        """Position of each row's last event under ``mask``, not after its event at ``not_after`` if it has
        one.
        """
        at = np.flatnonzero(mask & self.known)
        limit = not_after[self.row[at]]
        return self._write(at[(limit < 0) | (at < limit)])

    def _write(self, at: Positions) -> Positions:
        out = np.full(self.n, -1, dtype=np.int64)
        out[self.row[at]] = at
        return out

    def count(self, mask: NDArray[np.bool_]) -> NDArray[np.int32]:
        rows = self.row[np.flatnonzero(mask & self.known)]
        return np.bincount(rows, minlength=self.n).astype(np.int32)

    def seconds(self, at: Positions) -> Floats:
        out = np.full(self.n, np.nan)
        there = at >= 0
        out[there] = (self.t[at[there]] - self.start) * NS
        return out

    def pick(self, column: str, at: Positions, missing: int = -1) -> NDArray[np.integer[Any]]:
        values = self.events[column].to_numpy()
        out = np.full(self.n, missing, dtype=values.dtype)
        there = at >= 0
        out[there] = values[at[there]]
        return out


def by_unit(events: pd.DataFrame) -> tuple[Scatter, NDArray[np.int64]]:
    """Rows are the units that have an intended event, whose numbers come back as well. Parts of canvases are
    not theirs.
    """
    kind, seq, own = events["kind"].to_numpy(), events["seq"].to_numpy(), events["part"].to_numpy() == 0
    intended = seq[kind == INTENDED]
    n = intended.size
    start = int(events["t_ns"].to_numpy()[kind == INTENDED].min()) if n else 0
    if n and intended.min() == 0 and intended.max() == n - 1 and np.bincount(intended).all():
        return Scatter(events, seq, own & (seq >= 0) & (seq < n), n, start), np.arange(n)
    numbers = np.unique(intended)  # numbers are missing: slower, so only where it must be
    row = np.searchsorted(numbers, seq)
    known = np.append(numbers, -1)[row] == seq if n else np.zeros(seq.size, dtype=bool)
    return Scatter(events, row, own & known, numbers.size, start), numbers


PART_BITS = 20
"""A part's number has fewer: what ``bench.run.eventlog`` leaves room for."""


def by_message(events: pd.DataFrame) -> tuple[Scatter, NDArray[np.bool_]]:
    """Rows are the messages (tasks and parts alike) that executed something for a unit that has an intended
    event; all of them, for ``runs``.
    """
    units, numbers = by_unit(events)
    seq = events["seq"].to_numpy()
    ours = np.isin(seq, numbers) & np.isin(units.kind, (STARTED, ENDED))
    number = (seq << PART_BITS) + events["part"].to_numpy()
    unique, row = np.unique(np.where(ours, number, 0), return_inverse=True)
    return Scatter(events, row, ours, unique.size, units.start), np.ones(unique.size, dtype=bool)


def histories(log: Scatter) -> dict[str, NDArray[Any]]:
    """What each row went through: the columns from ``received`` to ``pid`` of ``bench.events.tasks``."""
    ends, starts = log.kind == ENDED, log.kind == STARTED
    final = ends & (log.state != RETRY)
    completing = final & np.isin(log.state, COMPLETED)
    ended_at = log.first(completing)
    ended_at = np.where(ended_at < 0, log.first(final & ~completing), ended_at)
    last_start = log.last(starts, not_after=ended_at)
    ran = np.where(last_start >= 0, last_start, ended_at)
    attempts, started, ended = log.count(starts), log.seconds(last_start), log.seconds(ended_at)
    retries = log.count(ends & (log.state == RETRY))
    return {
        "received": log.seconds(log.first(log.kind == RECEIVED)),
        "started": log.seconds(log.first(starts)),
        "last_started": started,
        "ended": ended,
        "service": _service(log, attempts > 1, ended - started),
        "state": log.pick("state", ended_at, missing=0),
        "attempts": attempts,
        "retries": retries,
        "finals": np.minimum(log.count(final), np.maximum(1, attempts - retries)),
        "node": log.pick("node", ran),
        "pid": log.pick("pid", ran),
    }


def _service(log: Scatter, again: NDArray[np.bool_], once: Floats) -> Floats:
    """Seconds that slots spent on each row: ``once`` where it ran once, else of all its runs."""
    if not again.any():
        return once
    found = runs(log, again)
    took = (log.t[found.end] - log.t[found.start]) * NS
    total = np.bincount(log.row[found.start], weights=took, minlength=log.n)
    return np.where(again, total, once)


class Runs(NamedTuple):
    """Executions from start to end, as positions of their two events."""

    start: Positions
    end: Positions


def runs(log: Scatter, of: NDArray[np.bool_]) -> Runs:
    """Every execution that has both ends, of the rows ``of``.

    A start belongs to the next end that the same process wrote of that row; and where it wrote none, because
    it died, to the next that anybody wrote.
    """
    mask = (log.kind == STARTED) | (log.kind == ENDED)
    at = np.flatnonzero(mask & log.known)
    at = at[of[log.row[at]]]
    pid = log.events["pid"].to_numpy()
    start, end = _pairs(log, at[np.lexsort((at, pid[at], log.row[at]))], pid)
    rest = np.setdiff1d(at, np.concatenate([start, end]))
    lost, told = _pairs(log, rest[np.lexsort((rest, log.row[rest]))], np.zeros_like(pid))
    return Runs(np.concatenate([start, lost]), np.concatenate([end, told]))


def _pairs(log: Scatter, at: Positions, process: NDArray[Any]) -> tuple[Positions, Positions]:
    """Neighbours among these positions that are a start and an end of one row in one process."""
    first, then = at[:-1], at[1:]
    same = (log.row[first] == log.row[then]) & (process[first] == process[then])
    fit = same & (log.kind[first] == STARTED) & (log.kind[then] == ENDED)
    return first[fit], then[fit]
