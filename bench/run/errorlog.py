"""Why tasks failed: the first error of each kind that each process of a worker saw, a JSON line each.

Loaded inside workers by its path, so this module is standard library only. Written when a kind is seen for
the first time, and never again: tasks that fail by the thousand cost no more than one.
"""

import json
import os
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any

MOST_KINDS = 20
MOST_CHARACTERS = 4000
NOT_THEIRS = tuple(
    f"{os.sep}{package}{os.sep}" for package in ("celery", "kombu", "billiard", "gevent", "vine")
)


class ErrorLog:
    """Notes errors in a file of its own for each process of ``node``."""

    def __init__(self, folder: str, node: int) -> None:
        self._stem = f"{folder}/errors-{node}"
        self._seen: set[tuple[str, str]] = set()

    def note(self, task: str, error: BaseException | str) -> None:
        """Task ``task`` failed with ``error``, an exception or what to say instead."""
        kind = error if isinstance(error, str) else type(error).__name__
        if (task, kind) in self._seen or len(self._seen) >= MOST_KINDS:
            return
        self._seen.add((task, kind))
        line = json.dumps({"task": task, **told(error)})
        with Path(f"{self._stem}-{os.getpid()}.jsonl").open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")


def told(error: BaseException | str) -> dict[str, str]:
    """``error``: its kind and first line; ``where``: the line of somebody's code, if it has one."""
    if isinstance(error, str):
        return {"error": error, "where": "", "traceback": ""}
    said = str(error).strip().partition("\n")[0][:300]
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not any(part in frame.filename for part in NOT_THEIRS)]
    at = own[-1] if own else None
    return {
        "error": ": ".join(text for text in (type(error).__name__, said) if text),
        "where": f"{at.filename}:{at.lineno}" if at else "",
        "traceback": "".join(traceback.format_exception(error))[-MOST_CHARACTERS:],
    }


def read(folder: Path) -> tuple[dict[str, Any], ...]:
    """The errors of all processes, each task's each kind once; ``processes``: how many saw it."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for path in sorted(folder.glob("errors-*.jsonl")):
        for each in _lines(path.read_text(encoding="utf-8", errors="replace").splitlines()):
            kind = (each["task"], each["error"].partition(":")[0])
            found.setdefault(kind, {**each, "processes": 0})["processes"] += 1
    return tuple(found.values())


def _lines(lines: Iterable[str]) -> Iterable[dict[str, Any]]:
    """Those that are whole: a process may have been killed while it wrote its last one."""
    for line in lines:
        try:
            yield json.loads(line)
        except ValueError:
            continue
