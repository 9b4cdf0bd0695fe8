"""Real trials for tests: ``bench.measure(...)`` runs one and checks its accounts, whatever the test asks."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bench import analyse
from bench.model import Broker, Cell, Limits, Load, Setup, TaskCall, Trial, TrialResult, Workers
from bench.run import session
from bench.run import trial as trials
from bench.run.broker import Brokers
from bench.run.keeper import Keeper


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
