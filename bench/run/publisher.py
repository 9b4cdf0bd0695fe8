"""The harness's end of the loader process: its spec, its orders, its answers."""

import contextlib
import json
import os
import signal
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
    """A running loader. Its answers arrive in the order of the orders."""

    def __init__(self, child: Child, setup: Setup, seed: int, folder: Path) -> None:
        self.child = child
        self.choice: npt.NDArray[np.int16] = np.zeros(0, np.int16)
        self.warmup = warmup_of(setup)
        self._setup, self._seed, self._folder = setup, seed, folder
        assert child.process.stdout is not None
        self._answers = child.process.stdout.fileno()
        os.set_blocking(self._answers, False)
        self._buffer = b""

    def warm(self) -> None:
        """Order the warm-up; the answer says how many tasks that was."""
        self._tell({"do": "warm"})

    def load(self) -> None:
        """Order the whole load of the setup, whose schedule and order of the mix are fixed here."""
        load = self._setup.load
        if load.shape == "closed":
            self._publish("closed", np.zeros(load.count), None, clients=load.clients)
        elif load.shape == "replay":
            from bench.scenario import replay

            self._publish("paced", *replay.schedule(load))
        else:
            do = "flood" if load.shape == "flood" else "paced"
            self._publish(do, pacing.due_times(load, self._seed), None)

    def step(self, rate: float, tasks: int) -> None:
        """Order ``tasks`` more at a constant ``rate`` (1/s)."""
        self._publish("paced", np.arange(tasks) / rate, None)

    def _publish(
        self, do: str, due: npt.NDArray[np.float64], choice: npt.NDArray[np.int16] | None, **more: Any
    ) -> None:
        first = len(self.choice)
        if choice is None:
            weights = [call.weight for call in self._setup.workload]
            choice = pacing.choices(weights, len(due), self._seed + first)
        self.choice = np.append(self.choice, choice)
        files = {name: str(self._folder / f"{name}-{first}") for name in ("due", "choice")}
        due.astype("<f8").tofile(files["due"])
        choice.astype("<i2").tofile(files["choice"])
        self._tell({"do": do, "first": first, **files, **more})

    def _tell(self, order: dict[str, Any]) -> None:
        assert self.child.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it died: ``trouble`` says how
            self.child.process.stdin.write(json.dumps(order).encode() + b"\n")
            self.child.process.stdin.flush()

    def cut(self) -> None:
        """End the load that is being published; its answer says how far it came."""
        with contextlib.suppress(ProcessLookupError):
            self.child.process.send_signal(signal.SIGUSR1)

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


def warmup_of(setup: Setup) -> int:
    """How many warm-up tasks each node gets."""
    return max(1, setup.warmup_per_slot * setup.workers.concurrency)


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
    """Start the loader; its first answer is ``ready``."""
    spec = {
        "app": app,
        "module": app.partition(":")[0],
        "settings": settings,
        "tag": tag,
        "queue": queue,
        "warm_queues": warm_queues,
        "nodes": [node_name(index, tag) for index in range(setup.workers.nodes)],
        "warmup": warmup_of(setup),
        "calls": [{"task": c.task, "args": list(c.args), "kwargs": dict(c.kwargs)} for c in setup.workload],
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
    return Publisher(child, setup, seed, folder)
