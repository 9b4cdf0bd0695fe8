"""What a search may be after, and what a trial is worth by it."""

import math
from typing import Any

import pytest

from bench.errors import UsageError
from bench.measured import TrialResult
from bench.model import Cell, Load, Scenario, Setup, TaskCall
from bench.search import goal

GIB = 2**30


def scenario(shape: str = "closed", price: dict[str, float] | None = None) -> Scenario:
    load = Load(shape=shape, tasks=1000, clients=2 if shape == "closed" else None)
    cell = Cell(id="a", settings={}, setup=Setup(workload=(TaskCall(task="noop"),), load=load))
    return Scenario(name="s", question="?", metric="throughput", repeats=1, cells=(cell,), price=price or {})


def result(**metrics: float) -> TrialResult:
    return TrialResult(
        trial="t", scenario="s", cell="a", block=1, position=1, seed=1, started_at="", outcome="ok",
        metrics=metrics,
    )  # fmt: skip


def test_the_scenarios_own_metric_is_the_default() -> None:
    found = goal.of(scenario(), None, None, ["memory < 1GiB", "p99(response)<250ms"])
    assert (found.metric, found.maximize) == ("throughput", True)
    assert found.text == "highest throughput with memory < 1GiB and p99(response)<250ms"


def test_more_is_always_a_higher_score() -> None:
    up = goal.of(scenario(), "throughput", None, [])
    down = goal.of(scenario(), None, "memory", [])
    assert up.score(result(throughput=20.0)) > up.score(result(throughput=10.0))
    assert down.score(result(memory=10.0)) > down.score(result(memory=20.0))
    assert up.score(result(throughput=0.0)) == -math.inf
    assert up.score(result(memory=1.0)) == -math.inf


def test_cost_is_the_cpu_used_and_the_memory_held_for_a_million_tasks() -> None:
    """3.6 ms of CPU a task are an hour in a million; 2 GiB at 1 000/s for a million are 1 000 s."""
    asked = scenario(price={"core_hour": 0.04, "gib_hour": 0.009})
    found = goal.of(asked, None, "cost", [])
    trial = result(cpu_per_task=3.6e-3, memory=2.0 * GIB, throughput=1000.0)
    assert found.number(trial) == pytest.approx(0.04 + 0.009 * 2 * 1000 / 3600)
    assert found.number(result(cpu_per_task=1.0, memory=1.0)) is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"maximize": "makespan"}, "better low"),
        ({"minimize": "throughput"}, "better high"),
        ({"maximize": "throughput", "minimize": "memory"}, "One number"),
        ({"maximize": "thruput"}, "no metric 'thruput'"),
        ({"minimize": "failed"}, "is a count"),
        ({"minimize": "cost"}, "needs a price"),
        ({"conditions": ["p99(respons) < 1s"]}, "there is no metric"),
        ({"conditions": ["throughput[gevent] > 5/s"]}, "names cells"),
        ({"conditions": ["memory < 1GiB", "memory > 2GiB"]}, "No memory keeps both memory > 2GiB and"),
    ],
)
def test_what_makes_no_sense_is_refused(words: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        goal.of(scenario(), words.get("maximize"), words.get("minimize"), words.get("conditions", []))


def test_a_latency_in_a_flood_is_refused_and_a_service_time_is_not() -> None:
    with pytest.raises(UsageError, match="place in the queue"):
        goal.of(scenario("flood"), None, None, ["p99(response) < 250ms"])
    goal.of(scenario("flood"), None, "p95(service)", [])
