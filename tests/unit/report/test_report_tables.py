import csv
import io
from typing import Any

import pytest

from bench import measured, store
from bench.report import tables
from bench.report.view import collect


@pytest.mark.parametrize(
    ("metric", "lower", "upper", "text"),
    [
        ("throughput", 240.0, 254.0, "240–254/s"),
        ("throughput", 34.9, 38.0, "34.9–38/s"),
        ("throughput", 1425.0, 1434.0, "1 425–1 434/s"),
        ("makespan", 0.9, 1.2, "900 ms–1.2 s"),
        ("p95(service)", 0.0101, 0.012, "10.1–12 ms"),
        ("memory", 1e8, 1.1e8, "95.4–105 MiB"),
        ("utilisation", 0.5, 0.6, "50–60 %"),
        ("failed", 0.0, 0.6, "0–0.6"),
    ],
)
def test_an_interval_names_its_unit_once(metric: str, lower: float, upper: float, text: str) -> None:
    assert tables.interval(metric, lower, upper) == text


def test_one_trial_has_no_interval() -> None:
    assert str(tables.number("throughput", measured.Estimate(point=247.0))) == "247/s"


def test_the_scenarios_metric_comes_first_and_what_nobody_has_is_left_out(
    make_scenario: Any, given: Any
) -> None:
    view = given(make_scenario(metric="makespan"), {"cpu-prefork-1": [1.0]})
    assert tables.main_metrics(view) == ("makespan",)


def test_failed_tasks_get_a_column_only_where_there_are_some(make_scenario: Any, given: Any) -> None:
    asked = make_scenario()
    good = given(asked, {"cpu-prefork-1": [1.0]}, **{"cpu-prefork-1": {"failed": 0.0}})
    bad = given(asked, {"cpu-prefork-1": [1.0]}, **{"cpu-prefork-1": {"failed": 2.0}})
    assert "failed" not in tables.main_metrics(good)
    assert "failed" in tables.main_metrics(bad)


def test_the_same_doubt_is_said_once(make_scenario: Any, given: Any) -> None:
    asked = make_scenario()
    (group,) = tables.doubt_groups(given(asked, {cell.id: [1.0] for cell in asked.cells}))
    assert group.kind == "few-trials"
    assert group.cells == 8
    assert [where for where, _ in group.cases] == ["all 8 cells"]


def test_cells_are_named_by_what_they_share(make_scenario: Any, given: Any) -> None:
    asked = make_scenario()
    few = {c.id: [1.0] if c.setup.fleet[0].pool == "threads" else [1.0] * 5 for c in asked.cells}
    (group,) = tables.doubt_groups(given(asked, few))
    assert group.cases[0][0] == "all 4 cells with threads"


def test_cells_csv_has_every_metric_in_si(sample: store.Run) -> None:
    views = collect(sample)
    lines = list(csv.DictReader(io.StringIO(tables.cells_csv(views))))
    estimates = sum(max(1, len(cell.summary.metrics)) for cell in views[0].cells)
    assert len(lines) == estimates
    first = next(line for line in lines if line["metric"] == "throughput")
    summary = views[0].cells[0].summary
    assert float(first["point"]) == summary.metrics["throughput"].point
    assert first["workers.pool"] == "prefork"
    assert {line["cell"] for line in lines} == {cell.id for cell in views[0].cells}


def test_trials_csv_has_every_trial_in_order(sample: store.Run) -> None:
    lines = list(csv.DictReader(io.StringIO(tables.trials_csv(collect(sample)))))
    assert [line["trial"] for line in lines] == [result.trial for result in sample.results()]
    failed = [line for line in lines if line["outcome"] == "failed"]
    assert len(failed) == 3
    assert all(line["throughput"] == "" for line in failed)
