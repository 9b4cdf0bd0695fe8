"""The parts of canvases, and what becomes of a canvas by them: when it began and ended, how it fared, and how
much of its time was work. Pure; definitions are in docs/methodology.md.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.canvas import TaskCall
from bench.scatter import SUCCESS, Floats, Scatter, histories


def parts(units: pd.DataFrame, log: Scatter, workload: Sequence[TaskCall]) -> pd.DataFrame:
    """One row for each part of each canvas among the ``units`` (rows of ``log``), stage after stage, also for
    those that never ran.

    ``unit`` is the row and ``seq`` the number of its unit, ``task`` the entry of the workload, ``number`` its
    number in it, ``call``, ``stage`` and ``items`` as in ``canvas.Part``; ``begin`` (s): when it could have
    begun, NaN while the stage before has not ended; and its own ``bench.scatter.histories``.
    """
    plan = [np.array(call.messages, dtype=np.int64).reshape(-1, 3) for call in workload]
    entry = units["task"].to_numpy()
    many = np.array([len(messages) for messages in plan])[entry]
    first = np.cumsum(many) - many
    n = int(many.sum())
    part, at = log.events["part"].to_numpy(), np.clip(log.row, 0, max(0, log.n - 1))
    seq = log.events["seq"].to_numpy()
    known = (part > 0) & (units.index.to_numpy()[at] == seq if log.n else False)
    known &= part <= many[at] if log.n else False
    row = np.where(known, first[at] + part - 1 if log.n else 0, 0)
    unit = np.repeat(np.arange(len(units)), many)
    told = np.concatenate([np.empty((0, 3), np.int64), *(plan[k] for k in entry)])
    table = pd.DataFrame(
        {
            "unit": unit,
            "seq": units.index.to_numpy()[unit],
            "task": entry[unit],
            "number": np.arange(n) - first[unit] + 1,
            "stage": told[:, 0],
            "call": told[:, 1],
            "items": told[:, 2],
            **histories(Scatter(log.events, row, known, n, log.start)),
        }
    )
    return table.assign(begin=_begin(table, units["intended"].to_numpy()))


def _begin(table: pd.DataFrame, intended: Floats) -> Floats:
    """The end of the stage before; of the first, when the unit was intended."""
    heads = _heads(table, "unit", "stage")
    if not heads.size:
        return np.empty(0)
    latest = np.maximum.reduceat(table["ended"].to_numpy(), heads)  # NaN while one has not ended
    begin = np.concatenate([[np.nan], latest[:-1]])
    is_first = table["stage"].to_numpy()[heads] == 0
    begin[is_first] = intended[table["unit"].to_numpy()[heads[is_first]]]
    return np.repeat(begin, np.diff([*heads, len(table)]))


def _heads(table: pd.DataFrame, *columns: str) -> NDArray[np.int64]:
    """Where the columns' values change: the first row of each group of rows that stand together."""
    if table.empty:
        return np.empty(0, np.int64)
    changes = np.zeros(len(table), dtype=bool)
    changes[0] = True
    for name in columns:
        values = table[name].to_numpy()
        changes[1:] |= values[1:] != values[:-1]
    return np.flatnonzero(changes)


def with_canvases(units: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """The units (as ``bench.events.tasks`` explains them) with what follows for canvases from their parts."""
    if table.empty:
        return units
    heads = _heads(table, "unit")
    rows = table["unit"].to_numpy()[heads]
    state, ended, path = _ends(table)
    last = _last(table, heads)
    columns: dict[str, NDArray[Any]] = {
        "received": np.fmin.reduceat(table["received"].to_numpy(), heads),
        "started": np.fmin.reduceat(table["started"].to_numpy(), heads),
        "last_started": np.fmax.reduceat(table["last_started"].to_numpy(), heads),
        "ended": ended,
        "service": _sum(table["service"], heads),
        "state": state,
        "attempts": _sum(table["attempts"], heads),
        "retries": _sum(table["retries"], heads),
        "finals": (state != 0) + _sum((table["finals"] - 1).clip(lower=0), heads),
        "node": table["node"].to_numpy()[last],
        "pid": table["pid"].to_numpy()[last],
        "path": path,
    }
    out = units.copy()
    for name, values in columns.items():
        column = out[name].to_numpy().copy()
        column[rows] = values
        out[name] = column
    return out


def _ends(table: pd.DataFrame) -> tuple[NDArray[Any], Floats, Floats]:
    """State, end and path of each unit: it has ended with the first stage that ended and was its last, or of
    which not all succeeded. The path is the longest service of each stage that far.
    """
    heads = _heads(table, "unit", "stage")
    states, unit = table["state"].to_numpy(), table["unit"].to_numpy()[heads]
    latest = np.maximum.reduceat(table["ended"].to_numpy(), heads)
    bad = np.where(states != SUCCESS, np.arange(len(table)), len(table))
    first_bad = np.minimum.reduceat(bad, heads)
    broken = first_bad < len(table)
    is_last = np.append(unit[1:] != unit[:-1], True)
    decides = ~np.isnan(latest) & (is_last | broken)
    stage = table["stage"].to_numpy()[heads]
    begins = np.flatnonzero(stage == 0)
    decider = np.minimum.reduceat(np.where(decides, np.arange(heads.size), heads.size), begins)
    over = decider < heads.size
    at = np.where(over, decider, 0)
    found = np.append(states, SUCCESS)[np.where(broken[at], first_bad[at], len(table))]
    longest = np.nan_to_num(np.fmax.reduceat(table["service"].to_numpy(), heads))
    reached = np.arange(heads.size) <= np.repeat(decider, np.diff([*begins, heads.size]))
    path = np.add.reduceat(np.where(reached, longest, 0.0), begins)
    return np.where(over, found, 0), np.where(over, latest[at], np.nan), path


def _last(table: pd.DataFrame, heads: NDArray[np.int64]) -> NDArray[np.int64]:
    """The row of each unit's part that ended last, or of any where none has."""
    order = np.lexsort((np.nan_to_num(table["ended"].to_numpy(), nan=-np.inf), table["unit"].to_numpy()))
    return np.asarray(order[np.append(heads[1:], len(table)) - 1])


def _sum(values: "pd.Series[Any]", heads: NDArray[np.int64]) -> NDArray[Any]:
    """Σ of each unit, what is missing left out."""
    return np.asarray(np.add.reduceat(np.nan_to_num(values.to_numpy()), heads))
