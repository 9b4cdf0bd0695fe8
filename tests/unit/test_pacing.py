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


RATES = st.floats(0.1, 500)
SECONDS = st.floats(0.01, 20)
PARTS = st.one_of(
    st.builds(Load, shape=st.sampled_from(["constant", "poisson"]), rate=RATES, duration=SECONDS),
    st.builds(
        Load,
        shape=st.just("steps"),
        rates=st.lists(RATES, min_size=1, max_size=4).map(tuple),
        duration=SECONDS,
    ),
    st.builds(Load, shape=st.just("ramp"), rates=st.tuples(RATES | st.just(0.0), RATES), duration=SECONDS),
    st.builds(Load, shape=st.just("ramp"), rates=st.tuples(RATES, RATES | st.just(0.0)), duration=SECONDS),
    st.tuples(RATES, st.floats(0.01, 1), st.floats(0.1, 30), SECONDS).map(
        lambda t: Load(shape="sine", rate=t[0], amplitude=t[0] * t[1], period=t[2], duration=t[3])
    ),
    st.builds(Load, shape=st.just("burst"), tasks=st.integers(1, 50)),
    st.builds(
        Load, shape=st.just("burst"), tasks=st.integers(1, 50), every=st.floats(0.1, 30), duration=SECONDS
    ),
)
CHAINS = st.lists(PARTS, min_size=2, max_size=4).map(lambda parts: Load(shape="phases", phases=tuple(parts)))


@pytest.mark.parametrize(
    ("load", "due"),
    [
        (Load(shape="steps", rates=(2.0, 4.0), duration=2.0), [0, 0.5, 1, 1.25, 1.5, 1.75]),
        (Load(shape="steps", rates=(0.1, 2.0), duration=2.0), [0, 1, 1.5]),
        (Load(shape="ramp", rates=(0.0, 4.0), duration=2.0), [0, 1, 2**0.5, 3**0.5]),
        (Load(shape="ramp", rates=(4.0, 0.0), duration=2.0), [0, 2 - 3**0.5, 2 - 2**0.5, 1]),
        (Load(shape="ramp", rates=(2.0, 2.0), duration=1.5), [0, 0.5, 1]),
        (Load(shape="sine", rate=2.0, amplitude=0.0, period=1.0, duration=1.5), [0, 0.5, 1]),
        (Load(shape="burst", tasks=2), [0, 0]),
        (Load(shape="burst", tasks=2, every=3.0, duration=6.0), [0, 0, 3, 3]),
        (Load(shape="burst", tasks=1, every=3.0, duration=6.1), [0, 3, 6]),
        (Load(shape="burst", tasks=1, every=9.0, duration=3.0), [0]),
        (
            Load(
                shape="phases",
                phases=(
                    Load(shape="constant", rate=2.0, duration=1.0),
                    Load(shape="burst", tasks=2),
                    Load(shape="burst", tasks=1, every=1.0, duration=2.0),
                    Load(shape="constant", rate=1.0, duration=1.0),
                ),
            ),
            [0, 0.5, 1, 1, 1, 2, 3],
        ),
    ],
)
def test_due_times_by_hand(load, due):
    assert pacing.due_times(load, 1) == pytest.approx(due, abs=1e-8)
    assert load.count == len(due)


@given(PARTS | CHAINS, SEEDS)
def test_due_times_ascend_within_the_load_and_are_as_many_as_it_says(load, seed):
    due = pacing.due_times(load, seed)
    assert len(due) == load.count
    assert due[0] >= 0
    assert (np.diff(due) >= 0).all()
    assert due[-1] <= load.length + 1e-9
    assert np.array_equal(due, pacing.due_times(load, seed))


@given(CHAINS, SEEDS)
def test_a_chain_is_its_parts_one_after_the_other(load, seed):
    due, first, start = pacing.due_times(load, seed), 0, 0.0
    for part in load.phases:
        here = due[first : first + part.count]
        if part.shape != "poisson":
            assert here == pytest.approx(start + pacing.due_times(part, seed))
        assert ((here >= start) & (here <= start + part.length + 1e-9)).all()
        first, start = first + part.count, start + part.length
    assert first == len(due)


def test_chance_differs_between_the_parts_of_a_chain():
    part = Load(shape="poisson", rate=50.0, duration=1.0)
    due = pacing.due_times(Load(shape="phases", phases=(part, part)), 7)
    assert not np.allclose(due[:50], due[50:] - 1.0)


@given(RATES, RATES | st.just(0.0), st.floats(1, 20))
def test_a_ramp_has_published_what_its_rate_sums_up_to(low, high, seconds):
    load = Load(shape="ramp", rates=(low, high), duration=seconds)
    due = pacing.due_times(load, 0)
    summed = low * due + (high - low) / (2 * seconds) * due**2
    assert summed == pytest.approx(np.arange(len(due)), abs=1e-6)


