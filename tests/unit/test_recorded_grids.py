"""Searches replayed on grids that real workers were measured for (docs/perf-decide.jsonl): a few of the
replays of ``make perf-decide``, whose table stands in docs/performance.md.
"""

import importlib
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean, median
from typing import Any

import pytest

PERF = Path(__file__).parents[1] / "perf"
SEEDS = range(2)


@pytest.fixture(scope="module")
def decide() -> Iterator[Any]:
    """The module that replays; those beside it are its own imports."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(PERF)
        yield importlib.import_module("decide")


@pytest.fixture(scope="module")
def grids(decide: Any) -> Any:
    return decide.grids()


def test_every_candidate_was_recorded_in_five_blocks_at_least(grids: Any) -> None:
    assert len(grids) >= 1
    for grid in grids:
        good = [sum(t["ok"] for t in by_block.values()) for by_block in grid.trials.values()]
        assert min(good) >= 5, grid.kind.name
        assert len(grid.cells) >= 15


def test_a_search_loses_less_than_the_rules_people_go_by(decide: Any, grids: Any) -> None:
    ours = [decide.replay(grid, "auto", seed) for grid in grids for seed in SEEDS]
    assert all(found.time <= decide.SHARE * 1.1 for found in ours), "a third of the grid's time"
    assert not any(found.violated for found in ours)
    for rule in ("Celery's default", "rule of thumb"):
        theirs = [decide.fixed(grid, rule, seed) for grid in grids for seed in SEEDS]
        assert fmean(o.regret for o in ours) < fmean(o.regret for o in theirs)
    told = [found.inflation for found in ours if found.inflation is not None]
    assert len(told) > len(ours) / 2
    assert abs(median(told)) < 0.05, "what is reported comes from other trials than the search's"
