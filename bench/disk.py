"""What reaches the disk: whole files and folders, JSON without NaN or passwords. Refusals say what to do."""

import errno
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from numbers import Real
from pathlib import Path
from typing import Any

from bench.errors import EnvironmentFault
from bench.units import hide_password

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says where there is no more room."""


@contextmanager
def refusals(path: Path) -> Iterator[None]:
    """What the disk refuses becomes an EnvironmentFault that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise EnvironmentFault(
                f"the disk under {path} is full",
                "Finished trials are safe. Free some room, then go on with: celery-bench run --resume RUN",
            ) from error
        reason = error.strerror or str(error)
        raise EnvironmentFault(
            f"{path} cannot be used: {reason}",
            "Choose a place that is there and that you may write to, or mend its permissions.",
        ) from error


def write(path: Path, text: str) -> None:
    """Write the file and wait until the disk has it; what UTF-8 cannot say becomes a question mark."""
    with path.open("wb") as file:
        file.write(text.encode(errors="replace"))
        file.flush()
        os.fsync(file.fileno())


def fsync(path: Path) -> None:
    """Wait until the disk has what was written to this file."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def fsync_folder(path: Path) -> None:
    """Wait until the disk has the folder's names: a new file is lost in a power cut without."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def jsonable(value: Any) -> Any:
    """``value`` as JSON can hold it: no NaN or infinity (left out of mappings, null in lists), no numpy
    scalars, no passwords.
    """
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, Mapping):
        return {str(k): jsonable(v) for k, v in value.items() if not _is_nan(v)}
    if isinstance(value, (list, tuple)):
        return [jsonable(v) for v in value]
    if isinstance(value, str):
        return hide_password(value)
    return None if _is_nan(value) else value


def _is_nan(value: Any) -> bool:
    return isinstance(value, Real) and not math.isfinite(value)


def put(work: Path, target: Path) -> None:
    """Put the folder ``work`` in the place of ``target``, which stays as it was if that fails."""
    old = work.with_name(f"{work.name}.old")
    if target.exists():
        target.rename(old)
    try:
        work.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)
