"""Probe rows as the table that is kept."""

from typing import Any

import pandas as pd

COLUMNS = ("t_ns", "group", "cpu", "memory", "processes", "steal", "completed", "backlog")


def frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows of the probe in the columns of docs/results.md."""
    data = pd.DataFrame(rows, columns=list(COLUMNS))
    numeric = [name for name in COLUMNS if name not in ("t_ns", "group")]
    return data.astype({"t_ns": "int64", "group": "object", **dict.fromkeys(numeric, "float64")})
