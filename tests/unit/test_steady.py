"""MSER-5 and the verdicts, on traces whose warm-up is known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.stats.steady import mser, rate, steady, trend

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


@pytest.mark.parametrize("end", [0.3, 3.0])
def test_what_never_settles_is_found(end: float) -> None:
    """A rate that goes on changing to the end: at least 95 in 100 are called never or drifting."""
    rng = np.random.default_rng(4)
    traces = [trace(np.geomspace(100.0, 100.0 * end, 1000), rng, slots=4) for _ in range(100)]
    verdicts = [steady(e, slots=2, tail=1e9).verdict for e in traces]
    assert verdicts.count("steady") <= 5


def test_the_last_half_changing_is_never() -> None:
    ends = np.cumsum(1 / np.concatenate([np.full(500, 50.0), np.linspace(50.0, 200.0, 500)]))
    found = steady(ends, slots=1, tail=float(ends[-1]))
    assert found.verdict == "never"
    assert np.isnan(found.rate) and "second half" in found.why


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
