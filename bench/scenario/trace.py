"""The file of a trace: CSV or Parquet → columns, or what is wrong with it, and on which line.

Told apart by content, not by name. Sizes are looked at before anything is read.
"""

import contextlib
import csv
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bench import units
from bench.scenario.mistakes import did_you_mean, shown

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

MOST_BYTES = 2**30
MOST_ROWS = 20_000_000
MOST_CALLS = 1_000
_COLUMNS = ("offset", "task", "kwargs")
_HEAD_BYTES = 64 * 1024


class TraceError(ValueError):
    """What is wrong with the file as a whole, in a sentence; ``line`` where one is to blame."""

    def __init__(self, text: str, line: int | None = None) -> None:
        super().__init__(text)
        self.line = line


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The columns as they stand in the file.

    ``kinds``: which (task, kwargs text) of ``texts`` each row has, None without a column ``task``;
    ``firsts``: the first row of each.
    """

    offsets: Floats
    kinds: Integers | None = None
    texts: tuple[tuple[str, str], ...] = ()
    firsts: tuple[int, ...] = ()


def sized(path: Path) -> os.stat_result:
    """What the system says of the file. Raises TraceError where it should not even be opened."""
    if not path.exists():
        known = sorted(p.name for p in path.parent.glob("*") if p.suffix in (".csv", ".parquet"))[:5]
        raise TraceError(f"there is no file {path}. {did_you_mean(path.name, known)}".strip())
    about = path.stat()
    if not stat.S_ISREG(about.st_mode):
        raise TraceError(f"{path} is not a file. Name a CSV or Parquet file")
    if about.st_size > MOST_BYTES:
        size, most = units.format_size(about.st_size), units.format_size(MOST_BYTES)
        raise TraceError(
            f"{path} has {size}; at most {most} are read. Cut a stretch of it out, or write it as Parquet"
        )
    return about


def lines_of(path: Path, rows: list[int]) -> dict[int, int]:
    """Row → line in the file; of Parquet, which has no lines, the number of the row."""
    if not rows or _is_parquet(path):
        return {row: row + 1 for row in rows}
    found: dict[int, int] = {}
    row, width, end = -1, 0, 0
    with (
        contextlib.suppress(csv.Error),
        path.open(encoding="utf-8-sig", errors="replace", newline="") as file,
    ):
        reader = csv.reader(file)
        for cells in reader:
            line, end = end + 1, reader.line_num
            if any(cell.strip() for cell in cells) or 0 < len(cells) == width:
                if row in rows:
                    found[row] = line
                row, width = row + 1, width or len(cells)
            if row > rows[-1]:
                break
    return {row: found.get(row, row + 2) for row in rows}


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


def rows_of(path: Path) -> Rows:
    """The columns of the file. Raises TraceError for what holds no rows of tasks, OSError."""
    table = _parquet(path) if _is_parquet(path) else _csv(path)
    if not len(table):
        raise TraceError("there is no row below the names of the columns", 1)
    if len(table) > MOST_ROWS:
        raise TraceError(f"{path} has more than {MOST_ROWS} rows. Cut a stretch of it out")
    offsets = table["offset"].to_numpy(dtype=np.float64, na_value=np.nan)
    if "task" not in table:
        return Rows(offsets=offsets)
    tasks, names = _codes(table["task"])
    args, cells = _codes(table["kwargs"]) if "kwargs" in table else (np.zeros_like(tasks), [""])
    found, firsts, kinds = np.unique(tasks * len(cells) + args, return_index=True, return_inverse=True)
    if len(found) > MOST_CALLS:
        raise TraceError(
            f"{path} holds {len(found)} different calls (task and kwargs); at most {MOST_CALLS}. "
            "Round the arguments, or leave the column kwargs out"
        )
    texts = tuple((names[kind // len(cells)], cells[kind % len(cells)]) for kind in found.tolist())
    return Rows(offsets=offsets, kinds=kinds.astype(np.int64), texts=texts, firsts=tuple(firsts.tolist()))


def _codes(column: "pd.Series[Any]") -> tuple[npt.NDArray[np.int64], list[str]]:
    """Which of the distinct texts each row has; what is missing is the empty text."""
    column = column.astype("category")
    names = ["", *(str(name).strip() for name in column.cat.categories)]
    return column.cat.codes.to_numpy().astype(np.int64) + 1, names


def _csv(path: Path) -> "pd.DataFrame":
    import pandas as pd
    import pyarrow as pa

    names, skip = _header(path)
    columns = _checked(names)
    unique = [name if name in columns else f"{index} {name}" for index, name in enumerate(names)]
    try:
        try:
            return _csv_columns(path, unique, skip, columns, pa.float64())
        except pa.ArrowInvalid as error:
            if "CSV conversion error to double" not in str(error):
                raise
        table = _csv_columns(path, unique, skip, columns, pa.string())
        return table.assign(offset=pd.to_numeric(table["offset"], errors="coerce"))
    except pa.ArrowException as error:
        text = "it is not UTF-8 text" if "UTF8" in str(error) else str(error).splitlines()[0]
        raise TraceError(f"{path} cannot be read as CSV: {text}") from None


def _csv_columns(path: Path, names: list[str], skip: int, columns: list[str], offset: Any) -> "pd.DataFrame":
    """The ``columns`` after ``skip`` lines. Raises pyarrow's errors, TraceError for rows of other lengths."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    odd: list[tuple[int, int]] = []
    blank: list[int] = []

    def of_other_length(row: Any) -> str:
        if not row.text.strip():
            blank.append(row.number)
            return "skip"
        odd.append((row.number - skip - len(blank) - 1, row.actual_columns))
        return "error"

    text = pa.dictionary(pa.int32(), pa.string())
    types = {name: offset if name == "offset" else text for name in columns}
    batches, rows = [], 0
    try:
        with arrow_csv.open_csv(
            path,
            read_options=arrow_csv.ReadOptions(skip_rows=skip, column_names=names, use_threads=False),
            parse_options=arrow_csv.ParseOptions(
                newlines_in_values=True, invalid_row_handler=of_other_length
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=types, include_columns=columns, null_values=[]
            ),
        ) as reader:
            for batch in reader:
                batches.append(batch)
                rows += batch.num_rows
                if rows > MOST_ROWS:
                    break
            table: pd.DataFrame = (
                pa.Table.from_batches(batches, reader.schema).unify_dictionaries().to_pandas()
            )
            return table
    except pa.ArrowInvalid:
        if not odd:
            raise
    row, cells = odd[0]
    hint = 'Decimals have a point; text with a comma stands in quotes: "{""a"": 1, ""b"": 2}"'
    line = lines_of(path, [row])[row]
    raise TraceError(f"there {_are(cells)} for {units.plural(len(names), 'column')}. {hint}", line)


