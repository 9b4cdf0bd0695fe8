from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from bench import model, store
from bench.report import figures, resources
from bench.report.resources import cells_to_show, resource_figure
from bench.report.view import collect


def test_rows_are_choices_and_panels_circumstances(sample: store.Run) -> None:
    figure = figures.metric_figure(collect(sample)[0])
    assert [row.label for row in figure.rows] == [
        "prefork · prefetch 1",
        "prefork · prefetch 16",
        "threads · prefetch 1",
        "threads · prefetch 16",
    ]
    assert [panel.title for panel in figure.panels] == ["cpu", "io"]
    assert all(len(panel.values) == 4 for panel in figure.panels)


def test_a_pools_rows_stand_together(make_scenario: Any, given: Any) -> None:
    asked = make_scenario(work=["cpu"])
    mixed = model.Scenario(
        **{f: getattr(asked, f) for f in ("name", "question", "metric", "repeats")},
        cells=tuple(sorted(asked.cells, key=lambda c: c.setup.fleet[0].prefetch)),
    )
    rows = figures.metric_figure(given(mixed, {})).rows
    assert [row.pool for row in rows] == ["prefork", "prefork", "threads", "threads"]


def test_marks_carry_the_estimate_and_its_trials(make_scenario: Any, given: Any) -> None:
    view = given(
        make_scenario(work=["cpu"], prefetch=[1]),
        {"cpu-prefork-1": [100.0, 101.0, 102.0], "cpu-threads-1": [50.0, 50.5, 51.0]},
    )
    best, behind = figures.metric_figure(view).panels[0].values
    assert best is not None
    assert behind is not None
    assert best.trials == (100.0, 101.0, 102.0)
    assert best.lower is not None
    assert best.lower < best.point < (best.upper or 0)
    assert best.level
    assert not behind.level


def test_missing_values_say_why(make_scenario: Any, given: Any) -> None:
    view = given(make_scenario(work=["cpu"]), {"cpu-prefork-1": [10.0], "cpu-prefork-16": [None, None]})
    panel = figures.metric_figure(view).panels[0]
    assert [value is None for value in panel.values] == [False, True, True, True]
    assert panel.notes == ("", "2 of 2 trials failed", "not run", "not run")


def test_a_flood_shows_service_and_a_constant_load_response(make_scenario: Any, given: Any) -> None:
    constant = model.Load(shape="constant", rate=100.0, duration=1.0)
    assert figures.percentile_figure(given(make_scenario(), {})).duration == "service"
    assert figures.percentile_figure(given(make_scenario(load=constant), {})).duration == "response"


def test_percentiles_that_were_refused_are_not_there(sample: store.Run) -> None:
    found = figures.percentile_figure(collect(sample)[0]).panels[0].values[0]
    assert found is not None
    assert "p99" not in found, "60 tasks are too few for it"
    assert found["p50"] <= found["max"]


def test_the_parts_of_the_way_add_up_to_the_response(sample: store.Run) -> None:
    view = collect(sample)[0]
    cell = view.cells[0]
    parts = figures.wait_figure(view).panels[0].values[0]
    assert parts is not None
    response = cell.summary.metrics["mean(response)"].point
    assert sum(parts.values()) == pytest.approx(response, rel=0.05)


def test_a_deep_prefetch_shows_as_prefetch_wait(sample: store.Run) -> None:
    shallow, deep, *_ = figures.wait_figure(collect(sample)[0]).panels[0].values
    assert shallow is not None
    assert deep is not None
    assert deep["prefetch_wait"] > 3 * shallow["prefetch_wait"]


def test_resources_show_the_best_cell_of_each_pool(sample: store.Run) -> None:
    view = collect(sample)[0]
    figure = resource_figure(view, sample)
    assert figure.cores == 2
    assert [sorted({line.pool or "" for line in p.lines}) for p in figure.panels] == [
        ["prefork", "threads"]
    ] * 2
    assert [panel.left_out for panel in figure.panels] == [2, 1]


def test_cpu_is_the_slope_of_the_counters_of_parents_and_pool() -> None:
    t_ns = [10**12 + i * 100_000_000 for i in range(21)]
    samples = pd.concat(
        [
            pd.DataFrame({"t_ns": t_ns, "group": "workers", "cpu": [0.05 * i for i in range(21)]}),
            pd.DataFrame({"t_ns": t_ns, "group": "pool", "cpu": [0.1 * i for i in range(21)]}),
        ]
    )
    slope = resources._rate(resources._total(samples, "cpu", 10**12))
    assert slope.to_numpy() == pytest.approx(1.5)
    assert 0.0 < slope.index[0] < slope.index[-1] < 2.0


def test_values_around_the_load_are_kept_one_on_each_side() -> None:
    series = pd.Series([1.0, 2.0, 3.0, 4.0, 5.0], index=[-2.0, -1.0, 0.5, 2.0, 3.0])
    assert resources._between(series, 0.0, 1.0).tolist() == [2.0, 3.0, 4.0]


def test_few_cells_of_one_pool_are_all_shown(make_scenario: Any, given: Callable[..., Any]) -> None:
    asked = make_scenario(work=["cpu"], pools=["prefork"], prefetch=[1, 4, 16])
    view = given(asked, {cell.id: [10.0 + i] for i, cell in enumerate(asked.cells)})
    assert len(cells_to_show(view.parts[0], "throughput")) == 3
