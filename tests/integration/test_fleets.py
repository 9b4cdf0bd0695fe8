"""Groups of workers with queues of their own: who consumes what is seen in the events of each node."""

import pytest

from bench import analyse
from bench.model import Load, Messages, TaskCall, Workers

pytestmark = pytest.mark.real

SLEEP = TaskCall(task="io.sleep", kwargs={"seconds": 0.02})
SPIN = TaskCall(task="cpu.spin", kwargs={"ms": 2})
NOOP = TaskCall(task="noop")


def who_ran(recording):
    """Node → the entries of the workload that it ran."""
    table = analyse.tasks(recording.events)
    return {int(node): set(own["task"].tolist()) for node, own in table.groupby("node")}


@pytest.mark.parametrize("kind", ["valkey", "rabbitmq"])
def test_routes_keep_queues_apart(bench, needs, kind):
    """Two groups of different pools; the third entry has no route and goes to ``celery``."""
    fleet = (
        Workers(name="computing", pool="prefork", concurrency=1, queues=("cpu",)),
        Workers(name="waiting", pool="gevent", concurrency=10, nodes=2, queues=("io", "celery")),
    )
    result, recording = bench.measure(
        SPIN, SLEEP, NOOP, fleet=fleet, routes={"cpu.*": "cpu", "io.sleep": "io"}, flood=90,
        broker=needs(kind),
    )  # fmt: skip
    assert result.ok, result.reason
    assert result.mismatches == ()
    ran = who_ran(recording)
    assert ran.pop(0) == {0}
    assert set().union(*ran.values()) == {1, 2}
    assert [node["pool"] for node in result.effective] == ["prefork", "gevent", "gevent"]
    assert len({str(node["queues"]) for node in result.effective}) == 3, "each has a warm-up queue of its own"


def test_a_group_without_queues_takes_from_all(bench):
    fleet = (
        Workers(pool="threads", concurrency=2, queues=("io",)),
        Workers(pool="threads", concurrency=2),
    )
    result, recording = bench.measure(SLEEP, NOOP, fleet=fleet, routes={"io.*": "io"}, flood=80)
    assert result.ok, result.reason
    assert who_ran(recording)[0] == {0}
    assert who_ran(recording)[1] == {0, 1}


def test_each_group_has_its_own_prefetch_and_recycling(bench):
    fleet = (
        Workers(concurrency=1, prefetch=1, queues=("cpu",), max_tasks_per_child=3),
        Workers(concurrency=3, prefetch=5, queues=("io",)),
    )
    result, recording = bench.measure(
        SPIN, SLEEP, fleet=fleet, routes={"cpu.spin": "cpu", "io.*": "io"}, flood=24
    )
    assert result.ok, result.reason
    assert result.mismatches == ()
    assert [node["prefetch_count"] for node in result.effective] == [1, 15]
    tasks = analyse.tasks(recording.events)
    assert tasks[tasks["node"] == 0].groupby("pid").size().max() <= 3
    assert tasks[tasks["node"] == 1]["pid"].nunique() <= 3


def test_paced_and_closed_loads_are_routed_too(bench):
    fleet = (
        Workers(pool="threads", concurrency=2, queues=("io",)),
        Workers(pool="threads", concurrency=2, queues=("celery",)),
    )
    closed = Load(shape="closed", tasks=20, clients=4)
    paced = Load(shape="constant", rate=40.0, duration=0.5)
    for load in (closed, paced):
        result, recording = bench.measure(SLEEP, NOOP, fleet=fleet, routes={"io.*": "io"}, load=load)
        assert result.ok, result.reason
        assert who_ran(recording) == {0: {0}, 1: {1}}


def test_any_other_setting_is_in_the_worker(bench):
    """``task_track_started`` makes a worker store a state more, with who runs the task."""

    def look():
        with bench.client() as client:
            return [client.get(key) for key in client.keys("celery-task-meta-*")]

    seen = bench.look(look, after=0)
    slow = TaskCall(task="io.sleep", kwargs={"seconds": 0.3})
    result, _ = bench.measure(slow, flood=12, on_tick=seen, messages=Messages(results="broker"),
                              settings={"task_track_started": True})  # fmt: skip
    assert result.ok, result.reason
    assert result.effective[0]["settings"]["task_track_started"] is True
