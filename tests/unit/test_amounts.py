"""Distributions of durations: their means, their seeds, and what is refused."""

import random
from pathlib import Path
from statistics import fmean, median

import pytest
from bench.workloads import amounts

DISTRIBUTIONS = [
    {"constant": 0.05},
    {"exponential": 0.05},
    {"lognormal": {"median": 0.05, "sigma": 0.5}},
    {"bimodal": {"short": 0.01, "long": 1.0, "share": 0.1}},
]


@pytest.mark.parametrize("amount", DISTRIBUTIONS)
def test_samples_have_the_stated_mean(amount: dict[str, object]) -> None:
    drawn = [amounts.sample(amount, random.Random(f"7 {n}")) for n in range(20_000)]
    assert fmean(drawn) == pytest.approx(amounts.mean(amount), rel=0.04)
    assert min(drawn) > 0


def test_lognormal_has_its_median_and_bimodal_its_share() -> None:
    drawn = [amounts.sample(DISTRIBUTIONS[2], random.Random(n)) for n in range(10_000)]
    assert median(drawn) == pytest.approx(0.05, rel=0.03)
    drawn = [amounts.sample(DISTRIBUTIONS[3], random.Random(n)) for n in range(10_000)]
    assert set(drawn) == {0.01, 1.0}
    assert drawn.count(1.0) == pytest.approx(1000, rel=0.12)


def test_the_same_number_draws_the_same() -> None:
    for amount in DISTRIBUTIONS:
        first, again, other = (amounts.sample(amount, random.Random(key)) for key in ("7 1", "7 1", "7 2"))
        assert first == again
        assert first != other or "constant" in amount or "bimodal" in amount


def test_a_file_gives_its_numbers(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("seconds,who\n0.5,a\n1.5,b\n\n")
    amount = {"file": str(path)}
    assert amounts.values(str(path)) == (0.5, 1.5)
    assert amounts.mean(amount) == 1.0
    assert {amounts.sample(amount, random.Random(n)) for n in range(50)} == {0.5, 1.5}


@pytest.mark.parametrize("text", ["", "seconds\n", "seconds\n1\n-1\n", "a\nb\n", "1\nnan\n"])
def test_a_file_without_numbers_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "d.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"number|float"):
        amounts.values(str(path))


@pytest.mark.parametrize(
    ("amount", "word"),
    [
        (-1, "not negative"),
        (True, "not negative"),
        ("5ms", "without a unit"),
        (float("inf"), "not negative"),
        ({}, "one of constant"),
        ({"gamma": 1}, "one of constant"),
        ({"exponential": 0}, "above 0"),
        ({"exponential": {"mean": 1}}, "above 0"),
        ({"lognormal": {"median": 1}}, "median, sigma"),
        ({"lognormal": {"median": 0, "sigma": 1}}, "not negative"),
        ({"bimodal": {"short": 1, "long": 2, "share": 2}}, "at most 1"),
        ({"bimodal": {"short": 0.5, "long": 0.1, "share": 0.1}}, "not below `short`"),
        ({"file": 5}, "CSV file"),
    ],
)
def test_what_is_no_amount_is_named(amount: object, word: str) -> None:
    assert word in amounts.problem(amount)


@pytest.mark.parametrize("amount", [0, 0.5, *DISTRIBUTIONS, {"file": "d.csv"}])
def test_what_is_one_passes(amount: object) -> None:
    assert amounts.problem(amount) == ""
