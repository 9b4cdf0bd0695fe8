"""Change points on series with a known answer: how often one is found that is none, and what is found."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.signal import lfilter

from bench.stats import changepoints
from bench.stats.changepoints import LEAST, change_points, penalty, scaled

Series = np.ndarray
TIMES = 400


def share(draw: Callable[[np.random.Generator], Series]) -> float:
    """How many of ``TIMES`` series show a change."""
    rng = np.random.default_rng(7)
    return float(np.mean([bool(change_points(draw(rng))) for _ in range(TIMES)]))


def alike(rng: np.random.Generator, n: int, phi: float) -> Series:
    """Each value drawn towards the one before."""
    return np.asarray(lfilter([1], [1, -phi], rng.standard_normal(n + 30))[30:])


@pytest.mark.parametrize("n", [LEAST, 12, 20, 40, 100])
def test_one_series_in_a_hundred_shows_a_change_that_is_none(n: int) -> None:
    assert share(lambda rng: rng.standard_normal(n)) <= 0.03, "0.01 and three standard errors of 400 draws"


@pytest.mark.parametrize("n", [12, 40, 100])
def test_outliers_make_it_little_more(n: int) -> None:
    assert share(lambda rng: rng.standard_t(4, n)) <= 0.05


@pytest.mark.parametrize("n", [12, 40, 100])
def test_runs_that_are_alike_make_it_up_to_five_in_a_hundred(n: int) -> None:
    assert share(lambda rng: alike(rng, n, 0.3)) <= 0.08, "0.05 and three standard errors"


@pytest.mark.parametrize(("n", "size", "least"), [(20, 5.0, 0.85), (40, 3.0, 0.9), (100, 2.0, 0.9)])
def test_a_new_level_is_found(n: int, size: float, least: float) -> None:
    def draw(rng: np.random.Generator) -> Series:
        return rng.standard_normal(n) + size * (np.arange(n) >= n // 2)

    assert share(draw) >= least


def test_it_is_found_where_it_is() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(0, 0.02, 60)
    values[20:] += 0.15
    values[45:] -= 0.3
    found = change_points(values)
    assert [abs(at - true) <= 1 for at, true in zip(found, (20, 45), strict=True)] == [True, True]


def test_one_odd_value_is_no_new_level() -> None:
    values = np.random.default_rng(2).standard_normal(40)
    values[20] += 30
    assert change_points(values) == []


def test_the_scale_does_not_matter() -> None:
    values = np.random.default_rng(3).standard_normal(30)
    values[15:] += 6
    assert change_points(values) == change_points(1e-6 * values) == change_points(1e6 * values + 5e6) == [15]


def test_equal_values_have_one_level_and_two_kinds_of_equal_values_two() -> None:
    assert change_points([3.0] * 30) == []
    assert change_points([3.0] * 15 + [4.0] * 15) == [15]


def test_few_values_are_not_searched() -> None:
    assert change_points([1.0] * (LEAST // 2) + [100.0] * (LEAST // 2 - 1)) == []


def gain_by_hand(values: Series) -> float:
    """That of the best single change, or half of that of the best two with one level around them."""

    def left(*parts: Series) -> float:
        return sum(float(np.square(part - part.mean()).sum()) for part in parts)

    least = changepoints.SHORTEST
    places = range(least, len(values) - least + 1)
    once = max(left(values) - left(values[:at], values[at:]) for at in places)
    apart = [(a, b) for a in places for b in places if b - a >= least]
    twice = (left(values) - left(values[a:b], np.concatenate([values[:a], values[b:]])) for a, b in apart)
    return max(once, *(gain / 2 for gain in twice))


@pytest.mark.parametrize("n", [LEAST, 13, 24])
def test_the_gain_is_that_of_the_best_change_or_of_the_best_two(n: int) -> None:
    data = np.random.default_rng(4).standard_normal((20, n))
    assert changepoints._gain(data) == pytest.approx([gain_by_hand(row) for row in data], rel=1e-4)


@pytest.mark.parametrize("n", [LEAST, 20])
def test_the_penalty_of_a_small_chance_is_that_of_many_more_series(n: int) -> None:
    rng = np.random.default_rng(5)
    gains = [changepoints._gain(scaled(rng.standard_normal((1000, n)))) for _ in range(100)]
    assert penalty(n, 0.001) == pytest.approx(float(np.quantile(gains, 0.999)), rel=0.1)


@pytest.mark.parametrize("n", [32, 59, 110, 290])
def test_the_length_that_stands_for_others_is_no_less_strict(n: int) -> None:
    rng = np.random.default_rng(6)
    gains = [changepoints._gain(scaled(rng.standard_normal((500, n)))) for _ in range(8)]
    assert np.mean(np.concatenate(gains) > penalty(n, 0.05)) <= 0.06, "0.05 and three standard errors"


def test_many_series_take_no_more_simulation_than_their_lengths(monkeypatch: pytest.MonkeyPatch) -> None:
    simulated = []

    def gain(data: Series, real: Callable[[Series], Series] = changepoints._gain) -> Series:
        simulated.append(data.size)
        return real(data)

    monkeypatch.setattr(changepoints, "_gain", gain)
    changepoints._gains.cache_clear()
    rng = np.random.default_rng(8)
    for short in range(15):
        change_points(rng.standard_normal(120 - short % 7), alpha=0.01 / (15 - short % 3))
    assert sum(simulated) <= 500_000
