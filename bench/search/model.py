"""Many candidates: a Gaussian process over their settings says where to look next, then contenders repeat.

Numbers (concurrency, prefetch, nodes) enter by their logarithm, anything else as one of several kinds; how
much each setting matters is learned (a length scale for each, Matérn 5/2: Rasmussen and Williams, Gaussian
Processes for Machine Learning, 2006, ch. 4–5). First a few spread-out candidates of every kind; then, while
one that was not tried is expected to improve the best by more than ``WORTHWHILE`` (expected improvement:
D. R. Jones et al., J. Global Optimization 13, 1998; times the chance that it keeps the conditions), that one;
then repeats where they help most to tell the best from its rivals (optimal computing budget allocation:
C.-H. Chen et al., Discrete Event Dynamic Systems 10, 2000); then the rest of the untried, the most promising
first, as only the process says that they are no better.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np
from scipy import special
from scipy.stats import qmc

from bench import plan
from bench.effects import MARGIN
from bench.grammar import text_of
from bench.model import Cell, Label
from bench.search.belief import PRIOR_NOISE, Belief, Floats, Tried, believe
from bench.search.goal import SURE, Goal

OF_A_KIND = 5
"""Candidates of each kind (a combination of everything that is no number) that are tried first."""

MOST_FIRST = 30

LEAST = 3
"""Good trials from which on there is a process at all."""

LONG = 1.5
"""Times the median trial of its kind: longer ones are not among the first."""

WORTHWHILE = 0.003
"""Expected improvement of the logarithm below which the untried are left alone: 0.3 %."""

LEAST_BEHIND = 0.01
"""Rivals count as at least so far behind: closer ones need not be told apart."""


class Model:
    """See above. ``cells``: the candidates with their settings; ``seed``: of the first ones; ``default``: who
    begins, if it is a candidate.
    """

    def __init__(self, cells: Sequence[Cell], goal: Goal, seed: int, default: str = "") -> None:
        self._goal = goal
        self._ids = tuple(cell.id for cell in cells)
        self._x, kinds = features([cell.settings for cell in cells])
        usual = [self._ids.index(default)] if default in self._ids else []
        seconds = [plan.trial_seconds(cell.setup) for cell in cells]
        self._first = list(dict.fromkeys([*usual, *_first(self._x, kinds, seconds, seed)]))
        self._known: tuple[int, Belief] | None = None

    @property
    def first(self) -> tuple[str, ...]:
        """The candidates that are tried before anything is known."""
        return tuple(self._ids[i] for i in self._first)

    def belief(self, history: Sequence[Tried]) -> Belief:
        """What the process says of every candidate, tried or not."""
        if self._known is None or self._known[0] != len(history):
            self._known = len(history), self._fitted(history)
        return self._known[1]

    def next_trial(self, history: Sequence[Tried]) -> tuple[str, int] | None:
        """Cell and round of the next trial (its own number); None when all were tried, and none of the others
        can be better.
        """
        number = len(history) + 1
        done = {t.cell for t in history}
        for i in self._first:
            if self._ids[i] not in done:
                return self._ids[i], number
        belief = self.belief(history)
        best = belief.nearest
        if best is None:
            return None
        gain = _improvement(belief, best)
        if gain.max() > WORTHWHILE:
            return self._ids[int(np.argmax(gain))], number
        again = _repeat(belief, best)
        if again is None:
            left = (belief.tries == 0) & (belief.chance > 0)
            again = int(np.argmax(np.where(left, gain, -1.0))) if left.any() else None
        return None if again is None else (self._ids[again], number)

    def _fitted(self, history: Sequence[Tried]) -> Belief:
        """Cell by cell first, as that knows of failures; then smoothed over the settings."""
        plain = believe(self._ids, history, self._goal)
        rows = {cell: i for i, cell in enumerate(self._ids)}
        good = [t for t in history if t.ok and math.isfinite(t.score) and t.cell in rows]
        if len(good) < LEAST:
            return plain
        where = [rows[t.cell] for t in good]
        mean, covariance, noise = _process(self._x, where, [t.score for t in good])
        chance = np.ones(len(self._ids))
        for n, condition in enumerate(self._goal.conditions):
            values = [t.limits[n] for t in good]
            if condition.counts or condition.limit <= 0 or not min(values) > 0:
                continue  # no logarithm (or none at all): what was seen counts, cell by cell
            centre, spread, _ = _process(self._x, where, [math.log(v) for v in values])
            way = 1 if condition.op.startswith("<") else -1
            gap = way * (math.log(condition.limit) - centre)
            chance *= special.stdtr(plain.df, gap / np.sqrt(np.maximum(np.diag(spread), 1e-12)))
        broken = (plain.tries > 0) & (plain.chance < 1 - SURE)
        return replace(
            plain, mean=mean, covariance=covariance, chance=np.where(broken, 0.0, chance), noise=noise
        )


def features(settings: Sequence[Mapping[str, Label]]) -> tuple[Floats, list[tuple[str, ...]]]:
    """A row of numbers from 0 to 1 for each of ``settings``, and of what kind it is: its labels on the axes
    that are no numbers.
    """
    columns: list[Floats] = []
    kinds: list[list[str]] = []
    for path in settings[0]:
        labels = [each[path] for each in settings]
        if all(isinstance(label, int | float) and not isinstance(label, bool) for label in labels):
            columns.append(_logarithms(path, [float(label) for label in labels]))
            continue
        texts = [text_of(label) for label in labels]
        kinds.append(texts)
        for text in dict.fromkeys(texts):
            columns.append(np.array([float(t == text) for t in texts]))
    useful = [column for column in columns if np.ptp(column) > 0] or [np.zeros(len(settings))]
    return np.column_stack(useful), list(zip(*kinds, strict=True)) or [()] * len(settings)


def _logarithms(path: str, values: Sequence[float]) -> Floats:
    """From 0 to 1; a prefetch multiplier of 0 is unlimited and lies beyond all others."""
    most = max(values)
    if path.endswith("prefetch"):
        values = [value or 4 * max(most, 1) for value in values]
    x = np.log1p(np.maximum(values, 0.0))
    return np.asarray((x - x.min()) / (np.ptp(x) or 1.0))


def _first(x: Floats, kinds: Sequence[tuple[str, ...]], seconds: Sequence[float], seed: int) -> list[int]:
    """Of each kind the candidates nearest to points that fill the space evenly (Halton), but for those whose
    trial would take long: nobody expects them to be best, and the time of one buys several others.
    """
    groups: dict[tuple[str, ...], list[int]] = {}
    for i, kind in enumerate(kinds):
        groups.setdefault(kind, []).append(i)
    for kind, group in groups.items():
        longest = LONG * median(seconds[i] for i in group)
        groups[kind] = [i for i in group if seconds[i] <= longest]
    each = max(1, min(OF_A_KIND, MOST_FIRST // len(groups)))
    points = qmc.Halton(x.shape[1], rng=np.random.default_rng(seed))
    rounds = [points.random(each) for _ in groups]
    found: list[int] = []
    for n in range(each):
        for group, wanted in zip(groups.values(), rounds, strict=True):
            left = [i for i in group if i not in found]
            if left:
                found.append(min(left, key=lambda i: float(np.linalg.norm(x[i] - wanted[n]))))
    return found[:MOST_FIRST]


def _process(x: Floats, where: Sequence[int], values: Sequence[float]) -> tuple[Floats, Floats, float]:
    """Mean and covariance at every row of ``x`` after ``values`` were seen at the rows ``where``, and the
    noise.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
    from threadpoolctl import threadpool_limits

    y = np.asarray(values, dtype=float)
    scale = float(y.std()) or 1.0
    noise = (PRIOR_NOISE / scale) ** 2
    kernel: Any = ConstantKernel(1.0, (0.05, 50.0)) * Matern([0.5] * x.shape[1], (0.1, 20.0), nu=2.5)
    kernel += WhiteKernel(noise, (noise / 64, noise * 16))
    process = GaussianProcessRegressor(kernel, normalize_y=False, random_state=0)
    with threadpool_limits(1), warnings.catch_warnings():  # matrices this small are faster on one core
        warnings.simplefilter("ignore", ConvergenceWarning)  # a length scale at its bound: it does not matter
        process.fit(x[list(where)], (y - y.mean()) / scale)
        mean, covariance = process.predict(x, return_cov=True)
    own = math.exp(process.kernel_.theta[-1])
    covariance = covariance - own * np.eye(len(x))
    return mean * scale + y.mean(), covariance * scale**2, math.sqrt(own) * scale


