"""Pairs of trials, and many comparisons at once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.stats.paired import holm, paired


def test_agrees_with_scipy() -> None:
    a, b = [1.0, 2.1, 3.3, 4.0], [1.1, 1.9, 3.0, 4.4]
    got = paired(a, b)
    want = stats.ttest_rel(np.log(a), np.log(b))
    interval = want.confidence_interval()
    assert got.p == pytest.approx(want.pvalue)
    assert (got.lower, got.upper) == pytest.approx((np.exp(interval.low), np.exp(interval.high)))


def test_a_slow_block_cancels() -> None:
    """Blocks differ tenfold, the pair always by 10 %."""
    got = paired([1.1, 11.0, 0.11, 5.5], [1.0, 10.0, 0.1, 5.0])
    assert got.ratio == pytest.approx(1.1)
    assert got.p is not None and got.p < 1e-9


def test_one_pair_decides_nothing() -> None:
    assert paired([2.0], [1.0]) == (2.0, None, None, None, 1)


def test_equal_pairs() -> None:
    assert paired([1.0, 2.0], [1.0, 2.0]).p == 1.0


@pytest.mark.parametrize(("a", "b"), [([1.0], [1.0, 2.0]), ([0.0, 1.0], [1.0, 1.0]), ([], [])])
def test_what_cannot_be_compared_is_refused(a: list[float], b: list[float]) -> None:
    with pytest.raises(ValueError, match=r"values|pairs"):
        paired(a, b)


def test_holm_known_answer() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_never_lowers_and_keeps_the_order(p: list[float]) -> None:
    adjusted = holm(p)
    assert all(raw <= new <= 1 for raw, new in zip(p, adjusted, strict=True))
    assert [x for _, x in sorted(zip(p, adjusted, strict=True))] == sorted(adjusted)
