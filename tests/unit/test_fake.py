"""The fake executor: deterministic, accounts for every task, shows what prefetch does."""

import pytest

from bench import analyse
from bench.model import POOLS, Cell, Load, Setup, TaskCall, Trial, Workers
from bench.run.fake import Fake, execute

LONG_AND_SHORT = (
    TaskCall(task="io.sleep", kwargs={"seconds": 0.01}, weight=19),
    TaskCall(task="io.sleep", kwargs={"seconds": 1.0}, weight=1),
)


def trial(workers: Workers, workload: tuple[TaskCall, ...], load: Load, seed: int = 1) -> Trial:
    cell = Cell(id="c", settings={}, setup=Setup(fleet=(workers,), workload=workload, load=load))
    return Trial(id=f"t{seed}", scenario="s", cell=cell, block=0, position=0, seed=seed)


SLEEP = (TaskCall(task="io.sleep", kwargs={"seconds": 0.05}),)


@pytest.mark.parametrize("pool", POOLS)
def test_recordings_are_whole_and_the_same_each_time(pool: str) -> None:
    workers = Workers(pool=pool, concurrency=1 if pool == "solo" else 3, nodes=2)
    asked = trial(workers, SLEEP, Load(tasks=60))
    first, again = execute(asked), execute(asked)
    assert first.events.equals(again.events) and first.samples.equals(again.samples)
    got = analyse.result(asked, first)
    assert got.counts["completed"] == got.counts["published"] == 60
    assert int(analyse.lanes(analyse.tasks(first.events)).max()) + 1 == workers.slots


def test_sleeps_take_what_they_should() -> None:
    asked = trial(Workers(concurrency=2), SLEEP, Load(tasks=400))
    got = analyse.result(asked, execute(asked)).metrics
    assert got["p50(service)"] == pytest.approx(0.05, rel=0.1)
    assert got["throughput"] == pytest.approx(2 / got["mean(service)"], rel=0.03)
    assert got["memory"] > 2**20 and got["cpu_per_task"] > 0


def test_a_constant_load_keeps_its_rate() -> None:
    asked = trial(Workers(concurrency=2), SLEEP, Load(shape="constant", rate=20.0, duration=10.0))
    got = analyse.result(asked, execute(asked)).metrics
    assert got["throughput"] == pytest.approx(20.0, rel=0.02)
    assert got["max(lateness)"] < 0.001
    assert got["p50(response)"] < 0.07


def test_a_deep_prefetch_starves_short_tasks() -> None:
    def metric(name: str, prefetch: int) -> float:
        workers = Workers(concurrency=1, prefetch=prefetch, nodes=2)
        asked = [trial(workers, LONG_AND_SHORT, Load(tasks=100), seed) for seed in range(12)]
        return sum(analyse.result(t, execute(t)).metrics[name] for t in asked)

    assert metric("mean(prefetch_wait)", 16) > 3 * metric("mean(prefetch_wait)", 1)
    assert metric("makespan", 0) > 1.1 * metric("makespan", 1)


def test_what_can_go_wrong() -> None:
    asked = trial(Workers(), SLEEP, Load(tasks=300))
    counts = analyse.result(asked, Fake(failing=0.2, losing=0.1)(asked)).counts
    assert 30 < counts["failed"] < 90 and 10 < counts["lost"] < 60
    assert counts["completed"] + counts["failed"] + counts["lost"] == 300
    broken = analyse.result(asked, Fake(broken={"c": "a worker died"})(asked))
    assert (broken.outcome, broken.reason, broken.metrics) == ("failed", "a worker died", {})
    assert 0 < broken.counts["completed"] < 300


def test_the_failing_task_fails_as_often_as_it_says() -> None:
    asked = trial(Workers(), (TaskCall(task="fail", kwargs={"chance": 0.3}),), Load(tasks=1000))
    assert analyse.result(asked, execute(asked)).counts["failed"] == pytest.approx(300, abs=45)