def _are(cells: int) -> str:
    return f"is {cells} cell" if cells == 1 else f"are {cells} cells"


def _header(path: Path) -> tuple[list[str], int]:
    """The names of the columns of a CSV file, which its first line with anything in it holds, and how many
    lines that takes.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head.strip():
        raise TraceError("the file is empty. Begin with the names of the columns: offset,task,kwargs", 1)
    if b"\0" in head:
        raise TraceError(f"{path} is neither CSV nor Parquet. Write text with commas, or Parquet")
    try:
        text = head.decode("utf-8-sig", errors="strict" if len(head) < _HEAD_BYTES else "ignore")
    except UnicodeDecodeError:
        raise TraceError(f"{path} is not UTF-8 text, so it is neither CSV nor Parquet") from None
    number, line = next((n, line) for n, line in enumerate(text.splitlines(), start=1) if line.strip())
    return [name.strip() for name in next(csv.reader([line]))], number


def _checked(names: list[str]) -> list[str]:
    """The columns that are needed. Raises TraceError where one is missing, there twice or misspelt."""
    if "offset" not in names:
        listed = ", ".join(map(shown, names[:20]))
        raise TraceError(f"there is no column offset (seconds); there are {listed}. Commas part columns", 1)
    used = [name for name in _COLUMNS if name in names]
    for name in used:
        if names.count(name) > 1:
            raise TraceError(f"the column {name} is there twice. Keep one of them", 1)
    for name in names:
        wanted = name.lower().removesuffix("s").removesuffix("_name")
        meant = {"task": "task", "kwarg": "kwargs"}.get(wanted)
        if name not in _COLUMNS and meant and meant not in used:
            raise TraceError(f"the column {shown(name)} is not known. Did you mean {meant!r}?", 1)
    if "kwargs" in used and "task" not in used:
        raise TraceError("there is a column kwargs and none named task. Add it: whose arguments are they?", 1)
    return used


def _parquet(path: Path) -> "pd.DataFrame":
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        about = pq.read_metadata(path)
        if about.num_rows > MOST_ROWS:
            raise TraceError(f"{path} has {about.num_rows} rows; at most {MOST_ROWS} are read")
        schema = about.schema.to_arrow_schema()
        columns = _checked(list(schema.names))
        for name in columns:
            _check_type(name, schema.field(name).type)
        with pq.ParquetFile(path, read_dictionary=[name for name in columns if name != "offset"]) as file:
            table: pd.DataFrame = file.read(columns=columns).to_pandas()
            return table
    except (pa.ArrowException, OSError) as error:
        raise TraceError(f"{path} cannot be read as Parquet: {str(error).splitlines()[0]}") from None


def _check_type(name: str, kind: Any) -> None:
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    if name == "offset" and not (types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)):
        raise TraceError(f"the column offset holds {kind}. Write seconds as numbers", 1)
    if name != "offset" and not (types.is_string(kind) or types.is_large_string(kind) or types.is_null(kind)):
        hint = "Write names of tasks" if name == "task" else "Write JSON as text"
        raise TraceError(f"the column {name} holds {kind}. {hint}", 1)
