"""Host speed as a covariate: known answers, and by simulation how often it is used, covers and narrows."""

import numpy as np
import pytest
from scipy import stats

from bench.stats.covariate import Adjusted, Covariance, Group, adjusted, narrows
from bench.stats.intervals import arithmetic

CELLS, TRIALS, SPREAD = 4, 5, 0.05
"""Of a simulated run; standard deviation of the logarithm of a metric from trial to trial."""


def run(r: float, rng: np.random.Generator) -> list[Group]:
    """Trials whose y (true mean 0 at x = 0) correlates with x (deviation 4 %) by ``r`` within cells."""
    groups = []
    for _ in range(CELLS):
        x, noise = rng.standard_normal((2, TRIALS))
        y = SPREAD * (r * x + (1 - r * r) ** 0.5 * noise)
        groups.append(Group(y.tolist(), (0.04 * x).tolist()))
    return groups


def simulated(r: float, n: int = 1000) -> list[tuple[list[Group], Covariance]]:
    rng = np.random.default_rng(31)
    runs = [run(r, rng) for _ in range(n)]
    found = [(groups, adjusted(groups)) for groups in runs]
    return [(groups, f) for groups, f in found if f is not None]


def covered(means: tuple[Adjusted, ...], truth: float) -> int:
    return sum(m.lower <= truth <= m.upper for m in means)


def test_one_cell_agrees_with_a_regression() -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal(12)
    y = 3 - 2 * x + rng.standard_normal(12)
    found = adjusted([Group(y.tolist(), x.tolist())])
    want = stats.linregress(x, y)
    assert found is not None
    assert (found.slope, found.p, found.r2) == pytest.approx((want.slope, want.pvalue, want.rvalue**2))
    assert found.means[0].mean == pytest.approx(y.mean())  # the only cell's own mean x is the run's
    errors = []
    for i in range(12):
        rest = np.arange(12) != i
        line = stats.linregress(x[rest], y[rest])
        errors.append((y[i] - line.intercept - line.slope * x[i]) ** 2 / (y[i] - y[rest].mean()) ** 2)
    alone = [(y[i] - y[np.arange(12) != i].mean()) ** 2 for i in range(12)]
    assert found.left == pytest.approx(np.dot(errors, alone) / sum(alone))


def test_cells_are_brought_to_one_speed() -> None:
    """Two equal cells, one measured while the host was slow: a line without noise."""
    slow, fast = [1.0, 1.1, 1.2, 1.3], [0.0, 0.1, 0.2, 0.3]
    found = adjusted([Group([-v for v in slow], slow), Group([-v for v in fast], fast)])
    assert found is not None and narrows(found)
    assert found.slope == pytest.approx(-1.0)
    assert found.at == pytest.approx(0.65)
    assert [m.mean for m in found.means] == pytest.approx([-0.65, -0.65])


@pytest.mark.parametrize(
    "groups",
    [
        [],
        [Group([1.0, 2.0], [1.0, 2.0])],
        [Group([1.0, 2.0, 3.0], [1.0, 1.0, 1.0])] * 4,
        [Group([1.0, 1.0, 1.0], [1.0, 2.0, 3.0])] * 4,
    ],
)
def test_nothing_is_made_of_nothing(groups: list[Group]) -> None:
    assert adjusted(groups) is None
    assert not narrows(None)


def test_groups_must_match() -> None:
    with pytest.raises(ValueError, match="as many x as y"):
        adjusted([Group([1.0], [])])


def test_a_trial_alone_in_its_cell_does_no_harm() -> None:
    found = adjusted([Group([0.0], [5.0]), *run(0.9, np.random.default_rng(2))])
    assert found is not None and np.isfinite(found.left)


def test_without_a_relation_it_is_hardly_ever_used() -> None:
    """In at most 2 of 100 runs; and what the product then shows covers in 93 to 97 of 100."""
    runs = simulated(0.0)
    assert sum(narrows(found) for _, found in runs) <= 20
    shown = sum(covered(found.means if narrows(found) else _plain(groups), 0.0) for groups, found in runs)
    assert 0.93 <= shown / (CELLS * len(runs)) <= 0.97


def test_with_a_relation_it_narrows_and_covers() -> None:
    """r = −0.88 leaves √(1 − r²) = 0.47 of the deviation; where the speed differs between the cells, the
    intervals cover what each would have had at the run's speed.
    """
    runs = simulated(-0.88)
    assert sum(narrows(found) for _, found in runs) >= 950
    hits = sum(covered(found.means, -0.88 * SPREAD / 0.04 * found.at) for _, found in runs)
    assert 0.93 <= hits / (CELLS * len(runs)) <= 0.97
    ours = np.mean([m.upper - m.lower for _, found in runs for m in found.means])
    usual = np.mean([m.upper - m.lower for groups, _ in runs for m in _pooled_error(groups)])
    assert ours / usual == pytest.approx((1 - 0.88**2) ** 0.5, abs=0.06)


def _plain(groups: list[Group]) -> tuple[Adjusted, ...]:
    found = [arithmetic(g.y) for g in groups]
    return tuple(Adjusted(f.point, f.lower or 0.0, f.upper or 0.0, f.n) for f in found)


def _pooled_error(groups: list[Group]) -> list[Adjusted]:
    """Means with the deviation of all cells together, as the adjusted ones have it, so that only the
    covariate differs.
    """
    variance = np.mean([np.var(g.y, ddof=1) for g in groups])
    half = stats.t.ppf(0.975, CELLS * (TRIALS - 1)) * (variance / TRIALS) ** 0.5
    return [Adjusted(float(np.mean(g.y)), np.mean(g.y) - half, np.mean(g.y) + half, TRIALS) for g in groups]


def test_one_cell_is_pearsons_correlation_and_cells_cost_degrees_of_freedom() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(0, 1, 30)
    y = 0.5 * x + rng.normal(0, 1, 30)
    known = stats.pearsonr(x, y)
    one = adjusted([Group(y=y.tolist(), x=x.tolist())])
    assert one is not None
    assert (one.r2, one.p) == pytest.approx((known.statistic**2, known.pvalue))
    many = adjusted([Group(y=y[i : i + 2].tolist(), x=x[i : i + 2].tolist()) for i in range(0, 30, 2)])
    assert many is not None and many.df == 14
