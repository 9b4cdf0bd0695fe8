"""Nothing is left behind: a small process that outlives the harness only to clean up after it.

The harness tells it which process groups and folders are its own. However the harness ends, even by
``kill -9``, the pipe between them closes; the keeper then kills what is still registered and removes the
folders. Workers also carry a parent-death signal of their own; this covers the broker, the services and the
files.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self


class Keeper:
    """The harness's side: ``add`` what must not stay, ``drop`` what has gone."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(__file__))],
            stdin=subprocess.PIPE,
            start_new_session=True,
            bufsize=0,
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    def add(self, what: int | Path) -> None:
        """Register a process group (its id) or a folder."""
        self._say(f"+{what}\n")

    def drop(self, what: int | Path) -> None:
        """Forget a process group or folder that has gone."""
        self._say(f"-{what}\n")

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it was killed: the parent-death signals are left
            self._process.stdin.write(line.encode())


def kill_group(pgid: int) -> None:
    """SIGKILL to a whole process group, gone or not."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pgid, signal.SIGKILL)


def main() -> None:
    """Read registrations until the harness is gone, then clean up."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    kept: dict[str, None] = {}
    for line in sys.stdin:
        sign, what = line[0], line[1:].rstrip("\n")
        if sign == "+":
            kept[what] = None
        else:
            kept.pop(what, None)
    for what in kept:
        if what.isdigit():
            kill_group(int(what))
    for what in kept:
        if not what.isdigit():
            shutil.rmtree(what, ignore_errors=True)


if __name__ == "__main__":
    main()
