import json
from typing import Any

import pytest
from rich.console import Console

from bench import store
from bench.measured import Estimate
from bench.report import show, tables


def printed(run: Any, width: int, *, terminal: bool = False, every: bool = False) -> str:
    console = Console(width=width, record=True, file=None, quiet=False, force_terminal=terminal, _environ={})
    with console.capture() as capture:
        show.render(run, console, every=every)
    return capture.get()


def test_json_is_as_promised(sample: store.Run) -> None:
    data = show.as_json(sample)
    json.dumps(data, allow_nan=False)
    assert list(data) == ["format", "run", "cells", "beliefs"]
    assert (data["format"], data["run"], len(data["cells"])) == (2, "sample", 8)
    cell = data["cells"][0]
    more = ["phases", "parts", "attempts", "searches", "host"]
    assert list(cell) == ["scenario", "settings", "trials", "failed_trials", "metrics", *more, "doubts"]
    assert cell["settings"] == {"workload": "cpu", "workers.pool": "prefork", "workers.prefetch": 1}
    assert list(cell["metrics"]["throughput"]) == ["point", "lower", "upper"]
    assert cell["metrics"]["throughput"]["lower"] < cell["metrics"]["throughput"]["point"]


def test_json_of_failed_cells(sample: store.Run) -> None:
    cell = show.as_json(sample)["cells"][-1]
    assert (cell["trials"], cell["failed_trials"], cell["metrics"]) == (3, 3, {})
    assert [list(doubt) for doubt in cell["doubts"]] == [["kind", "text", "advice", "source"]]


@pytest.mark.parametrize("width", [60, 80, 140])
def test_lines_fit_the_terminal(width: int, sample: store.Run) -> None:
    text = printed(sample, width)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    assert "prefork · prefetch 16" in text
    assert "3 of 3 trials failed" in text
    assert "has the highest throughput" in " ".join(text.split())


def test_no_colours_off_a_terminal(sample: store.Run) -> None:
    assert "\x1b" not in printed(sample, 100)
    assert "\x1b" in printed(sample, 100, terminal=True)


def test_square_brackets_are_not_markup(make_scenario: Any, make_run: Any) -> None:
    run = make_run(make_scenario(question="Is [red]this[/red] [/] red?", work=["cpu"], repeats=1))
    assert "Is [red]this[/red] [/] red?" in printed(run, 120)


def test_listing(sample: store.Run, make_scenario: Any, make_run: Any) -> None:
    partial = make_run(make_scenario(), name="partial", stop=3)
    console = Console(width=100)
    with console.capture() as capture:
        console.print(show.listing([sample, partial]))
    text = capture.get()
    assert "sample" in text
    assert "3/24" in text
    assert "Which <pool> & why?" in text


@pytest.mark.parametrize("width", [60, 100, 200])
def test_every_metric_of_every_cell_is_shown_with_its_interval(width: int, sample: store.Run) -> None:
    text = printed(sample, width, every=True)
    words = " ".join(text.split())
    for cell in show.as_json(sample)["cells"]:
        for metric, estimate in cell["metrics"].items():
            number = tables.number(metric, Estimate(**estimate))
            assert str(number) in words or width < 100, (metric, str(number))
    for duration in ("broker wait", "prefetch wait", "service", "response", "lateness"):
        assert duration in words