@given(st.floats(1, 500), st.floats(0, 1), st.floats(0.5, 30), st.floats(1, 20))
def test_a_sine_has_published_what_its_rate_sums_up_to(rate, share, period, seconds):
    load = Load(shape="sine", rate=rate, amplitude=rate * share, period=period, duration=seconds)
    due = pacing.due_times(load, 0)
    wave = period / (2 * np.pi)
    summed = rate * due + load.amplitude * wave * (1 - np.cos(due / wave))
    assert summed == pytest.approx(np.arange(len(due)), abs=1e-6)


def test_rates_seen_in_windows_are_those_asked_for():
    ramp = pacing.due_times(Load(shape="ramp", rates=(100.0, 500.0), duration=10.0), 0)
    assert np.histogram(ramp, 10, (0, 10))[0] == pytest.approx(np.arange(120, 500, 40), abs=1)
    sine = pacing.due_times(Load(shape="sine", rate=200.0, amplitude=150.0, period=8.0, duration=16.0), 0)
    middle = np.arange(0.5, 16)
    wanted = 200 + 150 * np.sin(2 * np.pi * middle / 8) * np.sinc(1 / 8)
    assert np.histogram(sine, 16, (0, 16))[0] == pytest.approx(wanted, abs=1)


def test_a_poisson_load_has_the_gaps_and_the_scatter_of_one():
    due = pacing.due_times(Load(shape="poisson", rate=1000.0, duration=100.0), 3)
    assert len(due) == 100_000
    gaps = np.diff(due)
    assert gaps.mean() == pytest.approx(0.001, rel=0.01)
    assert gaps.std() == pytest.approx(0.001, rel=0.02)  # of an exponential distribution: its mean
    counts = np.histogram(due, 10_000, (0, 100))[0]
    assert counts.var() / counts.mean() == pytest.approx(1, abs=0.06)
    assert not np.array_equal(due, pacing.due_times(Load(shape="poisson", rate=1000.0, duration=100.0), 4))


def test_phases_and_steps_are_named_and_add_up():
    chain = Load(
        shape="phases",
        phases=(
            Load(shape="constant", rate=50.0, duration=2.0),
            Load(shape="burst", tasks=500),
            Load(shape="steps", rates=(10.0, 20.0), duration=4.0),
            Load(shape="ramp", rates=(0.0, 100.0), duration=1.0),
            Load(shape="sine", rate=50.0, amplitude=30.0, period=1.0, duration=1.0),
            Load(shape="burst", tasks=5, every=0.5, duration=1.0),
            Load(shape="poisson", rate=0.5, duration=60.0),
        ),
    )
    found = pacing.phases(chain)
    assert [(p.name, p.start, p.end, p.first, p.count) for p in found] == [
        ("1 constant 50/s", 0, 2, 0, 100),
        ("2 burst 500", 2, 2, 100, 500),
        ("3 step 10/s", 2, 4, 600, 20),
        ("4 step 20/s", 4, 6, 620, 40),
        ("5 ramp 0/s to 100/s", 6, 7, 660, 50),
        ("6 sine 50/s ± 30/s", 7, 8, 710, 50),
        ("7 burst 5 every 500 ms", 8, 9, 760, 10),
        ("8 poisson 0.5/s", 9, 69, 770, 30),
    ]
    assert chain.count == 800
    steps = pacing.phases(Load(shape="steps", rates=(10.0, 10.0), duration=4.0))
    assert [p.name for p in steps] == ["1 step 10/s", "2 step 10/s"]
    assert pacing.phases(Load(shape="constant", rate=1.0, duration=3.0)) == ()


@given(CHAINS, SEEDS)
def test_phases_hold_the_tasks_they_name(load, seed):
    due, found = pacing.due_times(load, seed), pacing.phases(load)
    assert sum(p.count for p in found) == load.count
    assert len({p.name for p in found}) == len(found)
    for p in found:
        here = due[p.first : p.first + p.count]
        assert ((here >= p.start - 1e-9) & (here <= p.end + 1e-9)).all()


def test_every_shape_of_the_model_is_known():
    assert {*pacing._SHAPES, *pacing._ELSEWHERE} == set(SHAPES)


@pytest.mark.parametrize(
    ("load", "what"),
    [
        (Load(shape="tide", tasks=3), "not a shape"),
        (Load(shape="constant", duration=3.0), "rate"),
        (Load(shape="poisson", rate=-1.0, duration=3.0), "rate"),
        (Load(shape="steps", duration=3.0), "rates"),
        (Load(shape="steps", rates=(1.0, 0.0), duration=3.0), "rate"),
        (Load(shape="ramp", rates=(0.0, 0.0), duration=3.0), "above 0"),
        (Load(shape="ramp", rates=(1.0, 2.0)), "duration"),
        (Load(shape="sine", rate=1.0, amplitude=2.0, period=1.0, duration=3.0), "amplitude"),
        (Load(shape="sine", rate=1.0, amplitude=0.5, duration=3.0), "period"),
        (Load(shape="replay", tasks=3), "trace"),
        (Load(shape="closed", tasks=3, clients=1), "client"),
        (Load(shape="saturate", slo="p95(response) < 1s"), "measured"),
        (Load(shape="phases", phases=(Load(shape="closed", tasks=3, clients=1),)), "client"),
    ],
)
def test_an_impossible_load_is_refused(load, what):
    with pytest.raises(ValueError, match=what):
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
