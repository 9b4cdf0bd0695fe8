"""MSER-5 and the verdicts, on traces whose warm-up is known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.stats.steady import Steady, mser, rate, steady, trend

Floats = NDArray[np.float64]


def trace(rates: Floats, rng: np.random.Generator, slots: int = 1) -> Floats:
    """Completion times of as many tasks as there are ``rates`` (1/s); gaps are gamma of shape ``slots``."""
    return np.cumsum(rng.gamma(slots, 1 / slots, rates.size) / rates)


def test_mser_finds_the_cut() -> None:
    values = np.concatenate([[9.0, 8.0, 7.0], np.tile([1.0, 1.1], 20)])
    assert mser(values) == 3


@pytest.mark.parametrize("values", [np.ones(50), np.arange(4.0)])
def test_mser_cuts_nothing_without_reason(values: Floats) -> None:
    assert mser(values) == 0


def test_trend_of_a_line() -> None:
    change, p = trend(np.linspace(1.0, 2.0, 11))
    assert change == pytest.approx(1 / 1.5)
    assert p == 0.0


@pytest.mark.parametrize("slots", [1, 2, 8])
def test_a_warm_up_is_cut_and_leaves_no_bias(slots: int) -> None:
    """The first fifth runs at half the rate: the mean over 60 traces is within 1 % of the settled rate."""
    rng = np.random.default_rng(slots)
    rates = np.where(np.arange(2000) < 400, 50.0, 100.0)
    ends = [trace(rates, rng, slots=4) for _ in range(60)]
    found = [steady(e, slots=slots, tail=float(e[-1])) for e in ends]
    assert sum(f.verdict == "steady" for f in found) >= 57
    settled = [f for f in found if f.verdict == "steady"]
    assert np.mean([f.rate for f in settled]) == pytest.approx(100.0, rel=0.01)
    starts = [f.start - e[399] for f, e in zip(found, ends, strict=True)]
    assert min(starts) > -0.5  # at most half a second of eight of the warm-up is left in


def test_settled_traces_are_seldom_doubted() -> None:
    rng = np.random.default_rng(3)
    verdicts = [
        steady(e, slots=2, tail=1e9).verdict for e in (trace(np.full(400, 50.0), rng) for _ in range(300))
    ]
    assert verdicts.count("steady") >= 288


TASKS = 2000
SHARE = np.arange(TASKS) / TASKS
WARM_UPS = {
    "none": np.ones(TASKS),
    "exponential decay": 1 - 0.6 * np.exp(-SHARE / 0.05),
    "a fast start that decays": 1 + 2 * np.exp(-SHARE / 0.03),
    "a slow step": np.where(SHARE < 0.2, 0.5, 1.0),
    "a fast step": np.where(SHARE < 0.2, 1.6, 1.0),
    "a ramp over 30 %": np.minimum(1.0, 0.3 + 0.7 * SHARE / 0.3),
}
"""Rates of completions, 1/s, that end in 1.0."""

UNSETTLED = {
    "a third at the end": np.geomspace(1, 0.3, TASKS),
    "three times at the end": np.geomspace(1, 3, TASKS),
    "half at the end": np.linspace(1, 0.5, TASKS),
    "twice at the end": np.linspace(1, 2, TASKS),
    "faster and faster": np.exp(1.5 * SHARE**3),
    "slower and slower": np.exp(-1.5 * SHARE**3),
    "the second half only": np.where(SHARE < 0.5, 1.0, 6 * SHARE - 2),
}


def waves(rates: Floats, rng: np.random.Generator, slots: int) -> Floats:
    """Completion times of ``slots`` equal tasks that start together, within 2 % of each other."""
    rounds = slots / rates[::slots]
    late = np.abs(rng.normal(0, 0.02, (rounds.size, slots))) * rounds[:, None]
    return np.sort((np.cumsum(rounds)[:, None] + late).ravel())


def verdicts(rates: Floats, slots: int, n: int) -> list[Steady]:
    """Of ``n`` traces, every fourth in waves."""
    rng = np.random.default_rng(slots)
    made = [waves(rates, rng, slots) if i % 4 == 0 else trace(rates, rng, slots=4) for i in range(n)]
    return [steady(e, slots=slots, tail=float(e[-1])) for e in made]


@pytest.mark.parametrize("slots", [1, 2, 20])
def test_what_settles_is_measured_without_bias(slots: int) -> None:
    """Of 200 traces of each warm-up the mean rate is within 1 %; at most 3 in 100 of all are called drifting,
    1 never.
    """
    called: list[str] = []
    for name, rates in WARM_UPS.items():
        found = verdicts(rates, slots, 200)
        called += [f.verdict for f in found]
        assert np.nanmean([f.rate for f in found]) == pytest.approx(1.0, rel=0.01), name
    assert called.count("drifting") <= 0.03 * len(called)
    assert called.count("never") <= 0.01 * len(called)


@pytest.mark.parametrize("slots", [1, 2, 20])
@pytest.mark.parametrize("name", UNSETTLED)
def test_what_never_settles_is_called_never(name: str, slots: int) -> None:
    """At least 95 of 100."""
    found = verdicts(UNSETTLED[name], slots, 100)
    assert sum(f.verdict == "never" for f in found) >= 95


def test_a_drifting_random_walk_is_called_never() -> None:
    """Its logarithm has a drift of 1 and a deviation of 0.3 over the trial."""
    rng = np.random.default_rng(5)
    walks = [np.exp(np.cumsum(rng.normal(1 / TASKS, 0.3 / TASKS**0.5, TASKS))) for _ in range(100)]
    found = [steady(trace(rates, rng, slots=4), slots=2, tail=1e9).verdict for rates in walks]
    assert found.count("never") >= 95


def test_a_bounded_trend_is_drifting() -> None:
    """Equal bins that get 10 % slower: the mean is good to 5 %, and the doubt says what was seen."""
    rng = np.random.default_rng(6)
    rates = np.linspace(1.05, 0.95, TASKS)
    found = [steady(trace(rates, rng, slots=40), slots=1, tail=1e9) for _ in range(50)]
    assert sum(f.verdict == "drifting" for f in found) >= 45
    assert found[0].why == "the rate of completions changed by -10 % across the window"
    assert np.mean([f.rate for f in found]) == pytest.approx(1.0, rel=0.02)


def test_parts_that_differ_without_a_trend_never_settled() -> None:
    rng = np.random.default_rng(7)
    rates = 1 + 0.4 * np.cos(4 * np.pi * SHARE)
    found = steady(trace(rates, rng, slots=4), slots=1, tail=1e9)
    assert found.verdict == "never" and "parts of the window differ" in found.why


def test_the_last_half_changing_is_never() -> None:
    ends = np.cumsum(1 / np.concatenate([np.full(500, 50.0), np.linspace(50.0, 200.0, 500)]))
    found = steady(ends, slots=1, tail=float(ends[-1]))
    assert found.verdict == "never"
    assert np.isnan(found.rate) and "until the end" in found.why


def test_waves_do_not_bias_the_rate() -> None:
    """Twenty slots, equal tasks of 50 ms: twenty at once, 400/s.

    Counting from the first to the last completion would say 420/s.
    """
    ends = np.repeat(np.arange(1, 21) * 0.05, 20)
    found = steady(ends, slots=20, tail=1.0)
    assert found.verdict == "steady"
    assert found.rate == pytest.approx(400.0)
    assert rate(ends[7:], 20) == pytest.approx(400.0)  # and from the middle of a wave


def test_too_few_completions() -> None:
    found = steady(np.arange(40.0), slots=4, tail=100.0)
    assert found.verdict == "never"
    assert found.why == "40 completions before the drain tail, 81 are needed with 4 slots"
    assert steady(np.array([]), slots=1, tail=0.0).tasks == 0


def test_the_tail_is_left_out() -> None:
    ends = np.concatenate([np.arange(100) * 0.1, 10 + np.arange(20) * 1.0])
    found = steady(ends, slots=1, tail=9.9)
    assert (found.tasks, found.end) == (100, pytest.approx(9.9))
    assert found.rate == pytest.approx(10.0)


@pytest.mark.parametrize("slots", [1, 2, 20])
def test_a_tail_that_thins_out_does_not_change_the_rate(slots: int) -> None:
    """The last 10 % at a third of the rate, where slots stand idle: with the tail given nothing of it is
    measured, without it the window is no longer settled.
    """
    rng = np.random.default_rng(slots)
    rates = np.where(SHARE < 0.9, 1.0, 0.3)
    found, blind = [], []
    for _ in range(40):
        ends = trace(rates, rng, slots=4)
        found.append(steady(ends, slots=slots, tail=float(ends[int(0.9 * TASKS) - 1])))
        blind.append(steady(ends, slots=slots, tail=float(ends[-1])).verdict)
    assert np.nanmean([f.rate for f in found]) == pytest.approx(1.0, rel=0.01)
    assert sum(f.verdict == "steady" for f in found) >= 38
    assert blind.count("steady") == 0
