"""One child process in a group of its own, logging to a file, known to the keeper."""

import ctypes
import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.run.keeper import Keeper, kill_group

TAIL_LINES = 30
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


class Child:
    """A started process group. ``stop`` kills the whole group and waits for its leader."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        keeper: Keeper,
        log: Path,
        env: Mapping[str, str] | None = None,
        pipes: bool = False,
        folder: str | None = None,
    ) -> None:
        self._keeper = keeper
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE if pipes else subprocess.DEVNULL,
                stdout=subprocess.PIPE if pipes else output,
                stderr=output,
                env=None if env is None else dict(env),
                cwd=folder,
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509  one system call, nothing that could lock
            )
        keeper.add(self.pid)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def exit_status(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self.process.poll()

    def stop(self) -> None:
        """SIGKILL to everything in the group; what it measured is already in its files."""
        kill_group(self.pid)
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        self._keeper.drop(self.pid)

    def tail(self) -> str:
        """The last lines of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-TAIL_LINES:])


def die_with_parent() -> None:
    """Between fork and exec: the kernel kills this process when the harness is gone (``man 2 prctl``).

    Kept over exec, not inherited over fork, and sent when the *thread* that started the
    process ends: children are started from the main thread only.
    """
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Our environment without what would override a trial's settings behind its back, plus ``extra``."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("CELERY_")}
    return {**kept, **extra}


def users_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Our environment, of which the user's app may read anything, plus ``extra``; see ``userapp`` for what
    Celery would read there.
    """
    return {**os.environ, **extra}


def describe_end(status: int) -> str:
    """ "was killed by SIGKILL" or "exited with status 1"."""
    return f"was killed by {signal.Signals(-status).name}" if status < 0 else f"exited with status {status}"


def free_port() -> int:
    """A TCP port of the loopback interface that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port_is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: TIME_WAIT is no obstacle
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
