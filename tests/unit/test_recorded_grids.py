"""Searches replayed on grids that real workers were measured for (docs/perf-decide.jsonl, and of a noisier
host docs/perf-decide-noisy.jsonl): a few of the replays of ``make perf-decide``, whose tables stand in
docs/performance.md.
"""

import importlib
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
import pytest

PERF = Path(__file__).parents[1] / "perf"
SEEDS = range(2)


@pytest.fixture(scope="module")
def perf() -> Iterator[None]:
    """The modules that replay can be imported; those beside them are their own imports."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(PERF)
        yield


@pytest.fixture(scope="module")
def decide(perf: None) -> Any:
    return importlib.import_module("decide")


@pytest.fixture(scope="module")
def known(perf: None) -> Any:
    return importlib.import_module("known")


@pytest.fixture(scope="module", params=["RAW", "NOISY"])
def grids(decide: Any, request: pytest.FixtureRequest) -> Any:
    return decide.grids(getattr(decide, request.param))


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


def test_where_the_truth_is_known_and_the_hour_quiet_a_search_loses_next_to_nothing(
    known: Any, grids: Any
) -> None:
    found = [known.replay(grid, "auto", 0.03, seed=1) for grid in grids]
    assert np.percentile([o.regret for o in found], 90) <= 0.05
    assert abs(fmean(o.inflation for o in found)) <= 0.02
    assert not any(o.violated for o in found)