def _improvement(belief: Belief, best: int) -> Floats:
    """Expected improvement of every untried candidate on the best; 0 for the tried ones."""
    error = np.sqrt(np.maximum(np.diag(belief.covariance), 1e-18))
    ahead = belief.mean - belief.mean[best]
    z = ahead / error
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    gain = (ahead * special.ndtr(z) + error * density) * belief.chance
    return np.where(belief.tries > 0, 0.0, gain)


def _repeat(belief: Belief, best: int) -> int | None:
    """The tried candidate that lacks most trials; None when no other can be better by more than MARGIN."""
    tried = (belief.tries > 0) & (belief.chance > 1 - SURE)
    tried[best] = True
    behind, error = belief.behind(best)
    open_ = tried & ((MARGIN + behind) / np.maximum(error, 1e-12) < special.stdtrit(belief.df, SURE))
    open_[best] = False
    unsure = belief.chance[best] < SURE
    if not open_.any() and not unsure:
        return None
    share = np.where(tried, 1 / np.maximum(behind, LEAST_BEHIND) ** 2, 0.0)
    share[best] = 0.0
    share[best] = max(math.sqrt(float((share**2).sum())), float(share.max(initial=0.0)), 1.0)
    wanted = share / share.sum() * (belief.tries.sum() + 1)
    return int(np.argmax(np.where(tried, wanted - belief.tries, -np.inf)))
