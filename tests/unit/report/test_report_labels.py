import pytest

from bench import units
from bench.model import Load
from bench.report import labels
from bench.report.loads import load_text


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"workers.pool": "prefork", "workers.prefetch": 4}, "prefork · prefetch 4"),
        ({"workers.prefetch": 0, "workers.pool": "gevent"}, "gevent · prefetch unlimited"),
        ({"workers.pool": "gevent", "workers.concurrency": 20}, "gevent -c 20"),
        ({"workers.concurrency": 20, "workers.nodes": 1}, "concurrency 20 · 1 node"),
        ({"workers.nodes": 2, "load.rate": 150.0}, "2 nodes · rate 150"),
        ({"workload": "cpu", "workload.0.kwargs.late": True}, "cpu · late yes"),
        ({}, "the only cell"),
    ],
)
def test_settings_are_said_as_one_would(settings: dict[str, object], text: str) -> None:
    assert labels.settings_text(settings) == text  # type: ignore[arg-type]


def test_axis_names_grow_until_they_differ() -> None:
    axes = ("workload.0.kwargs.seconds", "workload.1.kwargs.seconds", "workers.pool")
    names = labels.axis_names(axes)
    assert names["workers.pool"] == "pool"
    assert len(set(names.values())) == 3


def test_varying_axes_are_those_that_differ() -> None:
    rows = [{"a": 1, "b": 1, "c": 1}, {"a": 1, "b": 2}]
    assert labels.varying(rows) == ("b", "c")


def test_one_and_true_differ() -> None:
    assert labels.varying([{"a": 1}, {"a": True}]) == ("a",)


def test_circumstance_and_choice() -> None:
    circumstance, choice = labels.split_settings(
        {"workload.task": "x", "workers.pool": "solo", "load.rate": 1}
    )
    assert list(circumstance) == ["workload.task", "load.rate"]
    assert list(choice) == ["workers.pool"]


@pytest.mark.parametrize(
    ("metric", "text"),
    [
        ("throughput", "throughput"),
        ("p50(service)", "median service"),
        ("mean(prefetch_wait)", "mean prefetch wait"),
        ("max(wait)", "longest wait"),
        ("cpu_per_task", "CPU per task"),
        ("lost", "lost"),
        ("p95(roundtrip)", "p95 round trip"),
        ("capacity", "capacity"),
    ],
)
def test_metrics_in_words(metric: str, text: str) -> None:
    assert labels.metric_text(metric) == text


def test_lists_and_plurals() -> None:
    assert labels.listed([]) == ""
    assert labels.listed(["a", "b", "c"]) == "a, b and c"
    assert units.plural(1, "trial") == "1 trial"
    assert units.plural(0, "trial") == "0 trials"
    assert labels.first_of(["a", "b", "c"], 2) == ["a", "b", "1 more"]


CALM = Load(shape="constant", rate=50.0, duration=20.0)


@pytest.mark.parametrize(
    ("load", "text"),
    [
        (CALM, "50/s for 20 s"),
        (Load(shape="poisson", rate=50.0, duration=20.0), "poisson 50/s for 20 s"),
        (Load(shape="flood", tasks=1), "a flood of 1 task"),
        (Load(shape="steps", rates=(10.0, 20.0), duration=20.0), "steps of 10, 20/s, 10 s each"),
        (Load(shape="ramp", rates=(10.0, 100.0), duration=30.0), "10 → 100/s over 30 s"),
        (
            Load(shape="sine", rate=50.0, amplitude=30.0, period=10.0, duration=60.0),
            "50 ± 30/s, a wave each 10 s, for 60 s",
        ),
        (Load(shape="burst", tasks=500), "a burst of 500 tasks"),
        (Load(shape="burst", tasks=500, every=10.0, duration=60.0), "bursts of 500 every 10 s for 60 s"),
        (Load(shape="replay", file="/a/trace.csv", tasks=12_000), "replay of trace.csv (12 000 tasks)"),
        (
            Load(shape="replay", file="trace.csv", tasks=10, speed=2.0),
            "replay of trace.csv (10 tasks, 2 × as fast)",
        ),
        (Load(shape="closed", clients=10, tasks=500), "10 clients, 500 tasks"),
        (
            Load(shape="saturate", slo="p95(response) < 500ms"),
            "the highest rate with p95(response) < 500ms",
        ),
        (
            Load(shape="phases", phases=(CALM, Load(shape="burst", tasks=500))),
            "50/s for 20 s, then a burst of 500 tasks",
        ),
    ],
)
def test_loads_in_words(load: Load, text: str) -> None:
    assert load_text(load) == text
