import math
from dataclasses import replace
from typing import Any

import pytest

from bench import store
from bench.report import conditions, page
from bench.report.drift import drift_figure
from bench.report.view import ScenarioView, collect


@pytest.fixture(scope="module")
def view(chained: store.Run) -> ScenarioView:
    return collect(chained)[0]


def test_a_drifting_host_explains_its_trials(view: ScenarioView) -> None:
    data = drift_figure([view])
    assert data is not None
    assert [dot.position for dot in data.dots] == list(range(1, 13))
    assert data.n == 12
    assert data.r is not None and data.r > 0.8
    assert "explains" in data.text and "over 12 trials" in data.text
    spins = {r.position: r.host["spin_before"] for r in view.results}
    usual = sorted(spins.values())[5:7]
    assert data.dots[0].spin == pytest.approx(spins[1] / (sum(usual) / 2))


def test_numbers_are_relative_to_their_own_cell(view: ScenarioView) -> None:
    data = drift_figure([view])
    assert data is not None
    logs = [math.log(dot.metric) for dot in data.dots if dot.metric]
    assert sum(logs) == pytest.approx(0.0, abs=1e-9)


def test_nothing_where_nothing_was_read(view: ScenarioView, given: Any, make_scenario: Any) -> None:
    asked = make_scenario(work=["cpu"])
    assert drift_figure([given(asked, {"cpu-prefork-1": [1.0, 2.0, 3.0]})]) is None
    steady = [
        replace(cell, results=tuple(replace(r, host={"spin_before": 0.02}) for r in cell.results))
        for cell in view.cells
    ]
    same = replace(view, parts=(replace(view.parts[0], cells=tuple(steady)),))
    assert drift_figure([same]) is None, "a spin that never changes explains nothing"


def test_too_few_trials_have_no_correlation(view: ScenarioView) -> None:
    cells = view.parts[0].cells[:2]
    data = drift_figure([replace(view, parts=(replace(view.parts[0], cells=cells),))])
    assert data is not None
    assert (data.r, data.p, data.n) == (None, None, 6)
    assert data.text.endswith("of its median.")


def test_chance_is_called_chance(view: ScenarioView) -> None:
    data = drift_figure([view])
    assert data is not None
    assert "no sure part" in replace(data, r=-0.3, p=0.4).text
    assert "r = −0.30" in replace(data, r=-0.3, p=0.4).text


def test_what_was_adjusted_is_said(view: ScenarioView) -> None:
    data = drift_figure([view])
    assert data is not None
    assert (
        "p95 response and its interval are stated at the mean speed"
        in replace(data, adjusted=("p95 response",)).text
    )


def test_it_stands_in_the_conditions(chained: store.Run, sample: store.Run, tmp_path: Any) -> None:
    html = page.write(chained, tmp_path).read_text()
    assert "of the variation between equal trials" in html
    assert html.index('id="conditions"') < html.index("How steady the machine was")
    assert "How steady the machine was" not in page.write(sample, tmp_path).read_text()


def test_what_the_machine_did_is_said_where_it_did_anything(chained: store.Run, view: ScenarioView) -> None:
    host = {"busy_before": 0.4, "throttled": 1.5, "swapped": 2.0**20}
    cells = [
        replace(c, results=tuple(replace(r, host={**r.host, **host}) for r in c.results)) for c in view.cells
    ]
    busy = replace(view, parts=(replace(view.parts[0], cells=tuple(cells)),))
    said = dict(conditions.conditions(chained, [busy]))
    assert said["Other processes used"] == "up to 0.4 cores just before a trial"
    assert said["Throttled by the cgroup"] == "18 s"
    assert said["Swapped during trials"] == "12 MiB"
    quiet = dict(conditions.conditions(chained, [view]))
    assert "Throttled by the cgroup" not in quiet
    assert quiet["Load"].startswith("60/s for 4 s, then a burst of 250 tasks")
