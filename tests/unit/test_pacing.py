"""When each task is due and which one it is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import pacing
from bench.model import SHAPES, Load

WEIGHTS = st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=8)
SEEDS = st.integers(0, 2**63)


def test_a_flood_is_due_at_once():
    due = pacing.due_times(Load(shape="flood", tasks=5), 1)
    assert due.dtype == np.float64
    assert due.tolist() == [0.0] * 5


def test_a_constant_load_is_due_every_interval():
    due = pacing.due_times(Load(shape="constant", rate=4.0, duration=1.5), 1)
    assert due.tolist() == [0.0, 0.25, 0.5, 0.75, 1.0, 1.25]


@given(st.floats(0.01, 1e4), st.floats(0.001, 100), SEEDS)
def test_a_constant_load_keeps_its_rate_and_its_end(rate, duration, seed):
    load = Load(shape="constant", rate=rate, duration=min(duration, 1e5 / rate))
    due = pacing.due_times(load, seed)
    assert len(due) == load.count
    assert due[0] == 0.0
    assert (np.diff(due) > 0).all()
    assert due[-1] <= load.duration + 0.5 / rate
    assert np.array_equal(due, np.arange(len(due)) / rate), "no error adds up"


def test_every_shape_of_the_model_is_known():
    loads = {"flood": Load(tasks=3), "constant": Load(shape="constant", rate=1.0, duration=3.0)}
    assert set(loads) == set(SHAPES)
    assert all(len(pacing.due_times(load, 0)) == 3 for load in loads.values())


@pytest.mark.parametrize("load", [Load(shape="tide", tasks=3), Load(shape="constant", duration=3.0)])
def test_an_impossible_load_is_refused(load):
    with pytest.raises(ValueError, match=r"shape|rate"):
        pacing.due_times(load, 0)


@given(WEIGHTS, st.integers(0, 500), SEEDS)
def test_counts_are_proportional_to_the_weights(weights, n, seed):
    chosen = pacing.choices(weights, n, seed)
    assert chosen.dtype == np.int16
    counts = np.bincount(chosen, minlength=len(weights))
    exact = n * np.array(weights) / sum(weights)
    assert counts.sum() == n
    assert (np.abs(counts - exact) < 1 + 1e-6).all()
    assert np.array_equal(chosen, pacing.choices(weights, n, seed))


@given(WEIGHTS, st.integers(1, 200), SEEDS, SEEDS)
def test_a_seed_changes_only_the_order(weights, n, one, two):
    a, b = pacing.choices(weights, n, one), pacing.choices(weights, n, two)
    assert sorted(a) == sorted(b)


def test_the_order_is_shuffled_and_what_is_left_goes_to_the_largest_remainder():
    chosen = pacing.choices([9, 1], 1000, 3)
    assert chosen.sum() == 100
    assert 20 < chosen[:500].sum() < 80
    assert not np.array_equal(chosen, pacing.choices([9, 1], 1000, 4))
    assert np.bincount(pacing.choices([1, 1, 1], 100, 0)).tolist() == [34, 33, 33]
    assert np.bincount(pacing.choices([5, 3, 2], 7, 0)).tolist() == [4, 2, 1]  # 3.5, 2.1, 1.4


@pytest.mark.parametrize("weights", [[], [0], [1, -1], [float("nan")], [float("inf")], [1] * 40_000])
def test_impossible_weights_are_refused(weights):
    with pytest.raises(ValueError, match="weights"):
        pacing.choices(weights, 10, 0)


def test_extreme_weights_do_not_overflow():
    assert np.bincount(pacing.choices([1e308, 1e308], 10, 0)).tolist() == [5, 5]
