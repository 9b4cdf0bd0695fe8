"""Real trials for tests: ``bench.measure(...)`` runs one and checks its accounts, whatever the test asks."""

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis

from bench import analyse
from bench.measured import TrialResult
from bench.model import Broker, Cell, Limits, Load, Setup, TaskCall, Trial, Workers
from bench.run import eventlog, session
from bench.run import trial as trials
from bench.run.broker import Brokers
from bench.run.keeper import Keeper


class Look:
    """Looks once into a running trial, when ``after`` tasks of its load have ended; keeps what it ``saw``.

    On a busy machine it may come a second late: what it is to see waiting should wait for two.
    """

    def __init__(self, look: Callable[[], Any], after: int = 1) -> None:
        self._look, self._after = look, after
        self.saw: Any = None

    def __call__(self, phase: str, completed: int) -> None:
        if phase == "load" and completed >= self._after and self.saw is None:
            self.saw = self._look()


@dataclass
class Bench:
    """A session's surroundings, lent to one test after another."""

    keeper: Keeper
    folder: Path
    brokers: Brokers
    services: session.Services
    spins_per_ms: float
    count: int = 0

    def calibrate(self) -> None:
        """Again, as each run does: this machine's speed changes by the minute."""
        self.spins_per_ms = session.calibrate()

    def measure(
        self,
        *tasks: TaskCall | str,
        pool: str = "prefork",
        concurrency: int = 2,
        prefetch: int = 4,
        nodes: int = 1,
        flood: int | None = None,
        rate: float | None = None,
        duration: float | None = None,
        load: Load | None = None,
        seed: int = 7,
        limits: Limits | None = None,
        broker: Broker | None = None,
        on_tick: Callable[[str, int], None] | None = None,
        folder: Path | None = None,
        fleet: tuple[Workers, ...] = (),
        **more: Any,
    ) -> tuple[TrialResult, analyse.Recording]:
        shape = "flood" if flood is not None else "constant"
        setup = Setup(
            broker=broker or Broker(),
            fleet=fleet or (Workers(pool=pool, concurrency=concurrency, prefetch=prefetch, nodes=nodes),),
            workload=tuple(TaskCall(task=t) if isinstance(t, str) else t for t in tasks),
            load=load or Load(shape=shape, tasks=flood, rate=rate, duration=duration),
            limits=limits or Limits(),
            **more,
        )
        self.count += 1
        cell = Cell(id="cell", settings={"workers.pool": pool}, setup=setup)
        trial = Trial(
            id=f"t{self.count}", scenario="test", cell=cell, block=1, position=self.count, seed=seed
        )

        def tick(phase: str, completed: int, *_: Any) -> None:
            if on_tick:
                on_tick(phase, completed)

        around = trials.Surroundings(
            brokers=self.brokers,
            keeper=self.keeper,
            folder=folder or self.folder,
            env={"CELERY_BENCH_SPINS_PER_MS": repr(self.spins_per_ms)} | self.services.needed_by(trial),
            service_pids=self.services.pids(),
            tick=tick,
        )
        recording = trials.execute(trial, around)
        result = analyse.result(trial, recording)
        counts = result.counts
        assert counts["completed"] + counts["failed"] + counts["lost"] == counts["published"], counts
        if result.ok:
            assert counts["published"] == setup.load.count or setup.load.shape == "saturate"
            assert counts["lost"] == 0
        return result, recording

    look = Look

    def nodes(self) -> list[psutil.Process]:
        """The workers of the trial that runs now, by their numbers."""
        ready = sorted(self.folder.glob("t*/ready-*.json"), key=lambda path: int(path.stem.split("-")[1]))
        found = []
        for path in ready:
            with contextlib.suppress(psutil.NoSuchProcess):
                found.append(psutil.Process(json.loads(path.read_text())["pid"]))
        return found

    def children(self) -> list[psutil.Process]:
        """The pool of the first node."""
        found = self.nodes()[0].children()
        return [p for p in found if "semaphore_tracker" not in " ".join(p.cmdline())]

    def kill_child(self) -> Callable[[str, int], None]:
        """For ``on_tick``: kill a pool child once, while it executes a task; between two it costs none."""
        killed: list[int] = []

        def kill(phase: str, completed: int) -> None:
            if phase == "load" and completed and not killed:
                killed.extend(self.executing()[-1:])
                for pid in killed:
                    os.kill(pid, signal.SIGKILL)

        return kill

    def executing(self) -> list[int]:
        """Processes that execute a task right now, the one that began last at the end."""
        logs = [eventlog.read(path) for path in self.folder.glob("t*/events-*.bin")]
        last = [
            (int(records[-1]["t_ns"]), pid, records[-1]["kind"]) for records, _, pid in logs if len(records)
        ]
        return [pid for _, pid, kind in sorted(last) if kind == eventlog.STARTED]

    @contextlib.contextmanager
    def client(self, broker: Broker | None = None) -> Iterator[Any]:
        """A client of a broker that a trial uses just now (``brokers.get`` would empty it)."""
        running = self.brokers._running[(broker or Broker()).server]
        with redis.Redis.from_url(running.url) as client:
            yield client

    def waiting(self, broker: Broker | None = None) -> dict[str, list[dict[str, Any]]]:
        """The messages that wait on a Redis or Valkey: list → messages, the next one last."""
        with self.client(broker) as client:
            lists = [key for key in client.scan_iter("*bench.*", _type="LIST") if b".warm" not in key]
            return {k.decode(): [json.loads(raw) for raw in client.lrange(k, 0, -1)] for k in lists}


def held(recording: analyse.Recording) -> int:
    """The most tasks that a node had at a time, received and not ended."""
    table = analyse.tasks(recording.events)
    most = 0
    for _, own in table.groupby("node"):
        more = [(t, 1) for t in own["received"].dropna()] + [(t, -1) for t in own["ended"].dropna()]
        now = 0
        for _, change in sorted(more):
            now += change
            most = max(most, now)
    return most


@pytest.fixture(name="held", scope="session")
def _held() -> Callable[[analyse.Recording], int]:
    return held


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("session")
    with Keeper() as keeper:
        brokers = Brokers(keeper, folder, "test")
        services = session.Services(keeper, folder)
        try:
            yield Bench(keeper, folder, brokers, services, session.calibrate())
        finally:
            brokers.stop()
            services.stop()


def fresh(check: Callable[[], None], attempts: int = 3) -> None:
    """A measurement on a noisy machine may be repeated with fresh trials, at most three times."""
    for attempt in range(attempts):
        try:
            check()
        except AssertionError:
            if attempt == attempts - 1:
                raise
            time.sleep(1)
        else:
            return


@pytest.fixture(name="fresh", scope="session")
def _fresh() -> Callable[[Callable[[], None]], None]:
    return fresh


def sleep(seconds: float, weight: float = 1.0) -> TaskCall:
    return TaskCall(task="io.sleep", kwargs={"seconds": seconds}, weight=weight)


@pytest.fixture(name="sleep", scope="session")
def _sleep() -> Callable[..., TaskCall]:
    return sleep
