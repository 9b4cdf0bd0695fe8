"""Pure: when is the n-th task of a load due, and which task of the mix is it?

A shape is one function ``(load, rng) → due times``, entered in ``_SHAPES``. Where the rate changes, the
n-th task is due when the rate has summed up to n. No clock is read here: due times are fixed before a trial
starts, so that a slow loader shows as lateness and never shifts the schedule.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.model import CHAINED, Load
from bench.units import format_duration, format_rate

Floats = npt.NDArray[np.float64]

_DUE, _CHOICE = 1, 2  # independent streams of the same seed
_CLOSE_S = 1e-9
_MOST_KINDS = np.iinfo(np.int16).max + 1


def due_times(load: Load, seed: int) -> Floats:
    """When each task should be published: ``load.count`` ascending seconds from the start of the load.

    The same load and seed give the same times. Raises ValueError for a shape whose times are not fixed by it
    (replay, closed, saturate), one that is not known, and one that lacks what it needs.
    """
    return _due(load, (_DUE, seed))


def _due(load: Load, seeds: tuple[int, ...]) -> Floats:
    if load.shape == CHAINED:
        return _chained(load, seeds)
    if load.shape in _ELSEWHERE:
        raise ValueError(f"the shape {load.shape} has no schedule beforehand: {_ELSEWHERE[load.shape]}")
    if load.shape not in _SHAPES:
        raise ValueError(f"{load.shape!r} is not a shape of load; known: {', '.join(_SHAPES)}")
    return _SHAPES[load.shape](load, np.random.default_rng(seeds))


def _chained(load: Load, seeds: tuple[int, ...]) -> Floats:
    """Each part's times, shifted by what the parts before it last; chance of its own in each part."""
    starts = np.cumsum([0.0, *(part.length for part in load.phases)])
    parts = [
        start + _due(part, (*seeds, i))
        for i, (start, part) in enumerate(zip(starts, load.phases, strict=False))
    ]
    return np.concatenate(parts) if parts else np.zeros(0)


def choices(weights: Sequence[float], n: int, seed: int) -> npt.NDArray[np.int16]:
    """Which entry of the workload each of ``n`` tasks is: indices into ``weights``, in random order.

    The counts are exactly proportional (largest remainder), so that no trial gets more of the long tasks than
    another; only the order is drawn. Raises ValueError for weights that are not positive and finite.
    """
    shares = np.asarray(weights, dtype=np.float64)
    if shares.ndim != 1 or not 0 < len(shares) <= _MOST_KINDS:
        raise ValueError(f"between 1 and {_MOST_KINDS} weights, not {len(shares) if shares.ndim else 0}")
    if not (np.isfinite(shares).all() and (shares > 0).all()):
        raise ValueError("weights must be positive and finite")
    index = np.arange(len(shares), dtype=np.int16)
    return np.random.default_rng([_CHOICE, seed]).permutation(np.repeat(index, _counts(shares, n)))


def _counts(shares: Floats, n: int) -> npt.NDArray[np.int64]:
    """``n`` split in proportion to ``shares``; what is left goes to the largest remainders."""
    exact = n * (shares / shares.max() / (shares / shares.max()).sum())
    counts: npt.NDArray[np.int64] = np.floor(exact).astype(np.int64)
    left = n - int(counts.sum())
    counts[np.argsort(counts - exact, kind="stable")[:left]] += 1
    return counts


def _flood(load: Load, _rng: np.random.Generator) -> Floats:
    return np.zeros(load.count)


def _constant(load: Load, _rng: np.random.Generator) -> Floats:
    return np.arange(load.count) / _positive(load.rate, "constant", "a rate")


def _poisson(load: Load, rng: np.random.Generator) -> Floats:
    """Given their number, the points of a Poisson process are independent and uniform, sorted.

    Kingman, *Poisson Processes*, 1993, 2.4. The number is fixed, so that all trials of a cell do equal work.
    """
    _positive(load.rate, "poisson", "a rate")
    return np.sort(rng.uniform(0.0, load.duration or 0.0, load.count))


def _steps(load: Load, _rng: np.random.Generator) -> Floats:
    return np.concatenate([start + np.arange(n) / rate for rate, start, _, n in _each_step(load)])


def _each_step(load: Load) -> list[tuple[float, float, float, int]]:
    """Rate, start (s), end (s) and number of tasks of every step."""
    if not load.rates:
        raise ValueError("a load in steps needs rates")
    ends = np.linspace(0.0, load.duration or 0.0, len(load.rates) + 1).tolist()
    steps = []
    for rate, start, end in zip(load.rates, ends, ends[1:], strict=False):
        one = Load(shape="constant", rate=_positive(rate, "steps", "a rate"), duration=end - start)
        steps.append((rate, start, end, one.count))
    return steps


