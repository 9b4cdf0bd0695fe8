"""Quantiles and the least number of tasks behind them."""

import numpy as np
import pytest

from bench.stats.quantiles import LEVELS, needed, quantiles


@pytest.mark.parametrize(
    ("name", "least"), [("p50", 20), ("p90", 100), ("p95", 200), ("p99", 1000), ("p999", 10_000)]
)
def test_least_number_of_values(name: str, least: int) -> None:
    level = LEVELS[name]
    assert needed(level) == least
    assert quantiles(np.arange(least - 1.0), [level]) == [None]
    assert quantiles(np.arange(float(least)), [level]) != [None]


def test_values() -> None:
    assert quantiles(np.arange(101.0), [0.5, 0.9, 0.99]) == [50.0, 90.0, None]
    assert quantiles(np.array([]), [0.5]) == [None]
