import pytest

from bench import units
from bench.report import labels


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
    ],
)
def test_metrics_in_words(metric: str, text: str) -> None:
    assert labels.metric_text(metric) == text


def test_lists_and_plurals() -> None:
    assert labels.listed([]) == ""
    assert labels.listed(["a", "b", "c"]) == "a, b and c"
    assert units.plural(1, "trial") == "1 trial"
    assert units.plural(0, "trial") == "0 trials"
