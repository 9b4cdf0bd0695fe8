"""The harness's end of the loader process: its spec, its orders, its answers."""

import contextlib
import json
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench import pacing, settings
from bench.canvas import bare, distinct
from bench.model import Setup, TaskCall
from bench.run.fleet import Place, last_words, node_name
from bench.run.process import Child, describe_end

LOADER = Path(__file__).with_name("load.py")
LOADER_CONNECTIONS = 10
"""Celery's own ``broker_pool_limit``. A lower one is for the workers: the loader, which publishes while it
tells the workers something, would wait for itself.
"""


class Publisher:
    """A running loader. Its answers arrive in the order of the orders."""

    def __init__(self, child: Child, setup: Setup, seed: int, folder: Path) -> None:
        self.child = child
        self.choice: npt.NDArray[np.int16] = np.zeros(0, np.int16)
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
        return f"the loader {describe_end(status)}: {last_words(self.child.tail()) or 'no output'}"

    def stop(self) -> None:
        self.child.stop()


def warmups(setup: Setup) -> list[list[int]]:
    """For each node which of ``distinct(workload)`` its warm-up tasks are: those it will get, by turns."""
    found = []
    calls = distinct(setup.workload)
    for group in setup.groups:
        queues = group.queues or setup.queues
        own = [kind for kind, call in enumerate(calls) if setup.route(call.task) in queues]
        tasks = max(1, setup.warmup_per_slot * group.concurrency)
        found.append([own[i % len(own)] for i in range(tasks)] if own else [])
    return found


def consumers(setup: Setup, place: Place) -> list[dict[str, Any]]:
    """For each of the trial's queues the nodes that are to consume from it, and with which arguments."""
    arguments = {"x-queue-type": "quorum"} if setup.broker.queue == "quorum" else {}
    groups = list(enumerate(setup.groups))
    return [
        {
            "queue": name,
            "nodes": [node_name(k, place.tag) for k, g in groups if queue in (g.queues or place.queues)],
            "arguments": arguments,
        }
        for queue, name in place.queues.items()
    ]


def call_spec(call: TaskCall, queue: str) -> dict[str, Any]:
    """A task as the loader reads it."""
    options = {
        "queue": queue,
        "priority": call.priority,
        "countdown": call.countdown,
        "expires": call.expires,
    }
    return {
        "task": call.task,
        "args": list(call.args),
        "kwargs": dict(call.kwargs),
        "payload": call.payload,
        "arguments": call.arguments,
        "options": {name: value for name, value in options.items() if value is not None},
    }


def entry_spec(call: TaskCall, calls: Sequence[TaskCall]) -> dict[str, Any]:
    """An entry of the workload as the loader reads it: for each of its messages which of ``calls`` it is, and
    how many items it has.
    """
    place = [calls.index(bare(part)) for part in call.calls]
    messages = [(place[part.call], part.items) for part in call.messages] or [(place[0], 1)]
    return {"canvas": call.canvas, "messages": messages}


def start(setup: Setup, place: Place, seed: int) -> Publisher:
    """Start the loader; its first answer is ``ready``."""
    asked = settings.configuration(setup, setup.fleet[0])
    calls = distinct(setup.workload)
    spec = {
        "app": place.app,
        "settings": {**place.conf, **asked, "broker_pool_limit": LOADER_CONNECTIONS},
        "added": place.added,
        "queues": place.queues,
        "tag": place.tag,
        "seed": seed,
        "consumers": consumers(setup, place),
        "warm_queues": list(place.warm_queues),
        "warmups": warmups(setup),
        "calls": [call_spec(call, place.queues[setup.route(call.task)]) for call in calls],
        "entries": [entry_spec(call, calls) for call in setup.workload],
        "folder": str(place.folder),
    }
    path = place.folder / "loader.json"
    path.write_text(json.dumps(spec))
    child = place.start(LOADER, path, "loader.log", pipes=True)
    return Publisher(child, setup, seed, place.folder)
