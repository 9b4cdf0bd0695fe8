import csv
import io
import math
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from bench import model, store
from bench.report import markdown, page, phases, sheet, show, tables
from bench.report.charts import charts
from bench.report.flow import flow_figure
from bench.report.view import ScenarioView, collect

NAMES = ("1 constant 60/s", "2 burst 250", "3 constant 60/s")


@pytest.fixture(scope="module")
def view(chained: store.Run) -> ScenarioView:
    return collect(chained)[0]


def test_cells_by_phases(view: ScenarioView) -> None:
    metric = phases.metric_by_phase(view)
    grid = phases.compact(view.parts[0], metric)
    assert grid is not None
    assert (metric, grid.title, grid.columns) == ("p50(response)", "median response by phase", NAMES)
    assert [name for name, _ in grid.rows] == [cell.label for cell in view.cells]
    estimate = view.cells[0].summary.phases[1].metrics[metric]
    assert grid.rows[0][1][1] == str(tables.number(metric, estimate))
    turned = grid.turned()
    assert turned.rows[1][1][0] == grid.rows[0][1][1]
    assert turned.turned().rows == grid.rows


def test_a_phase_with_its_metrics(view: ScenarioView) -> None:
    grid = phases.of_cell(view.parts[0], view.cells[0])
    assert grid.columns == ("throughput", "median response", "p95 response", "failed")
    assert [name for name, _ in grid.rows] == list(NAMES)
    assert [texts[-1] for _, texts in grid.rows] == ["0", "0", "0"]


def test_a_metric_that_a_phase_lacks_is_not_the_one_shown(chained: store.Run, view: ScenarioView) -> None:
    def asked(metric: str) -> str:
        return phases.metric_by_phase(replace(view, scenario=replace(view.scenario, metric=metric)))

    assert asked("p95(response)") == "p95(response)"
    assert asked("makespan") == "p95(response)"
    assert asked("p99(response)") == "p95(response)", "250 tasks have no p99"


def test_no_phases_no_tables(sample: store.Run) -> None:
    plain = collect(sample)[0]
    assert all(phases.compact(part, "throughput") is None for part in plain.parts)
    assert phases.phase_figure(plain).panels == ()
    assert tables.phases_csv([plain]) == tables.steps_csv([plain]) == ""


def test_the_picture_by_phase(view: ScenarioView) -> None:
    (panel,) = phases.phase_figure(view).panels
    assert panel.phases == NAMES
    assert [len(line.values) for line in panel.lines] == [3] * len(panel.lines)
    mark = panel.lines[0].values[1]
    assert mark is not None and len(mark.trials) == 3


def test_tasks_over_time(view: ScenarioView, chained: store.Run) -> None:
    (panel,) = flow_figure(view, chained).panels
    assert panel.phases == ((0.0, NAMES[0]), (4.0, NAMES[1]), (4.0, NAMES[2]))
    widths = [b - a for a, b in zip(panel.t, panel.t[1:], strict=False)]
    assert sum(rate * widths[0] for rate in panel.due) == pytest.approx(730, rel=0.02)
    burst = max(range(len(panel.t)), key=lambda i: panel.due[i])
    assert 4.0 < panel.t[burst] < 4.0 + widths[0], "what begins at an edge counts behind it"
    for line in panel.lines:
        assert max(line.backlog) >= 250
        assert line.backlog[-1] <= 1
        assert all(math.isfinite(rate) for rate in line.completed)


def test_a_flood_has_no_such_picture(sample: store.Run) -> None:
    assert flow_figure(collect(sample)[0], sample).panels == ()


def test_the_pictures_are_drawn(view: ScenarioView, chained: store.Run) -> None:
    with sheet.style():
        drawn = {c.name: sheet.svg(c.figure(), c.name) for c in charts(view, chained)}
    assert {"phases", "flow"} <= set(drawn)
    for name in NAMES:
        assert name.split()[0] in drawn["flow"]
    assert "2 burst 250 · 3 constant 60/s" in drawn["flow"], "two that begin together share a line"


@pytest.mark.parametrize("shape", ["constant", "poisson"])
def test_a_load_without_phases_is_drawn(make_scenario: Any, make_run: Any, shape: str) -> None:
    run = make_run(make_scenario(load=model.Load(shape=shape, rate=40.0, duration=4.0)))
    with sheet.style():
        drawn = {c.name: sheet.svg(c.figure(), c.name) for c in charts(collect(run)[0], run)}
    assert "backlog" in drawn["flow"]
    assert "phases" not in drawn


def test_everything_is_in_the_files(chained: store.Run, view: ScenarioView, tmp_path: Any) -> None:
    folder = page.write(chained, tmp_path).parent
    rows = list(csv.DictReader(io.StringIO((folder / "phases.csv").read_text())))
    assert {row["phase"] for row in rows} == set(NAMES)
    assert float(rows[0]["point"]) > 0
    html = (folder / "index.html").read_text()
    assert "Phase by phase" in html
    assert "phases.csv" in html
    text = markdown.report(chained, [view])
    assert "**median response by phase**" in text
    assert "Every phase" in text
    data = show.as_json(chained)["cells"][0]["phases"]
    assert [phase["name"] for phase in data] == list(NAMES)
    assert data[0]["metrics"]["throughput"]["point"] == pytest.approx(60, rel=0.05)


@pytest.mark.parametrize("width", [60, 80, 140])
def test_phases_fit_the_terminal(width: int, chained: store.Run) -> None:
    for every in (False, True):
        console = Console(width=width, _environ={})
        with console.capture() as capture:
            show.render(chained, console, every=every)
        lines = capture.get().splitlines()
        assert max(len(line.rstrip()) for line in lines) <= width
        assert any("burst 250" in line for line in lines)


def test_clients_that_wait_are_read_by_round_trips(make_scenario: Any, make_run: Any) -> None:
    load = model.Load(shape="closed", clients=4, tasks=250)
    run = make_run(make_scenario(work=["io"], load=load, metric="p95(roundtrip)", repeats=1), name="closed")
    found = collect(run)[0]
    assert "p95(roundtrip)" in tables.main_metrics(found)
    titles = [chart.title for chart in charts(found, run)]
    assert "Round trip: the usual task and the slow ones" in titles
    assert "P95 round trip" in titles
