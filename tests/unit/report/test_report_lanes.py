from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench import store
from bench.model import Workers
from bench.report import lanes
from bench.report.lanes import LanePanel, cells_to_contrast, lane_figure, panel
from bench.report.view import collect


def tasks(rows: list[tuple[float, float, int, int]]) -> pd.DataFrame:
    """(start, end, node, kind) → the columns of ``events.tasks`` that a picture needs."""
    frame = pd.DataFrame(rows, columns=["last_started", "ended", "node", "task"])
    return frame.assign(pid=1000 + frame["node"], state=np.where(frame["ended"].isna(), 0, 1))


def draw(rows: list[tuple[float, float, int, int]], *, concurrency: int = 1, nodes: int = 1) -> LanePanel:
    groups = [Workers(concurrency=concurrency)] * nodes
    return panel(tasks(rows), title="t", circumstance="", trial="x", groups=groups, kinds=[0, 1])


def test_a_node_is_called_by_its_group() -> None:
    groups = [Workers(name="io", concurrency=1)] * 2 + [
        Workers(name="cpu", concurrency=1),
        Workers(concurrency=1),
    ]
    found = panel(tasks([(0.0, 1.0, 1, 0)]), title="t", circumstance="", trial="x", groups=groups, kinds=[0])
    assert found.names == ("io 1", "io 2", "cpu", "node 3")


def test_one_bar_a_task_in_the_lane_of_its_slot() -> None:
    found = draw([(0.0, 1.0, 0, 0), (1.0, 2.0, 0, 0), (0.0, 3.0, 1, 1)], nodes=2)
    short, long = found.bars
    assert short.lane.tolist() == [0, 0]
    assert long.lane.tolist() == [1]
    assert long.start.tolist() == [0.0]
    assert long.width.tolist() == [3.0]
    assert found.makespan == 3.0
    assert found.span is None


def test_a_node_that_ran_nothing_is_an_idle_lane() -> None:
    found = draw([(0.0, 1.0, 1, 0)], nodes=3)
    assert found.nodes == ((0, 0, 1), (1, 1, 1), (2, 2, 1))
    assert found.bars[0].lane.tolist() == [1]


def test_idle_slots_of_a_node_keep_their_lanes() -> None:
    found = draw([(0.0, 1.0, 0, 0), (0.0, 1.0, 1, 0)], concurrency=4, nodes=2)
    assert found.slots == found.lanes == 8
    assert found.bars[0].lane.tolist() == [0, 4]


def test_a_task_that_never_ended_lasts_to_the_end_and_is_marked() -> None:
    found = draw([(0.0, float("nan"), 0, 0), (0.0, 2.0, 0, 0)], concurrency=2)
    assert sorted(found.bars[0].width.tolist()) == [2.0, 2.0]
    assert [time for _, time in found.broken] == [2.0]


def test_many_slots_are_thinned_evenly_in_each_node() -> None:
    rows = [(0.0, 1.0, node, 0) for node in (0, 1) for _ in range(100)]
    found = draw(rows, concurrency=100, nodes=2)
    assert found.slots == 200
    assert found.lanes == lanes.MOST_LANES
    assert [n for _, _, n in found.nodes] == [20, 20]


def test_many_tasks_become_busy_shares_that_keep_the_time() -> None:
    rows = [(i * 0.01, i * 0.01 + 0.005, 0, i % 2) for i in range(1000)]
    found = draw(rows)
    assert found.span == pytest.approx(found.makespan / lanes.SPANS)
    busy = sum(float((bars.height * bars.width).sum()) for bars in found.bars)
    assert busy == pytest.approx(1000 * 0.005, rel=0.01)
    assert max(float((bars.height + bars.foot).max()) for bars in found.bars) <= 1.0 + 1e-9


def test_overlap_of_intervals_with_spans() -> None:
    found = lanes._overlap(np.array([0.5, 2.0]), np.array([1.5, 2.25]), np.array([0.0, 1.0, 2.0, 3.0]))
    assert found.tolist() == [0.5, 0.5, 0.25]


def test_lowest_and_highest_prefetch_stand_side_by_side(make_scenario: Any, make_run: Any) -> None:
    asked = make_scenario(work=["mixed"], pools=["prefork"], prefetch=[4, 1, 0], nodes=2)
    run = make_run(asked)
    figure = lane_figure(collect(run)[0], run)
    assert [p.title for p in figure.rows[0]] == ["prefetch 1", "prefetch unlimited"]
    assert figure.kinds == ("io.sleep(seconds=0.01)", "io.sleep(seconds=0.5)"), "from short to long"


def test_without_prefetch_best_and_worst(make_scenario: Any, given: Callable[..., Any]) -> None:
    asked = make_scenario(work=["cpu"], prefetch=[1], pools=["prefork", "threads", "gevent"])
    view = given(asked, {"cpu-prefork-1": [3.0], "cpu-threads-1": [1.0], "cpu-gevent-1": [2.0]})
    assert [c.pool for c in cells_to_contrast(view.parts[0], "throughput")] == ["prefork", "threads"]


@pytest.mark.parametrize(("slow", "shown"), [([2.0, 2.1], "threads"), ([2.0, 0.9], "prefork")])
def test_another_pool_is_shown_only_if_every_block_tells_more(
    slow: list[float], shown: str, make_scenario: Any, given: Callable[..., Any]
) -> None:
    asked = make_scenario(work=["cpu"], metric="makespan")
    times = {
        "cpu-prefork-1": [0.5, 0.5],
        "cpu-prefork-16": [0.5, 0.5],
        "cpu-threads-1": [1.0, 1.0],
        "cpu-threads-16": slow,
    }
    pair = cells_to_contrast(given(asked, times).parts[0], "makespan")
    assert {c.pool for c in pair} == {shown}
    assert [c.setup.fleet[0].prefetch for c in pair] == [1, 16]


def test_a_run_without_a_good_trial_has_no_lanes(make_scenario: Any, make_run: Any) -> None:
    run: store.Run = make_run(make_scenario(), stop=0)
    assert lane_figure(collect(run)[0], run).rows == ()
