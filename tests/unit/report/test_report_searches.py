import csv
import io
import json
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from bench import model, store
from bench.report import answer, page, searches, sheet, show, tables
from bench.report.charts import charts
from bench.report.view import ScenarioView, collect


@pytest.fixture(scope="module")
def view(searched: store.Run) -> ScenarioView:
    return collect(searched)[0]


def test_a_search_in_one_sentence(view: ScenarioView) -> None:
    cell = view.parts[0].cells[0]
    number = tables.number("capacity", cell.summary.metrics["capacity"])
    text = searches.sentence(cell)
    assert text.startswith(f"threads sustains {number} with p95(response) < 100 ms; ")
    assert "/s was too much: p95(response) was " in text


def test_no_rate_at_all_says_why(view: ScenarioView) -> None:
    cell = view.parts[1].cells[0]
    text = searches.sentence(cell)
    assert text.startswith("threads does not keep p95(response) < 100 ms at any rate: at ")
    assert text.count("100 ms") == 1


def test_a_search_left_open(view: ScenarioView) -> None:
    cell = view.parts[0].cells[0]
    left = {**cell.results[0].search, "outcome": "open", "why": "90/s was held; 24 steps did not settle it"}
    odd = replace(cell, results=(replace(cell.results[0], search=left), cell.results[1]))
    text = searches.sentence(odd)
    assert "/s with p95(response) < 100 ms in 1 of 2 searches; " in text
    assert text.endswith("the rest ended without an answer: 90/s was held; 24 steps did not settle it.")
    alone = searches.sentence(replace(odd, results=odd.results[:1]))
    assert "/s or more with p95(response) < 100 ms, but its search ended without an answer: " in alone
    assert searches.short(odd.results[0]).endswith(", search left open")


def test_searches_that_disagree(view: ScenarioView) -> None:
    cell, none = view.parts[0].cells[0], view.parts[1].cells[0].results[0]
    odd = replace(cell, results=(cell.results[0], none))
    text = searches.sentence(odd)
    assert " with p95(response) < 100 ms in 1 of 2 searches; in the rest no rate did: at " in text


def test_a_search_on_one_line(view: ScenarioView) -> None:
    found, none = (part.cells[0].results[0] for part in view.parts)
    low, high = found.search["lower"], found.search["upper"]
    assert tables.interval("capacity", low, high) in searches.short(found)
    assert searches.short(none) == "no rate keeps p95(response) < 100 ms"


def test_the_answer_names_the_rate_and_the_slo(view: ScenarioView) -> None:
    io_, long = answer.findings(view)
    assert "For io: threads sustains the highest rate with p95(response) < 100 ms, " in io_.text
    assert "that of the next, solo" in io_.text
    assert "was too much: p95(response) was" in io_.text
    assert io_.advised is not None and io_.advised.label == "threads"
    assert long.sentences[0] == "For long: no setting keeps p95(response) < 100 ms at any rate."
    assert (long.advised, long.decided) == (None, False)
    assert view.parts[1].level == frozenset()


def test_of_cells_of_which_one_keeps_the_slo_it_is_advised(view: ScenarioView) -> None:
    good, none = view.parts[0], view.parts[1]
    ranking = good.ranking
    assert ranking is not None
    lost = replace(none.cells[1], id=good.cells[1].id, label="solo")
    part = replace(good, cells=(good.cells[0], lost))
    finding = answer.findings(replace(view, parts=(part,)))[0]
    assert finding.advised is good.cells[0]
    assert "threads sustains " in finding.sentences[0]
    assert "solo does not keep p95(response) < 100 ms at any rate" in finding.text
    assert "told apart" not in finding.text


def test_one_trial_has_the_interval_of_its_search(make_scenario: Any, make_run: Any) -> None:
    load = model.Load(shape="saturate", slo="p95(response) < 100ms", duration=1.0)
    pools = ["threads", "solo"]
    asked = make_scenario(work=["io"], pools=pools, prefetch=[1], load=load, metric="capacity", repeats=1)
    (view,) = collect(make_run(asked))
    (finding,) = answer.findings(view)
    search = view.cells[0].results[0].search
    assert tables.interval("capacity", search["lower"], search["upper"]) in finding.text
    assert finding.sentences[1].startswith("threads sustains ")
    assert finding.sentences[2].startswith("solo sustains ")


