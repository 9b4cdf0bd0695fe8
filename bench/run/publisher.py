"""The harness's end of the loader process: its spec, its commands, its answers."""

import contextlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench import pacing
from bench.model import Setup
from bench.run.fleet import node_name
from bench.run.keeper import Keeper
from bench.run.process import Child, clean_environment, describe_end

LOADER = Path(__file__).with_name("load.py")


class Publisher:
    """A running loader. Its answers arrive in the order of the commands."""

    def __init__(self, child: Child, choice: npt.NDArray[np.int16]) -> None:
        self.child = child
        self.choice = choice
        assert child.process.stdout is not None
        self._answers = child.process.stdout.fileno()
        os.set_blocking(self._answers, False)
        self._buffer = b""

    def tell(self, command: str) -> None:
        assert self.child.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it died: ``trouble`` says how
            self.child.process.stdin.write(f"{command}\n".encode())
            self.child.process.stdin.flush()

    def answer(self) -> dict[str, Any] | None:
        """The next answer, or None when it has not come yet."""
        with contextlib.suppress(BlockingIOError):
            self._buffer += os.read(self._answers, 65536)
        line, newline, rest = self._buffer.partition(b"\n")
        if not newline:
            return None
        self._buffer = rest
        answer: dict[str, Any] = json.loads(line)
        return answer

    def trouble(self) -> str:
        status = self.child.exit_status
        if status is None:
            return ""
        last = (self.child.tail().splitlines() or ["no output"])[-1]
        return f"the loader {describe_end(status)}: {last}"

    def stop(self) -> None:
        self.child.stop()


def start(
    setup: Setup,
    *,
    app: str,
    settings: Mapping[str, Any],
    tag: str,
    queue: str,
    warm_queues: list[str],
    seed: int,
    folder: Path,
    keeper: Keeper,
    env: Mapping[str, str],
) -> Publisher:
    """Fix the schedule and the order of the mix, and start the loader; its first answer is ``ready``."""
    load = setup.load
    due = pacing.due_times(load, seed)
    choice = pacing.choices([call.weight for call in setup.workload], len(due), seed)
    due.astype("<f8").tofile(folder / "due.f8")
    choice.astype("<i2").tofile(folder / "choice.i2")
    spec = {
        "app": app,
        "module": app.partition(":")[0],
        "settings": settings,
        "tag": tag,
        "queue": queue,
        "warm_queues": warm_queues,
        "nodes": [node_name(index, tag) for index in range(setup.workers.nodes)],
        "warmup": max(1, setup.warmup_per_slot * setup.workers.concurrency),
        "calls": [{"task": c.task, "args": list(c.args), "kwargs": dict(c.kwargs)} for c in setup.workload],
        "shape": load.shape,
        "due": str(folder / "due.f8"),
        "choice": str(folder / "choice.i2"),
        "folder": str(folder),
    }
    path = folder / "loader.json"
    path.write_text(json.dumps(spec))
    child = Child(
        [sys.executable, "-P", str(LOADER), str(path)],
        keeper=keeper,
        log=folder / "loader.log",
        env=clean_environment(env),
        pipes=True,
    )
    return Publisher(child, choice)
