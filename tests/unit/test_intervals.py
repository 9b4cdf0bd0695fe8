"""Means over trials: known answers, and coverage by simulation."""

import numpy as np
import pytest
from scipy import stats

from bench.stats.intervals import arithmetic, geometric


def test_arithmetic_agrees_with_scipy() -> None:
    values = [0.0, 1.0, 5.0, 2.0]
    got = arithmetic(values)
    want = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    assert (got.lower, got.upper) == pytest.approx(want)
    assert (got.point, got.n) == (2.0, 4)


def test_geometric_is_the_arithmetic_of_logarithms() -> None:
    got = geometric([1.0, 100.0])
    assert got.point == pytest.approx(10.0)
    assert got.lower is not None and got.lower > 0


def test_one_trial_has_no_interval() -> None:
    assert geometric([3.0]) == (3.0, None, None, 1)
    assert arithmetic([0.0]) == (0.0, None, None, 1)


def test_equal_trials_have_a_point_for_an_interval() -> None:
    assert arithmetic([2.0, 2.0, 2.0]) == (2.0, 2.0, 2.0, 3)


@pytest.mark.parametrize(("average", "values"), [(arithmetic, []), (geometric, []), (geometric, [1.0, 0.0])])
def test_what_has_no_mean_is_refused(average: object, values: list[float]) -> None:
    with pytest.raises(ValueError, match="values"):
        average(values)  # type: ignore[operator]


def test_the_interval_covers_the_truth_in_95_of_100() -> None:
    """Five trials, a run effect of 5 % (log-normal): true geometric mean 100."""
    rng = np.random.default_rng(7)
    trials = 100 * np.exp(rng.normal(0, 0.05, (3000, 5)))
    found = [geometric(row) for row in trials]
    covered = np.mean([f.lower <= 100 <= f.upper for f in found])  # type: ignore[operator]
    assert 0.938 <= covered <= 0.962  # three standard errors of a binomial around 0.95