def test_the_picture_of_the_steps(view: ScenarioView) -> None:
    data = searches.search_figure(view)
    assert [panel.title for panel in data.panels] == [
        "io: threads", "io: solo", "long: threads", "long: solo"
    ]  # fmt: skip
    first = data.panels[0]
    steps = [step for trial in view.cells[0].results for step in trial.search["steps"]]
    assert [(d.rate, d.held) for d in first.dots] == [(s["rate"], s["held"]) for s in steps]
    assert first.limit == pytest.approx(0.1)
    assert first.lower is not None and first.rate is not None and first.lower < first.rate
    assert (data.panels[2].rate, data.panels[2].note) == (None, "no rate keeps it")


def test_many_searched_cells_are_thinned(view: ScenarioView, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searches, "MOST_PANELS", 1)
    data = searches.search_figure(view)
    assert [panel.title for panel in data.panels] == ["io: threads"]
    assert data.left_out == 3


def test_steps_in_a_table(view: ScenarioView) -> None:
    cell = view.parts[0].cells[0]
    grid = searches.step_grid(view.parts[0], cell, cell.results[0])
    steps = cell.results[0].search["steps"]
    assert len(grid.rows) == len(steps)
    assert {texts[-1] for _, texts in grid.rows} == {"held", "missed"}
    assert grid.title == f"io: threads, block {cell.results[0].block}: {len(steps)} steps"
    unended = {**cell.results[0].search, "steps": [{**steps[0], "value": None, "held": False}]}
    odd = searches.step_grid(view.parts[0], cell, replace(cell.results[0], search=unended))
    assert odd.rows[0][1][3:] == ("never", odd.rows[0][1][4], "missed")


def test_the_pictures_are_drawn(view: ScenarioView, searched: store.Run) -> None:
    found = list(charts(view, searched))
    names = [chart.name for chart in found]
    assert names[:2] == ["capacity", "search"]
    assert "throughput" not in names and "lanes" not in names
    assert len(found[1].tables) == 8
    with sheet.style():
        text = sheet.svg(found[1].figure(), "search")
    assert "rate offered, log scale" in text
    assert "long: solo: no rate keeps it" in text


def test_a_step_that_never_ended_is_drawn_at_the_top(view: ScenarioView) -> None:
    from bench.report import draw_load

    data = searches.search_figure(view)
    lost = replace(data.panels[0].dots[-1], value=None, held=False)
    data = replace(data, panels=(replace(data.panels[0], dots=(*data.panels[0].dots, lost)),))
    with sheet.style():
        assert "tasks never ended" in sheet.svg(draw_load.searches(data), "search")


def test_everything_is_in_the_files(searched: store.Run, tmp_path: Any) -> None:
    folder = page.write(searched, tmp_path).parent
    rows = list(csv.DictReader(io.StringIO((folder / "steps.csv").read_text())))
    total = sum(len(result.search["steps"]) for result in searched.results())
    assert len(rows) == total
    assert "Steps of the search" in (folder / "report.md").read_text()
    assert "steps.csv" in (folder / "index.html").read_text()
    data = show.as_json(searched)
    json.dumps(data, allow_nan=False)
    search = data["cells"][0]["searches"][0]
    assert (search["outcome"], search["slo"]) == ("found", "p95(response) < 100 ms")
    assert search["steps"][0]["first"] == 0


@pytest.mark.parametrize("width", [60, 80, 140])
def test_steps_fit_the_terminal(width: int, searched: store.Run) -> None:
    console = Console(width=width, _environ={})
    with console.capture() as capture:
        show.render(searched, console, every=True)
    text = capture.get()
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    assert "none" in text
    if width >= 80:
        assert "held" in text and "missed" in text
