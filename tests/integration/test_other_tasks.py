"""What the user's tasks call is waited for and counted apart; why tasks failed is told."""

import time

import pytest

from bench import analyse, doubts
from bench.model import Cell, Limits, Load, Messages, Scenario, Setup, TaskCall, Workers

pytestmark = pytest.mark.real

FAMILY = """\
import time
from celery import Celery

app = Celery('family')

@app.task
def parent(children, seconds):
    for _ in range(children):
        child.delay(seconds)

@app.task
def child(seconds):
    time.sleep(seconds)

@app.task
def later():
    child.apply_async((0,), countdown=3600)

@app.task
def unlucky(what):
    if what == 'set':
        return {1}
    raise KeyError(what)
"""


@pytest.fixture
def family(tmp_path, monkeypatch):
    (tmp_path / "family.py").write_text(FAMILY)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("family")
@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_the_tasks_that_tasks_call_are_waited_for(bench, pool):
    """6 × 20 children of 20 ms on two slots are 1.2 s that the parents know nothing of."""
    parent = TaskCall(task="family.parent", args=(20, 0.02))
    result, _ = bench.measure(parent, app="family", pool=pool, concurrency=2, flood=6)
    assert result.ok, result.reason
    assert result.counts["completed"] == 6
    assert (result.others["ended"], result.others["left"]) == (120, 0)
    assert result.others["seconds"] == pytest.approx(120 * 0.02, rel=0.25)
    assert result.metrics["makespan"] >= 1.2
    assert result.metrics["throughput"] == pytest.approx(6 / result.metrics["makespan"])
    assert 0.4 < result.metrics["utilisation"] <= 1.0


@pytest.mark.usefixtures("family")
def test_what_is_left_is_told_and_not_waited_for_in_vain(bench):
    began = time.monotonic()
    later = TaskCall(task="family.later")
    result, _ = bench.measure(
        later, app="family", concurrency=2, flood=3, warmup_per_slot=0, limits=Limits(stall=2.0)
    )
    assert result.ok, result.reason
    assert (result.others["ended"], result.others["left"]) == (0, 3)
    assert time.monotonic() - began < 15


@pytest.mark.usefixtures("family")
def test_why_tasks_failed_is_told_once_for_each_kind(bench):
    calls = [TaskCall(task="family.unlucky", args=(what,)) for what in ("set", "luck")]
    result, _ = bench.measure(*calls, app="family", flood=20, messages=Messages(results="broker"))
    assert result.counts["failed"] == 20
    errors = {error["error"].partition(":")[0]: error for error in result.errors}
    assert set(errors) == {"EncodeError", "KeyError"}
    assert errors["KeyError"]["where"].endswith("family.py:23")
    assert "raise KeyError(what)" in errors["KeyError"]["traceback"]
    setup = Setup(app="family", workload=tuple(calls), load=Load(tasks=20))
    cell = Cell(id=result.cell, settings=result.settings, setup=setup)
    asked = Scenario(name=result.scenario, question="?", metric="throughput", repeats=1, cells=(cell,))
    summaries = analyse.summarise(asked, [result])
    (summary,) = doubts.with_doubts(asked, summaries, [result], cores=2, quick=False)
    (text,) = [doubt.text for doubt in summary.doubts if doubt.kind == "failed-tasks"]
    assert "KeyError: 'luck' (family.py:23)" in text


def test_a_task_that_a_hard_limit_ends_has_ended_once(bench):
    long = TaskCall(task="io.sleep", kwargs={"seconds": 3.0})
    for pool in ("prefork", "gevent"):
        fleet = (Workers(pool=pool, time_limit=0.5),)
        result, _ = bench.measure(long, fleet=fleet, flood=4, warmup_per_slot=0)
        assert (result.counts["failed"], result.counts["duplicated"]) == (4, 0), pool
        assert any("TimeLimitExceeded" in error["error"] for error in result.errors)
