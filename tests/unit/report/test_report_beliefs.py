"""The page of what people believe, by its data; and beliefs in the report of one run."""

import json
import math
import re
from pathlib import Path

import pytest
from rich.console import Console

from bench import store
from bench.errors import UsageError
from bench.report import beliefs_page, draw_forest, forest, markdown, page, sheet, show
from bench.report.view import collect


@pytest.fixture(scope="module")
def written(believed: list[store.Run], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return beliefs_page.write(believed, tmp_path_factory.mktemp("reports")).parent


def test_refuted_beliefs_come_first_and_all_are_there(believed: list[store.Run]) -> None:
    entries = beliefs_page.collect(believed)
    outcomes = [entry.belief.outcome for entry in entries]
    assert outcomes == ["refuted"] * 6 + ["held"] * 4 + ["undecided"] * 4
    assert [words.sign for words, _ in beliefs_page.tally(entries)] == ["✗", "✓", "?"]
    assert {entry.name for entry in entries} == {run.name for run in believed}


def test_the_forest_has_a_row_for_each_expectation(believed: list[store.Run]) -> None:
    data = forest.of_beliefs([entry.belief for entry in beliefs_page.collect(believed)])
    rows = {row.detail: row for row in data.rows}
    assert len(rows) == 16
    io = rows["throughput[gevent] / throughput[prefork] > 3"]
    assert io.lower is not None and io.upper is not None and io.point is not None
    assert 3 < io.lower < io.point < io.upper
    assert (io.limit, io.band, io.outcome) == (3.0, (3.0, math.inf), "held")
    first, second = (row for row in data.rows if "threads" in row.detail)
    assert (first.whole, second.whole, second.head) == ("refuted", "", "")
    one_sided = rows["memory[gevent] < 2MiB"]
    assert (one_sided.point, one_sided.limit) == (None, None) and "MiB" in one_sided.number
    assert rows["lost[16] / lost[1] > 2"].number == "0 a trial against 0 a trial"
    assert rows["throughput[16] / throughput[1] > 90%"].number == "not measured"
    assert data.ends is not None and data.ends[0] < 0.01 and data.ends[1] > 14


def test_a_forest_without_ratios_can_be_drawn(believed: list[store.Run]) -> None:
    safe = next(e.belief for e in beliefs_page.collect(believed) if e.name == "safe")
    data = forest.of_beliefs([safe])
    assert data.ends is None
    with sheet.style():
        assert "one side" in sheet.svg(draw_forest.forest(data, draw_forest.BELIEFS), "x")


def test_an_interval_that_is_far_too_long_does_not_rule_the_axis() -> None:
    row = forest.ForestRow(
        head="b", detail="e", outcome="undecided", number="",
        point=2.0, lower=0.001, upper=4000.0, band=(1.5, math.inf),
    )  # fmt: skip
    low, high = forest.ends_of([row])  # type: ignore[misc]
    assert 0.05 < low < 0.1 and 20 < high < 40


def test_the_page_says_all_of_each_belief(believed: list[store.Run], written: Path) -> None:
    html = (written / "index.html").read_text(encoding="utf-8")
    text = re.sub(r"\s+", " ", html)
    assert text.count("<article") == 14
    for name in ("Prefetching saves round trips", "celery-bench run io-gevent", "undecided on this machine"):
        assert name in text
    assert "src=" not in html and "url(http" not in html, "one file that fetches nothing"
    assert {p.name for p in written.iterdir()} == {
        "index.html", "beliefs.md", "beliefs.json", "beliefs.svg", "beliefs.png",
    }  # fmt: skip


def test_the_data_as_json(written: Path) -> None:
    data = json.loads((written / "beliefs.json").read_text(encoding="utf-8"))
    assert (data["format"], len(data["beliefs"])) == (2, 14)
    found = {each["scenario"]: each for each in data["beliefs"]}
    (ratio,) = found["io-gevent"]["expectations"]
    assert (ratio["op"], ratio["limit"], ratio["n"], ratio["partners"]) == (">", 3.0, 4, 1)
    assert [side["metric"] for side in ratio["sides"]] == ["throughput", "throughput"]
    assert {"kind": "failed-trials", "cells": 1} in found["broken"]["doubts"]
    assert found["lossy"]["expectations"][0]["point"] is None
    assert found["io-gevent"]["versions"] == {"celery": "5.7.0"}


def test_the_markdown_has_verdict_and_numbers(written: Path) -> None:
    text = (written / "beliefs.md").read_text(encoding="utf-8")
    assert "Doubts: failed-trials (1 cell)" in text
    assert "14 beliefs: 6 refuted, 4 held, 4 undecided on this machine." in text
    assert "✅ **held**" in text and "❌ **refuted**" in text and "❔ **undecided on this machine**" in text
    assert re.search(r"measured \*\*8\.\d+ × \(8\.\d+ to 8\.\d+\) in 4 blocks\*\*", text)


def test_of_several_runs_the_newest_whole_one_counts(believed: list[store.Run], tmp_path: Path) -> None:
    old = believed[0]
    meta = {**old.meta, "created": "2026-11-21T21:15:00+00:00"}
    newer = store.create(tmp_path, "newer", {k: v for k, v in meta.items() if k not in ("format", "run")})
    assert [e.run.name for e in beliefs_page.collect([newer, old])] == [old.name]
    (entry,) = beliefs_page.collect([newer])
    assert beliefs_page.remark(entry) == "8 trials not run yet"
    assert entry.belief.outcome == "undecided"


def test_two_machines_are_told_apart(believed: list[store.Run], tmp_path: Path) -> None:
    (_, facts), *more = beliefs_page.machines(beliefs_page.collect(believed))
    assert not more and ("Cores", "2") in facts
    meta = {**believed[0].meta, "host": {"cpu": "B CPU"}}
    other = store.create(tmp_path, "x", {k: v for k, v in meta.items() if k not in ("format", "run")})
    names = [names for names, _ in beliefs_page.machines(beliefs_page.collect([other, believed[1]]))]
    assert sorted(names) == ["cpu-prefork", "io-gevent"]


def test_runs_without_beliefs_are_refused(sample: store.Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="states a belief"):
        beliefs_page.write([sample], tmp_path)


def test_a_belief_in_the_report_of_its_run(believed: list[store.Run], tmp_path: Path) -> None:
    run = next(run for run in believed if run.name == "both")
    html = page.write(run, tmp_path).read_text(encoding="utf-8")
    assert "What people say" in html and "Threads are cheaper than processes and just as fast" in html
    text = markdown.report(run, collect(run))
    assert "> Threads are cheaper" in text and "❌ **refuted**" in text
    (data,) = show.as_json(run)["beliefs"]
    assert (data["outcome"], [e["outcome"] for e in data["expectations"]]) == ("refuted", ["held", "refuted"])
    json.dumps(data, allow_nan=False)


@pytest.mark.parametrize("width", [60, 100])
def test_a_belief_on_the_terminal(width: int, believed: list[store.Run]) -> None:
    console = Console(width=width, record=True, _environ={})
    with console.capture() as capture:
        show.render(next(run for run in believed if run.name == "io-gevent"), console)
    text = capture.get()
    assert "People say: “If your tasks" in text and "✓ held  expected throughput[gevent]" in text
    assert "measured 8." in text
    assert max(map(len, text.splitlines())) <= width
