"""How much more many slots do than one: the Universal Scalability Law, fitted to what was measured.

    throughput(n) = λn ÷ (1 + σ(n − 1) + κn(n − 1))

λ is what one slot does, σ the share that has to wait its turn (contention), κ what it costs each to agree
with each other (crosstalk): Gunther, *Guerrilla Capacity Planning*, 2007, ch. 4. The denominator is by how
much a task takes longer among n than alone, so services can be fitted as well as throughputs. Both
coefficients are bounded below by zero: a fit that may go below (``unbounded``) promises more than n slots'
worth from n slots, and beyond what was measured anything at all.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

Floats = NDArray[np.floating[Any]]

MOST = 1.0
"""Upper bound of both: σ = 1 is a queue in which only one slot works at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usl:
    """``one``: throughput (1/s) of one slot, or (of services) seconds of a task alone."""

    one: float
    sigma: float
    kappa: float

    def inflation(self, n: float) -> float:
        """How many times longer a task takes among ``n`` than alone."""
        return 1 + self.sigma * (n - 1) + self.kappa * n * (n - 1)

    def throughput(self, n: float) -> float:
        """Of ``n`` slots."""
        return self.one * n / self.inflation(n)

    @property
    def peak(self) -> float:
        """The number of slots from which on more of them do less: √((1 − σ)/κ)."""
        return float(np.sqrt(max(0.0, 1 - self.sigma) / self.kappa)) if self.kappa > 0 else float("inf")


def throughput(slots: Sequence[float], rates: Sequence[float], *, bounded: bool = True) -> Usl:
    """The law that fits ``rates`` (1/s) of so many ``slots`` best, by relative error.

    Two different numbers of slots determine σ alone; κ is 0 then. Raises ValueError for fewer than two, for
    what is not positive and finite, and where no curve is found.
    """
    return _fit(slots, rates, lambda one, more, n: one * n / more, bounded=bounded)


def service(slots: Sequence[float], seconds: Sequence[float], *, bounded: bool = True) -> Usl:
    """The same from the mean ``seconds`` that tasks took while so many slots were busy."""
    return _fit(slots, seconds, lambda one, more, _: one * more, bounded=bounded)


def linear(slots: Sequence[float], rates: Sequence[float]) -> float:
    """Throughput of one slot where n do n times as much, by relative error: what a rule of three says."""
    n, y = _checked(slots, rates)
    return float((n / y).sum() / ((n / y) ** 2).sum())


def _checked(slots: Sequence[float], values: Sequence[float]) -> tuple[Floats, Floats]:
    n, y = np.asarray(slots, dtype=float), np.asarray(values, dtype=float)
    if n.shape != y.shape or not n.size:
        raise ValueError(f"{n.size} concurrencies, but {y.size} values")
    if not (np.isfinite(n).all() and np.isfinite(y).all() and (n > 0).all() and (y > 0).all()):
        raise ValueError("concurrencies and what was measured at them must be positive and finite")
    return n, y


def _fit(
    slots: Sequence[float],
    values: Sequence[float],
    law: Callable[[float, Floats, Floats], Floats],
    *,
    bounded: bool,
) -> Usl:
    """Least squares of logarithms, so that errors are relative and none at a large value outweighs."""
    n, y = _checked(slots, values)
    distinct = np.unique(n.round(9)).size
    if distinct < 2:
        raise ValueError("one concurrency does not tell how throughput changes with it")
    both = distinct > 2

    def logs(at: Floats, scale: float, sigma: float, kappa: float = 0.0) -> Floats:
        more = 1 + sigma * (at - 1) + kappa * at * (at - 1)
        return np.log(np.maximum(law(np.exp(scale), np.maximum(more, 1e-9), at), 1e-300))

    least = int(n.argmin())
    start = float(np.log(y[least] / law(1.0, np.ones(1), n[least : least + 1])[0]))
    low = 0.0 if bounded else -MOST
    lower, upper = [-np.inf, low, low], [np.inf, MOST, MOST]
    count = 3 if both else 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optimize.OptimizeWarning)  # of the covariance, which nobody reads
        try:
            found, _ = optimize.curve_fit(
                logs, n, np.log(y), p0=[start, 0.01, 1e-4][:count], bounds=(lower[:count], upper[:count]),
                x_scale=[1.0, 0.01, 0.001][:count], max_nfev=10_000,
            )  # fmt: skip
        except RuntimeError as error:
            raise ValueError(f"no curve fits: {error}") from None
    sigma, kappa = float(found[1]), float(found[2]) if both else 0.0
    return Usl(one=float(np.exp(found[0])), sigma=sigma, kappa=kappa)
