"""Runs to report on: simulated ones on disk, and ones whose numbers are given."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from bench import analyse, jsonable, measured, model, plan, store
from bench.report.view import ScenarioView, collect
from bench.run.fake import Fake

WORK = {
    "cpu": (model.TaskCall(task="cpu.spin", kwargs={"ms": 8}),),
    "io": (model.TaskCall(task="io.sleep", kwargs={"seconds": 0.02}),),
    "long": (model.TaskCall(task="io.sleep", kwargs={"seconds": 0.5}),),
    "mixed": (
        model.TaskCall(task="io.sleep", kwargs={"seconds": 0.01}, weight=9),
        model.TaskCall(task="io.sleep", kwargs={"seconds": 0.5}),
    ),
}
HOST = {
    "cpu": "A CPU",
    "cores": 2,
    "quota_cores": None,
    "memory": 8 * 2**30,
    "kernel": "6.1",
    "python": "3.11",
}


def scenario(
    *,
    name: str = "pools",
    question: str = "Which pool?",
    work: Sequence[str] = ("cpu", "io"),
    pools: Sequence[str] = ("prefork", "threads"),
    prefetch: Sequence[int] = (1, 16),
    repeats: int = 3,
    metric: str = "throughput",
    gates: Sequence[str] = (),
    load: model.Load | None = None,
    nodes: int = 1,
) -> model.Scenario:
    """Every workload × pool × prefetch; an axis of one value is none."""
    cells = []
    for w, pool, depth in product(work, pools, prefetch):
        axes = {"workload": (work, w), "workers.pool": (pools, pool), "workers.prefetch": (prefetch, depth)}
        setup = model.Setup(
            fleet=(
                model.Workers(pool=pool, concurrency=1 if pool == "solo" else 2, prefetch=depth, nodes=nodes),
            ),
            workload=WORK[w],
            load=load or model.Load(shape="flood", tasks=60),
        )
        settings = {axis: value for axis, (values, value) in axes.items() if len(values) > 1}
        cells.append(model.Cell(id=f"{w}-{pool}-{depth}", settings=settings, setup=setup))
    return model.Scenario(
        name=name,
        question=question,
        metric=metric,
        repeats=repeats,
        gates=tuple(gates),
        cells=tuple(cells),
        source=f"question: {question}\n",
    )


def on_disk(
    root: Path,
    *scenarios: model.Scenario,
    name: str = "run",
    fake: Fake | None = None,
    stop: int | None = None,
) -> store.Run:
    """The scenarios' trials simulated and stored; only the first ``stop`` of them if given."""
    meta: dict[str, Any] = {
        "created": "2026-11-20T21:15:00+00:00",
        "seed": 7,
        "quick": False,
        "command": "celery-bench run pools",
        "scenarios": [jsonable.plain(s) for s in scenarios],
        "host": HOST,
        "versions": {"celery": "5.7.0"},
        "calibration": {"spins_per_ms": 50000.0},
    }
    run = store.create(root, name, meta)
    for trial in plan.trials(scenarios, 7)[:stop]:
        recording = (fake or Fake())(trial)
        run.append(analyse.result(trial, recording), recording)
    return run


@dataclass
class GivenRun:
    """What a report reads of a run. ``given``: metrics of each cell, one mapping a block (None: failed)."""

    scenario: model.Scenario
    given: Mapping[str, Sequence[Mapping[str, float] | None]]
    quick: bool = False
    name: str = "given"
    meta: Mapping[str, Any] = field(default_factory=lambda: {"host": HOST, "created": "2026-11-20T21:15:00"})

    @property
    def scenarios(self) -> tuple[model.Scenario, ...]:
        return (self.scenario,)

    def results(self) -> list[measured.TrialResult]:
        out = []
        for cell in self.scenario.cells:
            for block, metrics in enumerate(self.given.get(cell.id, ()), start=1):
                out.append(
                    measured.TrialResult(
                        trial=f"{cell.id}-{block}",
                        scenario=self.scenario.name,
                        cell=cell.id,
                        block=block,
                        position=len(out) + 1,
                        seed=1,
                        started_at="2026-11-20T21:15:00",
                        outcome="failed" if metrics is None else "ok",
                        reason="worker died" if metrics is None else "",
                        settings=cell.settings,
                        metrics=metrics or {},
                        counts={"published": 60, "completed": 60, "failed": 0, "lost": 0},
                        steady={"verdict": "steady"},
                        timings={"load": 1.0},
                    )
                )
        return out


@pytest.fixture
def make_scenario() -> Callable[..., model.Scenario]:
    return scenario


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., store.Run]:
    return lambda *scenarios, **options: on_disk(tmp_path / "results", *scenarios, **options)


@pytest.fixture
def given() -> Callable[..., ScenarioView]:
    """A view of one scenario, of which each cell's trials have the given throughput (None: failed)."""

    def view(
        scenario: model.Scenario, throughput: Mapping[str, Sequence[float | None]], **more: Any
    ) -> ScenarioView:
        trials = {
            cell: [None if t is None else {scenario.metric: t, **more.get(cell, {})} for t in values]
            for cell, values in throughput.items()
        }
        return collect(GivenRun(scenario, trials))[0]  # type: ignore[arg-type]

    return view


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> store.Run:
    """Two workloads × two pools × two prefetch values, three trials each, one cell broken."""
    root = tmp_path_factory.mktemp("sample")
    asked = scenario(question="Which <pool> & why?", gates=["makespan < 1h", "throughput > 150/s"])
    broken = Fake(broken={"io-threads-16": "worker <b>died</b> with exit code -9"})
    return on_disk(root, asked, name="sample", fake=broken)


CALM = model.Load(shape="constant", rate=60.0, duration=4.0)
CHAIN = model.Load(shape="phases", phases=(CALM, model.Load(shape="burst", tasks=250), CALM))


def _drifting(trial: model.Trial) -> float:
    """A host that gets slower and faster again."""
    return 1 + 0.1 * math.sin(trial.position)


@pytest.fixture(scope="session")
def chained(tmp_path_factory: pytest.TempPathFactory) -> store.Run:
    """Calm, a burst, calm again: two pools × two prefetch values, two trials each, on a drifting host."""
    root = tmp_path_factory.mktemp("chained")
    asked = scenario(name="chain", work=["io"], load=CHAIN, metric="p50(response)", repeats=3)
    return on_disk(root, asked, name="chain", fake=Fake(host=_drifting))


@pytest.fixture(scope="session")
def searched(tmp_path_factory: pytest.TempPathFactory) -> store.Run:
    """The highest rate of two pools for sleeps of 20 ms, and for sleeps of 500 ms, too long for any."""
    root = tmp_path_factory.mktemp("searched")
    load = model.Load(shape="saturate", slo="p95(response) < 100ms", duration=1.0)
    pools = ("threads", "solo")
    asked = scenario(
        name="most", work=["io", "long"], pools=pools, prefetch=[1], load=load, metric="capacity", repeats=2
    )
    return on_disk(root, asked, name="most")
