"""The Universal Scalability Law: known answers are found again, and nonsense is refused."""

import numpy as np
import pytest

from bench.sizing import scaling
from bench.sizing.scaling import Usl

SLOTS = [1, 2, 4, 8, 16, 32] * 3
TRUE = Usl(one=50.0, sigma=0.05, kappa=0.002)


def noisy(value: float, noise: float, rng: np.random.Generator) -> float:
    return float(value * np.exp(rng.normal(0, noise)))


@pytest.mark.parametrize(("noise", "off"), [(0.0, 1e-6), (0.03, 0.1)])
def test_throughput_is_found_again(noise: float, off: float) -> None:
    rng = np.random.default_rng(1)
    found = scaling.throughput(SLOTS, [noisy(TRUE.throughput(n), noise, rng) for n in SLOTS])
    for n in (1, 16, 64):
        assert found.throughput(n) == pytest.approx(TRUE.throughput(n), rel=off), n
    assert found.peak == pytest.approx(TRUE.peak, rel=5 * off)


@pytest.mark.parametrize(("noise", "off"), [(0.0, 1e-6), (0.03, 0.1)])
def test_service_times_tell_the_same(noise: float, off: float) -> None:
    rng = np.random.default_rng(2)
    found = scaling.service(SLOTS, [noisy(0.02 * TRUE.inflation(n), noise, rng) for n in SLOTS])
    assert found.one == pytest.approx(0.02, rel=off)
    assert found.inflation(32) == pytest.approx(TRUE.inflation(32), rel=2 * off)


def test_no_slot_helps_another() -> None:
    """Throughput that grows faster than the slots is noise; a fit that believes it promises the moon."""
    slots, rates = [1, 2, 4, 8], [10.0, 21.0, 44.0, 95.0]
    bounded, free = scaling.throughput(slots, rates), scaling.throughput(slots, rates, bounded=False)
    assert bounded.sigma >= 0 and bounded.kappa >= 0
    assert bounded.throughput(64) <= 64 * bounded.one < 800
    assert free.sigma < 0


def test_two_concurrencies_tell_one_coefficient() -> None:
    found = scaling.throughput([2, 4, 2, 4], [100.0, 150.0, 100.0, 150.0])
    assert found.kappa == 0 and found.throughput(4) == pytest.approx(150.0)


def test_linear_is_the_rule_of_three() -> None:
    assert scaling.linear([1, 2, 4], [10.0, 20.0, 40.0]) == pytest.approx(10.0)
    assert scaling.linear([1, 4], [10.0, 20.0]) == pytest.approx((0.1 + 0.2) / (0.01 + 0.04))


def test_anything_positive_gives_numbers() -> None:
    rng = np.random.default_rng(3)
    for _ in range(60):
        slots = rng.choice([1, 2, 3, 5, 100, 1000], 5)
        rates = np.exp(rng.normal(0, 6, 5))
        if len(set(slots)) < 2:
            continue
        for found in (scaling.throughput(slots, rates), scaling.service(slots, rates)):
            assert np.isfinite([found.one, found.sigma, found.kappa, found.throughput(2000)]).all()
            assert found.sigma >= 0 and found.kappa >= 0


@pytest.mark.parametrize(
    ("slots", "rates", "words"),
    [
        ([4, 4, 4], [1.0, 2.0, 3.0], "one concurrency"),
        ([], [], "0 concurrencies"),
        ([1, 2], [1.0], "2 concurrencies, but 1"),
        ([1, 2], [1.0, float("nan")], "finite"),
        ([1, 2], [1.0, 0.0], "positive"),
    ],
)
def test_what_cannot_be_fitted_is_refused(slots: list[float], rates: list[float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        scaling.throughput(slots, rates)
