"""What queueing theory says without a simulation: a check of the simulation, and a first guess for a plan.

Times in seconds, rates 1/s. ``load`` is rate × service, the mean number of busy slots (in erlangs).
"""

import math
from collections.abc import Sequence

from scipy import special


def erlang_c(slots: int, load: float) -> float:
    """The chance that a task has to wait in M/M/c (Erlang 1917); 1 where the load fills the slots.

    By Erlang B, whose recursion neither overflows nor loses digits: 1/B(c) = Σ c!/(c−k)! ÷ loadᵏ.
    """
    if load >= slots:
        return 1.0
    if load <= 0:
        return 0.0
    inverse = 1.0
    for k in range(1, slots + 1):
        inverse = 1.0 + inverse * k / load
    blocked = 1.0 / inverse
    return blocked / (1 - load / slots * (1 - blocked))


def mmc_wait(slots: int, rate: float, service: float) -> float:
    """Mean wait in M/M/c; infinite where the load fills the slots."""
    load = rate * service
    return math.inf if load >= slots else erlang_c(slots, load) * service / (slots - load)


def mmc_response(slots: int, rate: float, service: float, level: float) -> float:
    """The quantile (``level`` 0 to 1) of the response in M/M/c; infinite where the load fills the slots.

    Response = service + wait, where the wait is 0, or with Erlang C's chance exponential (Gross and Harris,
    *Fundamentals of Queueing Theory*, 2.3). Found by bisection.
    """
    load = rate * service
    if load >= slots:
        return math.inf
    waits, mu, drain = erlang_c(slots, load), 1 / service, (slots - load) / service

    def beyond(t: float) -> float:
        if abs(drain - mu) < 1e-9 * mu:
            return math.exp(-mu * t) * (1 + waits * mu * t)
        both = (drain * math.exp(-mu * t) - mu * math.exp(-drain * t)) / (drain - mu)
        return (1 - waits) * math.exp(-mu * t) + waits * both

    low, high = 0.0, service
    while beyond(high) > 1 - level:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if beyond(middle) > 1 - level else (low, middle)
    return high


def mg1_wait(rate: float, services: Sequence[float]) -> float:
    """Mean wait at one slot for services as they are (Pollaczek 1930, Khinchine 1932):
    rate × E[S²] ÷ 2(1 − rate × E[S]); infinite where they fill the slot.
    """
    mean = sum(services) / len(services)
    square = sum(s * s for s in services) / len(services)
    return math.inf if rate * mean >= 1 else rate * square / 2 / (1 - rate * mean)


def sharing(busy: int, work: float, idle: float, cores: float) -> float:
    """Mean seconds from a task's start to its end while ``busy`` tasks run, each of which computes for
    ``work`` s and waits for ``idle`` s on so many ``cores``: work + idle where they do not meet.

    The machine-repair model (Palm 1947; Lazowska et al., *Quantitative System Performance*, 1984, ch. 8):
    n of the tasks compute with a weight of busy!/(busy − n)! × (work/idle)ⁿ ÷ Π min(i, cores), and
    what is computed a second says how long one takes. Phases are taken to be exponential; where nothing
    waits it is exactly max(1, busy/cores).
    """
    if work <= 0:
        return idle
    if idle <= 1e-9 * work:
        return work * max(1.0, busy / cores)
    logs, total = [0.0], 0.0
    for n in range(1, busy + 1):
        total += math.log((busy - n + 1) * work / idle / min(n, cores))
        logs.append(total)
    weights = special.softmax(logs)
    done = sum(float(w) * min(n, cores) for n, w in enumerate(weights)) / work
    return max(work + idle, busy / done)