def test_a_slow_host_slows_everything() -> None:
    asked = trial(Workers(), SLEEP, Load(tasks=100))
    usual, slow = (analyse.result(asked, Fake(host=lambda _, f=f: f)(asked)).metrics for f in (1.0, 2.0))
    assert slow["makespan"] == pytest.approx(2 * usual["makespan"], rel=0.05)


CALM = Load(shape="constant", rate=50.0, duration=2.0)


def test_phases_follow_each_other() -> None:
    load = Load(shape="phases", phases=(CALM, Load(shape="burst", tasks=60), CALM))
    asked = trial(Workers(concurrency=4), SLEEP, load)
    calm, burst, after = analyse.result(asked, execute(asked)).phases
    assert [calm["name"], burst["name"], after["tasks"]] == ["1 constant 50/s", "2 burst 60", 100]
    assert burst["metrics"]["p50(response)"] > 3 * calm["metrics"]["p50(response)"]


def test_clients_wait_for_their_results() -> None:
    asked = trial(Workers(concurrency=4), SLEEP, Load(shape="closed", clients=8, tasks=200))
    recording = execute(asked)
    tasks = analyse.tasks(recording.events)
    open_calls = [int(((tasks["intended"] <= t) & (tasks["returned"] > t)).sum()) for t in (0.1, 0.5, 1.0)]
    assert open_calls == [8, 8, 8]
    got = analyse.result(asked, recording)
    assert got.counts["completed"] == 200
    assert got.metrics["mean(roundtrip)"] > got.metrics["mean(response)"]


def test_a_search_finds_what_the_slots_can_do() -> None:
    asked = trial(Workers(concurrency=4), SLEEP, Load(shape="saturate", slo="p95(response) < 200ms"))
    first, again = execute(asked), execute(asked)
    assert first.search == again.search and first.events.equals(again.events)
    got = analyse.result(asked, first)
    assert got.search["outcome"] == "found"
    assert got.metrics["capacity"] == pytest.approx(80.0, rel=0.1)
    assert [step["first"] for step in got.search["steps"]][:2] == [0, got.search["steps"][0]["tasks"]]
    assert got.counts["published"] == sum(step["tasks"] for step in got.search["steps"])


def test_a_slow_host_is_seen_by_the_reference_spin() -> None:
    asked = trial(Workers(), SLEEP, Load(tasks=20))
    usual, slow = (Fake(host=lambda _, f=f: f)(asked).host["spin_before"] for f in (1.0, 1.3))
    assert slow == pytest.approx(1.3 * usual)


CHORD = TaskCall(
    canvas="chord",
    parts=(TaskCall(task="io.sleep", args=(0.05,), kwargs={"seconds": 0.05}, times=3), TaskCall(task="noop")),
)
CHAIN = TaskCall(
    canvas="chain",
    parts=(TaskCall(task="noop"), TaskCall(task="fail", kwargs={"chance": 0.5}), TaskCall(task="noop")),
)


@pytest.mark.parametrize("load", [Load(tasks=60), Load(shape="closed", clients=3, tasks=60)])
def test_canvases_end_with_their_parts(load: Load) -> None:
    asked = trial(Workers(concurrency=4), (CHORD, CHAIN), load)
    recording = execute(asked)
    got = analyse.result(asked, recording)
    assert got.counts["published"] == 60 and got.counts["lost"] == 0
    assert 5 <= got.counts["failed"] <= 25, "half of the chains"
    assert got.metrics["max(overhead)"] > 0
    bodies = [part for part in got.parts if "body" in part["name"]]
    assert [part["tasks"] for part in bodies] == [30]


def test_a_search_of_canvases() -> None:
    load = Load(shape="saturate", slo="p95(response) < 500ms")
    asked = trial(Workers(concurrency=4), (CHORD,), load)
    assert analyse.result(asked, execute(asked)).metrics["capacity"] == pytest.approx(4 / 0.15, rel=0.2)
