"""Nothing is left behind: a small process that outlives the harness only to clean up after it.

The harness tells it which process groups and folders are its own. However the harness ends, even by
``kill -9``, the pipe between them closes; the keeper then kills what is still registered and removes the
folders. Workers also carry a parent-death signal of their own; this covers the broker, the services, the
files, and what tasks have detached.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Self

SEMAPHORES = Path("/dev/shm")
MAPPED = re.compile(r"(\d+) +/dev/shm/sem\.")
"""The inode of a semaphore that a process has mapped, under a name that may have been another one then."""


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
    """SIGKILL to a whole process group, gone or not; what it cannot unlink any more is unlinked."""
    left = _semaphores(pgid)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pgid, signal.SIGKILL)
    for path in left:
        with contextlib.suppress(OSError):
            path.unlink()


def kill_detached(folder: Path | str) -> None:
    """SIGKILL to whatever a trial's processes have started and let go: the ``TMPDIR`` in its environment is
    still the trial's ``folder``, or lies in there, as no other process's does.
    """
    mark = b"\0TMPDIR=" + os.fsencode(folder)
    for process in _processes():
        with contextlib.suppress(OSError):
            if mark in b"\0" + (process / "environ").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)


def _semaphores(pgid: int) -> list[Path]:
    """Files of the semaphores of multiprocessing, or billiard, that the group holds: a pool of spawned
    children has some.
    """
    held: set[str] = set()
    for process in _processes():
        with contextlib.suppress(OSError):
            if os.getpgid(int(process.name)) == pgid:
                held.update(MAPPED.findall((process / "maps").read_text(errors="replace")))
    files = os.scandir(SEMAPHORES) if held else ()
    return [Path(file) for file in files if file.name.startswith("sem.mp-") and str(file.inode()) in held]


def _processes() -> Iterator[Path]:
    return Path("/proc").glob("[0-9]*")


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
            kill_detached(what)
            shutil.rmtree(what, ignore_errors=True)


if __name__ == "__main__":
    main()
