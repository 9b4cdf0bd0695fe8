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

from bench.canvas import TaskCall
from bench.parts import parts, with_canvases
from bench.scatter import (
    COMPLETED,
    ENDED,
    FAILURE,
    IGNORED,
    INTENDED,
    NS,
    RECEIVED,
    REJECTED,
    RETRY,
    RETURNED,
    REVOKED,
    SENT,
    STARTED,
    SUCCESS,
    WORKER_LOST,
    Floats,
    by_unit,
    histories,
)

__all__ = (
    "COMPLETED", "ENDED", "EVENT_COLUMNS", "FAILURE", "IGNORED", "INTENDED", "NS", "RECEIVED", "REJECTED",
    "RETRY", "RETURNED", "REVOKED", "SAMPLE_COLUMNS", "SENT", "STARTED", "SUCCESS", "WORKER_LOST", "Floats",
    "Recording", "by_time", "executions", "lanes", "no_events", "no_samples", "parts_of", "tasks",
)  # fmt: skip

EVENT_COLUMNS: Mapping[str, str] = {
    "seq": "int64",
    "t_ns": "int64",
    "kind": "uint8",
    "state": "uint8",
    "attempt": "uint16",
    "node": "int16",
    "pid": "int32",
    "task": "int16",
    "part": "int32",
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
    around the trial; ``logs`` maps a file name (``node-0.log``) to its text. ``others``: what became of the
    tasks that the load's tasks called; ``errors``: why tasks failed. Both as in docs/results.md.
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
    others: Mapping[str, float] = field(default_factory=dict)
    errors: tuple[Mapping[str, Any], ...] = ()


def tasks(events: pd.DataFrame, workload: Sequence[TaskCall] = ()) -> pd.DataFrame:
    """One row for each unit (a task, or a canvas of ``workload``) that has an intended event, indexed by
    ``seq``.

    Columns in seconds after the first intended time, NaN where there is no such event: ``intended``,
    ``sent`` (never after received: the loader notes a sending when the call returns, a fast worker has the
    task by then), ``received`` and ``started`` of the first attempt, ``last_started`` of the last one,
    ``ended`` (the first final end; a completing one goes before a failing one), ``returned`` (its caller had
    the result; closed loop only). ``service``: seconds of all its executions. ``task``: its entry in the
    workload; ``state`` of that end (0: none); ``attempts`` (starts), ``retries`` (retry ends), ``finals``
    (final ends: more than 1 is a duplicate); ``node`` and ``pid`` that ran it last (−1: none).

    Of a canvas: what began first and ended last of its parts, their sums, and ``path``: seconds of service
    that no other part's could hide (NaN for plain tasks), see ``bench.parts``.
    """
    log, numbers = by_unit(by_time(events))
    intended = log.first(log.kind == INTENDED)
    table = pd.DataFrame(
        {
            "task": log.pick("task", intended),
            "intended": log.seconds(intended),
            "sent": log.seconds(log.first(log.kind == SENT)),
            **histories(log),
            "returned": log.seconds(log.first(log.kind == RETURNED)),
            "path": np.nan,
        },
        index=pd.Index(numbers, name="seq"),
    )
    if any(call.canvas for call in workload):
        table = with_canvases(table, parts(table, log, workload))
    table["sent"] = np.minimum(table["sent"], _or_inf(table["received"].to_numpy()))
    return table


def parts_of(events: pd.DataFrame, table: pd.DataFrame, workload: Sequence[TaskCall]) -> pd.DataFrame:
    """One row for each part of each canvas in ``table``, that of ``tasks``; columns as ``bench.parts``
    explains.
    """
    return parts(table, by_unit(by_time(events))[0], workload)


def executions(events: pd.DataFrame, workload: Sequence[TaskCall] = ()) -> pd.DataFrame:
    """One row for each message that somebody executes: plain tasks, and the parts of canvases instead of
    them. ``task`` counts the tasks of all entries: ``[call for entry in workload for call in entry.calls]``.
    """
    table = tasks(events, workload)
    if not any(call.canvas for call in workload):
        return table
    first = np.cumsum([0, *(len(call.calls) for call in workload)])
    each = parts_of(events, table, workload)
    each["task"] = first[each["task"]] + each["call"]
    plain = table[table["path"].isna() & ~table.index.isin(each["seq"])]
    plain = plain.assign(task=first[plain["task"]])
    return pd.concat([plain, each[[c for c in each if c in plain]]], ignore_index=True)


def by_time(events: pd.DataFrame) -> pd.DataFrame:
    """The events in the order in which they happened; those of an older run get the ``part`` 0."""
    if "part" not in events:
        events = events.assign(part=np.int32(0))
    if not events["t_ns"].is_monotonic_increasing:
        events = events.sort_values("t_ns", kind="stable")
    return events


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
