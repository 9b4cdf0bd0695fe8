"""How much of something a task takes: a number, or a distribution from which each task draws its own.

    0.05                                            always the same
    {constant: 0.05}                                the same
    {exponential: 0.05}                             its mean
    {lognormal: {median: 0.05, sigma: 1}}           sigma is that of the logarithm
    {bimodal: {short: 0.01, long: 1, share: 0.1}}   share of the long ones
    {file: durations.csv}                           any of the numbers in its first column

What a task draws depends on the trial's seed and the task's number alone: cells that are compared get the
same tasks, and a retried or repeated task is as long as before.
"""

import csv
import functools
import math
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from .attempts import identity

Amount = Annotated[float, "or a distribution"]

_PARAMETERS = {
    "constant": (),
    "exponential": (),
    "lognormal": ("median", "sigma"),
    "bimodal": ("short", "long", "share"),
    "file": (),
}


def draw(amount: Any) -> float:
    """The running task's own amount."""
    if not isinstance(amount, Mapping):
        return amount
    return sample(amount, random.Random(identity()))


def sample(amount: Mapping[str, Any], source: random.Random) -> float:
    """One value of the distribution."""
    ((kind, given),) = amount.items()
    match kind:
        case "constant":
            return given
        case "exponential":
            return source.expovariate(1 / given)
        case "lognormal":
            return source.lognormvariate(math.log(given["median"]), given["sigma"])
        case "bimodal":
            return given["long"] if source.random() < given["share"] else given["short"]
        case _:
            return source.choice(values(given))


def mean(amount: Any) -> float:
    """What it comes to on average; 0 for what is no amount."""
    if not isinstance(amount, Mapping):
        return float(amount) if isinstance(amount, int | float) else 0.0
    ((kind, given),) = amount.items()
    match kind:
        case "lognormal":
            return given["median"] * math.exp(given["sigma"] ** 2 / 2)
        case "bimodal":
            return given["long"] * given["share"] + given["short"] * (1 - given["share"])
        case "file":
            return sum(values(given)) / len(values(given))
        case _:
            return float(given)


@functools.cache
def values(path: str) -> tuple[float, ...]:
    """The numbers in the first column of a CSV file; ValueError where there is none, or one below 0."""
    with Path(path).open(newline="", encoding="utf-8-sig") as file:
        rows = [row[0] for row in csv.reader(file) if row]
    numbers = [float(text) for text in rows[1 if rows and not _is_number(rows[0]) else 0 :]]
    if not numbers or min(numbers) < 0 or not math.isfinite(sum(numbers)):
        raise ValueError("its first column must hold numbers that are not negative")
    return tuple(numbers)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def problem(amount: Any) -> str:
    """Why this is neither a number from 0 nor a distribution; empty where it is. A file is not looked at."""
    if not isinstance(amount, Mapping):
        return "" if _positive(amount, zero=True) else "a number that is not negative, without a unit"
    if len(amount) != 1 or next(iter(amount)) not in _PARAMETERS:
        return f"a number, or a mapping with one of {', '.join(_PARAMETERS)}"
    ((kind, given),) = amount.items()
    return _problem_of(kind, given, _PARAMETERS[kind])


def _problem_of(kind: str, given: Any, wanted: tuple[str, ...]) -> str:
    if kind == "file":
        return "" if isinstance(given, str) and given else "the name of a CSV file below `file`"
    if not wanted:
        return "" if _positive(given, zero=kind == "constant") else f"a number above 0 below `{kind}`"
    if not isinstance(given, Mapping) or set(given) != set(wanted):
        return f"{', '.join(wanted)} below `{kind}`"
    if not all(_positive(given[name], zero=name != "median") for name in wanted) or given.get("share", 0) > 1:
        return f"numbers that are not negative below `{kind}`, and a share of at most 1"
    if kind == "bimodal" and given["short"] > given["long"]:
        return "a `long` that is not below `short`"
    return ""


def _positive(value: Any, *, zero: bool) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return False
    return value > 0 or (zero and value == 0)
