"""What is read off a run's events: busy slots, gaps, families."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench import analyse, jsonable, plan, scenario, store
from bench.run.fake import Fake
from bench.sizing import evidence


def table(rows: list[tuple[int, float, float, float]]) -> pd.DataFrame:
    """Node, received, started, ended."""
    frame = pd.DataFrame(rows, columns=["node", "received", "started", "ended"])
    return frame.assign(
        service=frame["ended"] - frame["started"],
        last_started=frame["started"],
        pid=frame["node"] + 10,
        state=1,
    )


def test_tasks_that_never_meet_find_one_slot_busy() -> None:
    assert evidence.met(table([(0, 0, 0, 1), (0, 0, 1, 2), (0, 0, 5, 6)]), by_node=False) == 1.0


def test_how_many_slots_a_task_finds_busy() -> None:
    """One alone for a second, then three for a second: 1² + 3² slot-seconds squared over 1 + 3."""
    rows = table([(0, 0, 0, 2), (0, 0, 1, 2), (1, 0, 1, 2)])
    assert evidence.met(rows, by_node=False) == pytest.approx(10 / 4)
    assert evidence.met(rows, by_node=True) == pytest.approx((1 + 4 + 1) / (1 + 2 + 1))


def test_no_task_finds_nothing() -> None:
    assert evidence.met(table([]), by_node=False) == 1.0


def test_a_gap_counts_only_where_the_next_task_was_there() -> None:
    full = [(0, 0.0, 1.1 * n, 1.1 * n + 1.0) for n in range(12)]
    assert evidence.gap(table(full)) == pytest.approx(0.1)
    starved = [(0, 1.1 * n - 0.01, 1.1 * n, 1.1 * n + 1.0) for n in range(12)]
    assert evidence.gap(table(starved)) is None, "each came after the slot had become free"
    assert evidence.gap(table(full[:5])) is None, "too few"


@pytest.fixture(scope="module", name="run")
def _run(tmp_path_factory: pytest.TempPathFactory) -> store.Run:
    root = tmp_path_factory.mktemp("evidence")
    file = root / "s.yaml"
    file.write_text(
        "question: How many?\nworkload: {task: io.sleep, kwargs: {seconds: 0.05}}\nrepeats: 2\n"
        "matrix:\n  workers.pool: [prefork, threads]\n  workers.concurrency: [2, 4]\n"
        "  load:\n    full: {shape: flood, tasks: 60}\n    some: {shape: poisson, rate: 20/s, for: 4s}\n",
        encoding="utf-8",
    )
    asked = scenario.load(file)
    run = store.create(root / "results", "r", {"seed": 1, "scenarios": [jsonable.plain(asked)]})
    broken = asked.cells[0].id
    for trial in plan.trials([asked], 1):
        recording = Fake(broken={broken: "died"})(trial)
        run.append(analyse.result(trial, recording), recording)
    return run


def test_a_family_is_what_differs_in_nothing_that_a_plan_chooses(run: store.Run) -> None:
    families = list(evidence.families(run, run.scenarios[0].cells))
    assert [dict(f.settings) for f in families] == [{"workers.pool": "prefork"}, {"workers.pool": "threads"}]
    prefork, threads = families
    assert (prefork.by_node, threads.by_node) == (False, True), "threads share a lock"
    assert (len(prefork.samples), prefork.failed, threads.failed) == (6, 2, 0)
    assert prefork.concurrencies == prefork.widths == (2, 4)


def test_a_sample_holds_what_the_trial_cost(run: store.Run) -> None:
    prefork, threads = evidence.families(run, run.scenarios[0].cells)
    flood = next(s for s in prefork.samples if s.flood and s.concurrency == 4)
    assert flood.busy == pytest.approx(4, rel=0.1)
    assert flood.consumer_s == pytest.approx(0.00065, rel=0.15) and flood.work_s > 0
    assert np.median(flood.services) == pytest.approx(0.05, rel=0.1)
    assert threads.samples[0].work_s == 0.0, "all of it is in the main process"
    calm = [s for s in prefork.samples if not s.flood and s.concurrency == 4]
    assert all(1 < s.busy < 2.8 for s in calm)
    found = evidence.offered(prefork, 1, 4, calm[0].prefetch)
    assert [rate for rate, _ in found] == [20.0, 20.0]


def test_steps_of_a_search_that_were_held_are_points(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(
        "question: How much?\nworkload: {task: io.sleep, kwargs: {seconds: 0.05}}\nrepeats: 1\n"
        "workers: {concurrency: 4}\nload: {shape: saturate, slo: 'p95(response) < 200ms'}\n",
        encoding="utf-8",
    )
    asked = scenario.load(file)
    run = store.create(tmp_path / "results", "r", {"seed": 1, "scenarios": [jsonable.plain(asked)]})
    (trial,) = plan.trials([asked], 1)
    recording = Fake()(trial)
    result = analyse.result(trial, recording)
    run.append(result, recording)
    (family,) = evidence.families(run, asked.cells)
    found = evidence.offered(family, 1, 4, asked.cells[0].setup.fleet[0].prefetch)
    steps = result.search["steps"]
    assert [rate for rate, _ in found] == sorted(step["rate"] for step in steps if step["held"])
    assert len(found) < len(steps)
    assert all(metrics["p95(response)"] < 0.2 for _, metrics in found)