def _ramp(load: Load, _rng: np.random.Generator) -> Floats:
    """Where ``a·t + (b − a)/2T·t²`` reaches 0, 1, 2 …: the root that loses no digits where a is near b."""
    if len(load.rates) != 2 or min(load.rates) < 0 or max(load.rates) <= 0:
        raise ValueError("a ramp needs two rates, one of them above 0")
    first, last = load.rates
    n = np.arange(load.count, dtype=np.float64)
    seconds = _positive(load.duration, "ramp", "a duration")
    below = first + np.sqrt(np.maximum(first**2 + 2 * n * (last - first) / seconds, 0.0))
    return np.divide(2 * n, below, out=np.zeros_like(n), where=below > 0)


def _sine(load: Load, _rng: np.random.Generator) -> Floats:
    """Where ``r·t + A·P/2π·(1 − cos(2πt/P))`` reaches 0, 1, 2 …, by halving the interval it must lie in."""
    rate, wave = _positive(load.rate, "sine", "a rate"), _positive(load.period, "sine", "a period") / math.tau
    swing = load.amplitude or 0.0
    if not 0 <= swing <= rate:
        raise ValueError("the amplitude of a sine lies between 0 and its rate")
    n = np.arange(load.count, dtype=np.float64)
    low, high = np.maximum((n - 2 * swing * wave) / rate, 0.0), n / rate
    while len(n) and (high - low).max() > _CLOSE_S:
        middle = (low + high) / 2
        early = rate * middle + swing * wave * (1 - np.cos(middle / wave)) < n
        low, high = np.where(early, middle, low), np.where(early, high, middle)
        if np.array_equal(middle, (low + high) / 2):
            break  # floats lie no closer
    return high


def _burst(load: Load, _rng: np.random.Generator) -> Floats:
    return np.repeat(np.arange(load.bursts) * (load.every or 0.0), load.tasks or 0)


def _positive(value: float | None, shape: str, noun: str) -> float:
    if value is None or not 0 < value < math.inf:
        raise ValueError(f"a load of the shape {shape} needs {noun} above 0")
    return value


_SHAPES: Mapping[str, Callable[[Load, np.random.Generator], Floats]] = {
    "flood": _flood,
    "constant": _constant,
    "poisson": _poisson,
    "steps": _steps,
    "ramp": _ramp,
    "sine": _sine,
    "burst": _burst,
}
_ELSEWHERE = {
    "replay": "its due times are in the trace: bench.scenario.replay.schedule",
    "closed": "each client publishes when its last result is there",
    "saturate": "it is looked for while it is measured",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A part of a load that is looked at by itself: from ``start`` to ``end`` (s), ``count`` tasks from the
    sequence number ``first`` on (the first task of a load is 0).
    """

    name: str
    start: float
    end: float
    first: int
    count: int


def phases(load: Load) -> tuple[Phase, ...]:
    """The phases of a chained load: one for each part, in a part with steps one for each step.

    A load in steps has its steps, other loads have none. Names are numbered, so no two are alike:
    ``1 constant 50/s``, ``2 burst 500``.
    """
    parts = load.phases or ((load,) if load.shape == "steps" else ())
    found: list[Phase] = []
    start = 0.0
    for part in parts:
        for name, begin, end, count in _spans(part):
            found.append(
                Phase(
                    name=f"{len(found) + 1} {name}",
                    start=start + begin,
                    end=start + end,
                    first=sum(phase.count for phase in found),
                    count=count,
                )
            )
        start += part.length
    return tuple(found)


def _spans(part: Load) -> list[tuple[str, float, float, int]]:
    """Name, start, end (s from the start of the part) and tasks of a part's phases: its steps, or itself."""
    if part.shape == "steps":
        return [(f"step {format_rate(rate)}", start, end, n) for rate, start, end, n in _each_step(part)]
    return [(f"{part.shape} {_pace(part)}", 0.0, part.length, part.count)]


def _pace(part: Load) -> str:
    """How fast, in a few words: ``50/s``, ``10/s to 100/s``, ``500 every 10 s``."""
    match part.shape:
        case "ramp":
            return " to ".join(map(format_rate, part.rates))
        case "sine":
            return f"{format_rate(part.rate or 0.0)} ± {format_rate(part.amplitude or 0.0)}"
        case "burst":
            again = f" every {format_duration(part.every)}" if part.every else ""
            return f"{part.tasks}{again}"
    return format_rate(part.rate or 0.0)
