"""Runs of which the scenario's metric could not be computed: too few tasks for the percentile."""

from typing import Any

import pytest

from bench import model, store
from bench.report import draw_load, phases
from bench.report.charts import charts, drift_chart
from bench.report.drift import drift_figure
from bench.report.flow import flow_figure
from bench.report.lanes import lane_figure
from bench.report.resources import known_metric, resource_figure
from bench.report.view import ScenarioView, collect
from bench.run.fake import Fake

CALM = model.Load(shape="constant", rate=40.0, duration=1.0)
CHAIN = model.Load(shape="phases", phases=(CALM, model.Load(shape="burst", tasks=60), CALM))
METRIC = "p95(response)"


@pytest.fixture
def thin(make_run: Any, make_scenario: Any) -> store.Run:
    """Of 140 tasks nobody knows the 95th percentile; the host drifts."""
    asked = make_scenario(work=["io"], load=CHAIN, metric=METRIC, repeats=2)
    run: store.Run = make_run(asked, fake=Fake(host=lambda trial: 1 + 0.02 * trial.position))
    return run


@pytest.fixture
def view(thin: store.Run) -> ScenarioView:
    found = collect(thin)[0]
    assert all(METRIC not in cell.summary.metrics for cell in found.cells)
    return found


def test_the_nearest_metric_that_all_know_chooses_the_cells(view: ScenarioView) -> None:
    assert known_metric(view.cells, METRIC) == "p90(response)"
    assert known_metric(view.cells, "p99(service)") == "p90(service)"
    assert known_metric(view.cells, "makespan") == "makespan"
    assert known_metric(view.cells, "capacity") == "p90(response)"
    assert known_metric([], METRIC) == METRIC


def test_the_pictures_over_time_are_still_there(thin: store.Run, view: ScenarioView) -> None:
    (flow,) = flow_figure(view, thin).panels
    assert [line.pool for line in flow.lines] == ["prefork", "threads"]
    (lanes,) = lane_figure(view, thin).rows
    assert len(lanes) == 2
    (resources,) = resource_figure(view, thin).panels
    assert len(resources.lines) == 2
    (by_phase,) = phases.phase_figure(view).panels
    assert len(by_phase.lines) == 2
    titles = {chart.title for chart in charts(view, thin)}
    assert {"Tasks over time", "Who ran what when", "CPU and memory while the load ran"} <= titles


def test_trials_laid_side_by_side_are_of_one_block(thin: store.Run, view: ScenarioView) -> None:
    (flow,) = flow_figure(view, thin).panels
    assert len({line.trial.split("-b")[1].split("-")[0] for line in flow.lines}) == 1


def test_without_numbers_the_drift_is_the_spin_alone(view: ScenarioView) -> None:
    data, chart = drift_figure([view]), drift_chart([view])
    assert data is not None and chart is not None
    assert not data.told and all(dot.metric is None for dot in data.dots)
    assert len(draw_load.drift(data).axes) == 1
    assert "Below" not in chart.caption and chart.caption.endswith("higher is slower.")


def test_with_numbers_it_has_both(chained: store.Run) -> None:
    data = drift_figure(collect(chained))
    assert data is not None and data.told
    assert len(draw_load.drift(data).axes) == 2
