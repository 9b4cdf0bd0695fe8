"""Contrasts checked by simulation: known differences, known spread."""

import math

import numpy as np
import pytest
from scipy import stats

from bench.stats import contrast

MARGIN = math.log(1.02)


def test_pairs_and_series_agree_with_scipy() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(0, 1, 8), rng.normal(0.4, 2, 11)
    series = contrast.of_series(a, b)
    assert series is not None
    welch = stats.ttest_ind(b, a, equal_var=False)
    assert (series.df, contrast.p_beyond(series, 0.0)) == pytest.approx((welch.df, welch.pvalue))
    assert contrast.interval(series) == pytest.approx(tuple(welch.confidence_interval()))
    pairs = contrast.of_pairs(a, b[:8])
    assert pairs is not None
    student = stats.ttest_rel(b[:8], a)
    assert contrast.p_beyond(pairs, 0.0) == pytest.approx(student.pvalue)
    assert contrast.interval(pairs) == pytest.approx(tuple(student.confidence_interval()))


def test_one_trial_is_no_contrast() -> None:
    assert contrast.of_pairs([1.0], [2.0]) is None
    assert contrast.of_series([1.0, 2.0], [2.0]) is None


def share_beyond(effect: float, n: int, spread: float = 0.04, times: int = 4000) -> float:
    """How often ``n`` pairs of this true effect are told to be beyond the margin."""
    rng = np.random.default_rng(5)
    found = (contrast.of_pairs(np.zeros(n), rng.normal(effect, spread, n)) for _ in range(times))
    return float(np.mean([f is not None and contrast.p_beyond(f, MARGIN) < 0.05 for f in found]))


def test_at_the_margin_one_in_forty_is_told_to_be_beyond_it_and_none_at_no_difference() -> None:
    assert share_beyond(MARGIN, 8) == pytest.approx(0.025, abs=0.01)
    assert share_beyond(0.0, 8) < 0.005


def test_the_smallest_effect_that_could_be_shown_is_shown_in_four_of_five() -> None:
    n, spread = 10, 0.04
    known = contrast.Contrast(0.0, spread / math.sqrt(n), n - 1, n)
    assert share_beyond(contrast.smallest_shown(known, MARGIN), n, spread) == pytest.approx(0.8, abs=0.04)


@pytest.mark.parametrize("effect", [0.0, 0.005, 0.04, 0.08])
def test_as_many_trials_as_it_says_decide_and_one_fewer_does_not(effect: float) -> None:
    known = contrast.Contrast(effect, 0.08 / math.sqrt(4), 3, 4)
    total = contrast.trials_to_decide(known, MARGIN)
    assert total is not None
    for n, decides in ((total, True), (total - 1, False)):
        low, high = contrast.interval(contrast.Contrast(effect, 0.08 / math.sqrt(n), n - 1, n))
        apart = low > MARGIN or high < -MARGIN or (low > -MARGIN and high < MARGIN)
        assert apart is decides


def test_a_mean_on_the_margin_is_never_decided() -> None:
    assert contrast.trials_to_decide(contrast.Contrast(MARGIN, 0.02, 3, 4), MARGIN) is None


def test_equal_trials_are_decided_at_once() -> None:
    same = contrast.of_pairs([1.0, 1.0], [1.0, 1.0])
    more = contrast.of_pairs([1.0, 1.0], [1.5, 1.5])
    assert same is not None
    assert more is not None
    assert contrast.p_beyond(same, MARGIN) == 1.0
    assert contrast.p_beyond(more, MARGIN) == 0.0
    assert contrast.trials_to_decide(more, MARGIN) == 2
