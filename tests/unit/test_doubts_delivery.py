"""Doubts about the way of a task to its worker: raised where they should be, and silent elsewhere."""

from dataclasses import replace
from typing import Any

import pytest

from bench.analyse import result, summarise
from bench.doubts import with_doubts
from bench.measured import Doubt
from bench.model import Broker, Cell, Delivery, Load, Scenario, Setup, TaskCall, Trial, Workers
from bench.run.fake import Fake

SLEEP = TaskCall(task="io.sleep", kwargs={"seconds": 0.02})
MIXED = (replace(SLEEP, priority=0), replace(SLEEP, priority=9))
LATER = (replace(SLEEP, countdown=0.5),)
QUORUM = Broker(kind="rabbitmq", queue="quorum")
LATE = Delivery(acks="late")


def doubts(
    settings: dict[str, Any] | None = None,
    seen: dict[str, float] | None = None,
    effective: tuple[dict[str, Any], ...] = (),
    **setup: Any,
) -> dict[str, Doubt]:
    """What is doubted of five trials of this setup, in which these metrics were ``seen``."""
    whole = Setup(**{"workload": (SLEEP,), "load": Load(tasks=200), **setup})
    cell = Cell(id="c", settings=settings or {}, setup=whole)
    asked = Scenario(name="s", question="?", metric="throughput", repeats=5, cells=(cell,))
    planned = [Trial(id=f"t{i}", scenario="s", cell=cell, block=i, position=i, seed=i) for i in range(5)]
    results = [result(trial, Fake(noise=0.01)(trial)) for trial in planned]
    results = [replace(r, metrics={**r.metrics, **(seen or {})}, effective=effective) for r in results]
    (found,) = with_doubts(asked, summarise(asked, results), results)
    return {doubt.kind: doubt for doubt in found.doubts}


SHORT = Delivery(visibility_timeout=1.0)
LONG_TASK = {"max(service)": 1.5, "max(prefetch_wait)": 0.2}
LONG_WAIT = {"max(service)": 0.2, "max(prefetch_wait)": 1.5}
OWN_LATE = ({"acks_late": {"a": False, "b": True}},)


@pytest.mark.parametrize(
    ("raised", "more"),
    [
        (True, {"delivery": replace(SHORT, acks="late"), "seen": LONG_TASK}),
        (True, {"delivery": SHORT, "seen": LONG_TASK, "effective": OWN_LATE}),
        (True, {"delivery": SHORT, "seen": LONG_WAIT}),
        (True, {"broker": Broker(options={"visibility_timeout": 1}), "seen": LONG_WAIT}),
        (True, {"delivery": LATE, "seen": {"max(service)": 4000.0}}),
        (False, {"delivery": LATE, "seen": LONG_TASK}),
        (False, {"delivery": replace(SHORT, acks="early"), "seen": LONG_TASK, "effective": OWN_LATE}),
        (False, {"broker": Broker(kind="rabbitmq"), "delivery": LATE, "seen": {"max(service)": 4000.0}}),
    ],
)
def test_visibility_timeout(raised: bool, more: dict[str, Any]) -> None:
    found = doubts(**more)
    assert ("visibility-timeout" in found) == raised


def test_visibility_timeout_says_how_long() -> None:
    text = doubts(delivery=replace(SHORT, acks="late"), seen=LONG_TASK)["visibility-timeout"].text
    assert text == (
        "A message was unacknowledged for 1.5 s, longer than the visibility timeout of 1 s: "
        "it is delivered again."
    )


@pytest.mark.parametrize(("pool", "pause"), [("threads", "1 s"), ("gevent", "2 s"), ("eventlet", "2 s")])
def test_disable_prefetch(pool: str, pause: str) -> None:
    workers = Workers(pool=pool, disable_prefetch=True)
    assert f"only every {pause}" in doubts(fleet=(Workers(), workers))["disable-prefetch"].text
    assert "disable-prefetch" not in doubts(fleet=(replace(workers, pool="prefork"), Workers(pool=pool)))


@pytest.mark.parametrize(
    ("reserved", "group", "delivery"),
    [
        ("8 tasks", Workers(), Delivery()),
        ("6 tasks", Workers(), LATE),
        ("2 tasks", Workers(prefetch=1), Delivery()),
        ("all tasks", Workers(prefetch=0), LATE),
        ("", Workers(prefetch=1), LATE),
        ("", Workers(disable_prefetch=True), Delivery()),
    ],
)
def test_priorities_do_not_count_among_prefetched_tasks(
    reserved: str, group: Workers, delivery: Delivery
) -> None:
    found = doubts(workload=MIXED, fleet=(group,), delivery=delivery)
    assert ("priority-prefetch" in found) == bool(reserved)
    if reserved:
        assert f"reserves {reserved} beyond its slots" in found["priority-prefetch"].text
    assert "priority-prefetch" not in doubts(fleet=(group,), delivery=delivery)


def test_countdown() -> None:
    assert "a worker takes all" in doubts(workload=LATER)["countdown"].text
    assert "use up the prefetch count" in doubts(workload=LATER, broker=QUORUM)["countdown"].text
    assert "countdown" not in doubts(workload=LATER, delivery=Delivery(eta_task_limit=5))
    assert "countdown" not in doubts(broker=QUORUM)


def test_events_unless_they_are_the_question() -> None:
    fleet = (Workers(), Workers(events=True, gossip=True))
    assert doubts(fleet=fleet)["events"].text.startswith("The workers run with events and gossip:")
    told = doubts({"workers.1.events": True}, fleet=fleet)["events"].text
    assert told.startswith("The workers run with gossip:")
    assert "events" not in doubts({"workers": "watched"}, fleet=fleet)
    assert "events" not in doubts()


def test_a_rate_limit_of_the_apps_own_is_told_and_one_that_is_asked_for_is_not() -> None:
    limited = ({"rate_limits": {"io.sleep": "200/s"}},)
    assert "io.sleep (200/s)" in doubts(effective=limited)["rate-limit"].text
    asked = (replace(SLEEP, rate_limit="200/s"),)
    assert "rate-limit" not in doubts(effective=limited, workload=asked)
