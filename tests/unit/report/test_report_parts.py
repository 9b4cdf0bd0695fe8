"""Parts of canvases and attempts of retried tasks, in tables: terminal, Markdown, page, CSV, JSON."""

import csv
import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from bench import model, store
from bench.measured import Estimate, PhaseSummary
from bench.report import figures, lanes, markdown, page, parts, show, tables
from bench.report.view import collect

SLEEP = model.TaskCall(task="io.sleep", kwargs={"seconds": 0.02})
NOOP = model.TaskCall(task="noop")
CANVASES = {
    "chain": model.TaskCall(canvas="chain", parts=(SLEEP, NOOP)),
    "chord": model.TaskCall(canvas="chord", parts=(replace(SLEEP, times=4), NOOP)),
    "chunks": model.TaskCall(canvas="chunks", parts=(NOOP,), items=10, size=5),
    "plain": NOOP,
}


@pytest.fixture(name="run")
def _run(make_scenario: Any, make_run: Any) -> store.Run:
    asked = make_scenario(work=["io"], pools=["prefork"], prefetch=[4], metric="items", repeats=2)
    (cell,) = asked.cells
    load = model.Load(shape="constant", rate=20.0, duration=3.0)
    cells = tuple(
        model.Cell(
            id=name,
            settings={"workload": name},
            setup=replace(cell.setup, workload=(call,), load=load),
        )
        for name, call in CANVASES.items()
    )
    run: store.Run = make_run(replace(asked, cells=cells))
    return run


def test_each_part_of_each_canvas(run: store.Run) -> None:
    chain, chord, chunks = parts.grids(collect(run)[0])
    assert chain.title == "chain: prefork: each part"
    assert [name for name, _ in chain.rows] == ["chain of 2: 1 io.sleep", "chain of 2: 2 noop"]
    assert chain.columns == ("median wait", "median service")
    assert [name for name, _ in chord.rows] == ["chord of 4: 1–4 io.sleep", "chord of 4: body noop"]
    assert [name for name, _ in chunks.rows] == ["10 in chunks of 5: 1–2 noop"]


def test_items_and_overhead_are_shown_where_there_is_a_canvas(
    run: store.Run, make_scenario: Any, make_run: Any
) -> None:
    view = collect(run)[0]
    assert {"items", "p50(overhead)"} <= set(tables.main_metrics(view))
    found = {part.title: part.cells[0].summary.metrics for part in view.parts}
    ratio = {name: m["items"].point / m["throughput"].point for name, m in found.items()}
    assert ratio.pop("plain") == pytest.approx(1, rel=0.3), "its throughput is that of the steady window"
    assert ratio == pytest.approx({"chain": 2, "chord": 5, "chunks": 10})
    assert "p50(overhead)" not in found["plain"]
    bare = collect(make_run(make_scenario(repeats=1), name="bare"))[0]
    assert not {"items", "p50(overhead)"} & set(tables.main_metrics(bare))
    assert all("items" not in group for part in bare.parts for group in tables.metric_groups(part))


def test_lanes_show_parts(run: store.Run) -> None:
    figure = lanes.lane_figure(collect(run)[0], run)
    chain = next(panel for row in figure.rows for panel in row if panel.circumstance == "chain")
    assert sum(len(bars.lane) for bars in chain.bars) == 2 * 60


def test_everything_is_in_the_files(run: store.Run, tmp_path: Any) -> None:
    folder = page.write(run, tmp_path).parent
    rows = list(csv.DictReader(io.StringIO((folder / "parts.csv").read_text())))
    assert "chord of 4: body noop" in {row["part"] for row in rows}
    assert not (folder / "attempts.csv").exists()
    assert "Parts and attempts" in (folder / "index.html").read_text()
    assert "chain of 2: 1 io.sleep" in markdown.report(run, collect(run))
    told = {cell["settings"]["workload"]: cell for cell in show.as_json(run)["cells"]}
    assert [part["name"] for part in told["chain"]["parts"]] == [
        "chain of 2: 1 io.sleep",
        "chain of 2: 2 noop",
    ]
    assert told["plain"]["parts"] == [] and told["chain"]["attempts"] == []
    console = Console(width=100, _environ={})
    with console.capture() as capture:
        show.render(run, console)
    assert "body noop" in capture.get()


def test_attempts_as_they_are_stored(given: Any, make_scenario: Any) -> None:
    asked = make_scenario(work=["io"], pools=["prefork"], prefetch=[4])
    view = given(asked, {"io-prefork-4": [10.0, 12.0]})
    estimate = Estimate(point=400.0)
    rows = (
        PhaseSummary(name="1", metrics={"started": estimate, "failed": Estimate(point=0.0)}),
        PhaseSummary(name="2", metrics={"started": Estimate(point=12.5)}),
    )
    (part,) = view.parts
    (cell,) = part.cells
    (grid,) = parts.of_cell(part, replace(cell, summary=replace(cell.summary, attempts=rows)))
    assert grid.columns == ("started",), "nothing failed"
    assert grid.rows == (("1", ("400",)), ("2", ("12.5",)))


def test_where_the_waiting_happens_adds_up_to_the_response_for_canvases_too(run: store.Run) -> None:
    view = collect(run)[0]
    for part, panel in zip(view.parts, figures.wait_figure(view).panels, strict=True):
        (way,) = panel.values
        metrics = part.cells[0].summary.metrics
        assert way is not None
        assert set(way) == set(figures.WAIT_PARTS if part.title == "plain" else figures.CANVAS_PARTS)
        assert sum(way.values()) == pytest.approx(metrics["mean(response)"].point, rel=0.05)
