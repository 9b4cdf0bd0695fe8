"""The same queue drained by a plain ``celery worker``, by one with our agent, and by one with Celery events.

Counted from the broker's side (the length of the queue over time), which knows nothing of either.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import psutil
import redis

from bench.model import Broker, Load, Setup, TaskCall, Workers
from bench.run import bulk, conf, fleet
from bench.run.broker import Brokers, RunningBroker
from bench.run.keeper import Keeper
from bench.run.process import Child, clean_environment
from bench.run.userapp import SHIPPED

TAG = "0a0b0c0d-1111-4222-8333-"
QUEUE = "bench.perf"
NOOPS = Setup(workload=(TaskCall(task="noop"),), load=Load(tasks=1))
POLL_S = 0.005
FROM, TO = 0.9, 0.15
"""The part of the queue over which the drain is timed: boot and the last, prefetched tasks are outside."""

BARE = """
from bench.workloads.app import app
app.conf.update({settings!r})
"""


@dataclass(frozen=True, kw_only=True)
class Drain:
    """``rate`` tasks/s taken from the queue; ``cpu`` s a task; ``pss`` bytes a process of the worker."""

    rate: float
    cpu: float
    pss: float


class Drains:
    """Drains queues of ``tasks`` no-ops with workers of one pool."""

    def __init__(
        self, keeper: Keeper, folder: Path, broker: RunningBroker, workers: Workers, tasks: int
    ) -> None:
        self.keeper, self.folder, self.broker = keeper, folder, broker
        self.workers, self.tasks = workers, tasks
        self.count = 0

    def bare(self) -> Drain:
        """Plain ``celery worker``: nothing of ours in it but the app and its settings."""
        return self._drain(lambda folder: self._plain(folder, []))

    def events(self) -> Drain:
        """The same with Celery's own events (-E)."""
        return self._drain(lambda folder: self._plain(folder, ["-E"]))

    def agent(self) -> Drain:
        """Our door and our agent, as in every trial."""

        def start(folder: Path) -> Child:
            place = fleet.Place(
                app=SHIPPED,
                conf=settings_of(self.broker),
                added={},
                tag=TAG,
                warm_queues=[QUEUE],
                queues={},
                folder=folder,
                keeper=self.keeper,
                env={"TMPDIR": str(folder)},
            )
            return fleet.start(replace(NOOPS, fleet=(self.workers,)), place).nodes[0].child

        return self._drain(start)

    def _plain(self, folder: Path, more: list[str]) -> Child:
        settings = settings_of(self.broker)
        settings["worker_prefetch_multiplier"] = self.workers.prefetch
        (folder / "bare.py").write_text(BARE.format(settings=settings))
        arguments = fleet.arguments(self.workers, fleet.node_name(0, TAG), QUEUE)
        env = clean_environment({"TMPDIR": str(folder), "PYTHONPATH": str(folder)})
        command = [sys.executable, "-m", "celery", "-A", "bare:app", *arguments, *more]
        return Child(command, keeper=self.keeper, log=folder / "log", env=env)

    def _drain(self, start: Callable[[Path], Child]) -> Drain:
        self.count += 1
        folder = self.folder / f"{self.workers.pool}-{self.count}"
        folder.mkdir()
        self.broker.reset()
        fill(self.broker, self.tasks)
        child = start(folder)
        try:
            rate, cpu = self._timed(child)
            pss = fmean(process.memory_full_info().pss for process in tree(child))
            return Drain(rate=rate, cpu=cpu, pss=pss)
        finally:
            child.stop()

    def _timed(self, child: Child) -> tuple[float, float]:
        high, low = FROM * self.tasks, TO * self.tasks
        begin = None
        deadline = time.monotonic() + 120
        with redis.Redis.from_url(self.broker.url) as client:
            while time.monotonic() < deadline:
                left, now = client.llen(QUEUE), time.monotonic()
                if begin is None and left <= high:
                    begin = (now, left, cpu_seconds(child))
                if begin and left <= low:
                    done, used = begin[1] - left, cpu_seconds(child) - begin[2]
                    self._until_empty(client)
                    return done / (now - begin[0]), used / done
                time.sleep(POLL_S)
        raise TimeoutError(f"{self.tasks} no-ops were not drained in two minutes: {self.workers}")

    @staticmethod
    def _until_empty(client: "redis.Redis") -> None:
        while client.llen(QUEUE):
            time.sleep(POLL_S)
        time.sleep(0.1)


def tree(child: Child) -> list[psutil.Process]:
    """The worker and its pool."""
    worker = psutil.Process(child.pid)
    return [worker, *worker.children(recursive=True)]


def cpu_seconds(child: Child) -> float:
    """What the whole tree has used so far."""
    return sum(times.user + times.system for times in (process.cpu_times() for process in tree(child)))


def settings_of(broker: RunningBroker) -> dict[str, Any]:
    """What a trial would set."""
    return conf.of_trial(NOOPS, broker, "", QUEUE, Path())


def fill(broker: RunningBroker, tasks: int) -> float:
    """Put ``tasks`` no-ops into the queue in bulk; seconds that took."""
    from bench.workloads.app import app

    app.conf.update(settings_of(broker))
    with app.connection_for_write() as connection, app.amqp.Producer(connection.channel()) as producer:
        sender = bulk.Bulk(producer, TAG)
        batch: list[Any] = [(app.tasks["noop"], [], {}, {"queue": QUEUE})] * sender.most
        begin = time.perf_counter()
        for first in range(0, tasks, sender.most):
            sender.send(first, batch[: tasks - first])
        return time.perf_counter() - begin


def one_by_one(broker: RunningBroker, tasks: int) -> float:
    """The same with ``apply_async``; seconds that took."""
    from bench.workloads.app import app

    app.conf.update(settings_of(broker))
    with app.connection_for_write() as connection, app.amqp.Producer(connection.channel()) as producer:
        task = app.tasks["noop"]
        begin = time.perf_counter()
        for seq in range(tasks):
            task.apply_async(
                queue=QUEUE, task_id=bulk.task_id(TAG, seq), headers={"bench_seq": seq}, producer=producer
            )
        return time.perf_counter() - begin


@contextmanager
def private_broker(folder: Path) -> Iterator[tuple[Keeper, RunningBroker]]:
    """A Valkey of our own, and the keeper that stops whatever is left."""
    with Keeper() as keeper:
        brokers = Brokers(keeper, folder, "perf")
        try:
            yield keeper, brokers.get(Broker())
        finally:
            brokers.stop()


def seconds_of(command: list[str]) -> float:
    """Wall time of a command that must succeed."""
    begin = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=os.environ)
    return time.perf_counter() - begin
