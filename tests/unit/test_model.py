"""The nouns: frozen, and the same after a journey through JSON."""

import dataclasses
import json

import pytest

from bench import jsonable, measured, model


def scenario(url: str | None = None) -> model.Scenario:
    setup = model.Setup(
        broker=model.Broker(url=url),
        fleet=(model.Workers(pool="threads", concurrency=3, nodes=2),),
        workload=(model.TaskCall(task="io.sleep", args=(0.5,), kwargs={"a": [1, {"b": None}]}, weight=2),),
        load=model.Load(shape="constant", rate=2.0, duration=3.0),
    )
    return model.Scenario(
        name="s",
        question="?",
        metric="makespan",
        repeats=2,
        gates=("makespan < 3s",),
        cells=(model.Cell(id="01234567", settings={"workers.pool": "threads"}, setup=setup),),
        source=f"broker: {url}",
    )


def test_a_scenario_survives_json():
    assert jsonable.from_plain(json.loads(json.dumps(jsonable.plain(scenario())))) == scenario()


def test_a_password_does_not():
    kept = json.dumps(jsonable.plain(scenario("redis://me:hunter2@h/0")))
    assert "hunter2" not in kept
    assert kept.count("redis://me:***@h/0") == 2


def test_nouns_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        scenario().name = "t"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("load", "count"),
    [
        (model.Load(tasks=7), 7),
        (model.Load(shape="constant", rate=2.5, duration=2.0), 5),
        (model.Load(shape="constant", rate=0.1, duration=1.0), 1),
    ],
)
def test_a_load_knows_how_many_tasks_it_publishes(load, count):
    assert load.count == count


def test_slots_and_axes():
    assert model.Workers(nodes=2, concurrency=3).slots == 6
    assert scenario().axes == ("workers.pool",)


def test_persistence_makes_another_redis_but_not_another_rabbitmq():
    for kind, other in (("valkey", True), ("redis", True), ("rabbitmq", False)):
        servers = {model.Broker(kind=kind, persistent=kept).server for kept in (None, True)}
        assert (len(servers) == 2) == other


def test_every_metric_has_one_name():
    assert len(set(measured.METRICS)) == len(measured.METRICS)
    assert {"p99(wait)", "throughput", "max(lateness)"} <= set(measured.METRICS)
    assert set(measured.METRICS) >= measured.HIGHER_IS_BETTER
