"""Pure: the highest rate of tasks that a cell sustains under an SLO. History of judged steps → next step or
answer.

The rate is doubled while it is held and halved while it is missed, then bisected to ``RESOLUTION``, then
tried again at both edges, where the majority decides. No clock is read here and nothing is drawn: the same
history gives the same step. It always ends, after ``MOST_STEPS`` steps at the latest. Rules, reasons and
error rates stand in docs/methodology.md, "Capacity".
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from bench import units
from bench.search.step import SETTLING, Judged, Slo, Step, judge, lost_already, parse
from bench.stats.quantiles import needed

__all__ = ("Answer", "Judged", "Slo", "Step", "interval", "judge", "lost_already", "next", "parse")

FOUND, UNREACHABLE, OPEN = "found", "unreachable", "open"

RESOLUTION = 0.05
"""Relative distance of the lowest missed from the highest held rate at which bisection ends: capacity of the
same cell differs by about as much from one minute of a shared host to the next."""

TRIES = 3
"""Steps at each edge before the answer: the fewest of which a majority can overrule one."""

MOST_STEPS = 24
"""Steps of a search: 4 to find both sides of a capacity ten times off, 4 to bisect, 4 to repeat, and as many
again for verdicts that are reversed."""

MOST_RATE = 50_000.0
"""Highest rate tried (1/s): above it one loading process does not keep its schedule."""

LONGEST_S = 30.0
"""Seconds of the longest step, unless the scenario asks for longer ones."""

SERVICES = 10
"""Mean service times that a step lasts at least: two of them are the settling part, in which the slots fill
for the first time."""

CAREFUL_TASKS = 2_500
"""Tasks of a step between a held and a missed rate: the mean of so many exponential service times is known to
1/√2500 = 2 %, which is what ``RESOLUTION`` needs."""

CAREFUL_LIMITS = 1.5 / RESOLUTION
"""Seconds of such a step for each second of the SLO's limit. A rate that is too high by ``RESOLUTION`` makes
tasks wait for the whole limit after limit ÷ RESOLUTION; a shorter step would end before it is seen."""

IDLE = 0.1
"""Share of the slots that are busy, and half the tasks due and not ended for each slot, below which the
workers count as idle: a task that comes meets another in one of ten cases, with more slots in fewer (M/M/1).
A slower rate would not be faster. Both, since the time of a task does not tell what its consumer or the
broker make it wait for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """``outcome`` found, unreachable or open; ``rate`` (1/s) the highest held by majority, 0 if none;
    ``lower`` and ``upper`` the ends of its 95 % interval, None where that side is not known. ``why`` in one
    sentence. ``thin``: at this rate the longest step has too few tasks for the percentile, and the verdicts
    only count tasks.
    """

    outcome: str
    rate: float
    lower: float | None
    upper: float | None
    why: str
    thin: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """All steps at one ``rate``; ``backlog`` is the mean of theirs."""

    rate: float
    tries: int
    held: int
    backlog: float

    @property
    def margin(self) -> int:
        """Above 0: held by majority; below 0: missed; 0: another step must tell."""
        return 2 * self.held - self.tries


def next(
    history: Sequence[Judged],
    *,
    start_rate: float,
    slots: int,
    mean_service_s: float,
    least_s: float,
    slo: Slo,
) -> Step | Answer:
    """The step to run after ``history``, or the answer.

    ``start_rate`` (1/s) is a guess that may be far off; ``mean_service_s`` and ``slots`` tell when workers
    are idle, together with the backlog; ``least_s`` is how long a step lasts at least.
    """
    span = _Span(slo=slo, least_s=least_s, mean_service_s=mean_service_s, slots=slots)
    seen = _seen(history)
    if not seen:
        return span.step(start_rate)
    held = max((s for s in seen if s.margin > 0), key=lambda s: s.rate, default=None)
    above = [s for s in seen if s.margin < 0 and (held is None or s.rate > held.rate)]
    missed = min(above, key=lambda s: s.rate, default=None)
    answer = _answer(history, held, missed, span)
    if answer:
        return answer
    if len(history) >= MOST_STEPS:
        return _open(history, held, missed, span, f"{MOST_STEPS} steps did not settle it")
    between = held is not None and missed is not None
    return span.step(_rate(seen, held, missed, span), careful=between)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    """How long steps are, and which rates make sense."""

    slo: Slo
    least_s: float
    mean_service_s: float
    slots: int

    @property
    def longest_s(self) -> float:
        return max(LONGEST_S, self.least_s)

    @property
    def lowest(self) -> float:
        """One task in the longest step (1/s)."""
        return 1 / self.longest_s

    def step(self, rate: float, *, careful: bool = False) -> Step:
        """As long as the scenario says, the percentile needs and the slots take to fill, up to the longest;
        ``careful`` near the edge.
        """
        rate = min(max(rate if math.isfinite(rate) else 0.0, self.lowest), MOST_RATE)
        wanted = max(self.least_s, self._tasks() / (1 - SETTLING) / rate, SERVICES * self.mean_service_s)
        if careful:
            wanted = max(wanted, CAREFUL_TASKS / rate, CAREFUL_LIMITS * self.slo.limit)
        seconds = min(wanted, self.longest_s)
        tasks = max(1, round(rate * seconds))
        settling = min(math.ceil(SETTLING * seconds * rate), tasks - 1)
        return Step(rate=rate, seconds=seconds, tasks=tasks, settling=settling)

    def thin(self, rate: float) -> bool:
        return self.step(rate, careful=True).judged < self._tasks()

    def idle(self, seen: _Seen) -> bool:
        free = seen.rate * self.mean_service_s < IDLE * self.slots
        return (free and seen.backlog < 2 * IDLE * self.slots) or seen.rate <= self.lowest

    def _tasks(self) -> int:
        return 1 if self.slo.level is None else needed(self.slo.level)


def _seen(history: Sequence[Judged]) -> list[_Seen]:
    by_rate: dict[float, list[Judged]] = {}
    for judged in history:
        by_rate.setdefault(judged.rate, []).append(judged)
    return [
        _Seen(
            rate=rate,
            tries=len(steps),
            held=sum(step.held for step in steps),
            backlog=sum(step.backlog for step in steps) / len(steps),
        )
        for rate, steps in by_rate.items()
    ]


def _rate(seen: Sequence[_Seen], held: _Seen | None, missed: _Seen | None, span: _Span) -> float:
    """Which rate to try where there is no answer yet."""
    tied = [s.rate for s in seen if s.margin == 0]
    if tied:
        return tied[0]
    if missed is None:
        return min(2 * held.rate, MOST_RATE) if held else span.lowest
    if held is None:
        return missed.rate if span.idle(missed) else max(missed.rate / 2, span.lowest)
    if not _close(held, missed):
        return math.sqrt(held.rate * missed.rate)
    return min((held, missed), key=lambda s: s.tries).rate


def _close(held: _Seen, missed: _Seen) -> bool:
    return missed.rate <= held.rate * (1 + RESOLUTION)


def _answer(
    history: Sequence[Judged], held: _Seen | None, missed: _Seen | None, span: _Span
) -> Answer | None:
    if held is None and missed and span.idle(missed) and missed.tries >= TRIES:
        return _unreachable(history, missed, span)
    if missed is None and held and held.rate >= MOST_RATE:
        return _open(history, held, None, span, "the loader publishes no faster")
    if held and missed and _close(held, missed) and min(held.tries, missed.tries) >= TRIES:
        return _found(history, held, missed, span)
    return None


def _found(history: Sequence[Judged], held: _Seen, missed: _Seen, span: _Span) -> Answer:
    lower, upper = interval(history)
    last = [j for j in history if j.rate == missed.rate and not j.held][-1]
    why = f"{units.format_rate(held.rate)} was held; at {units.format_rate(missed.rate)} {last.why}"
    thin = span.thin(held.rate)
    if thin:
        tasks = units.plural(span.step(held.rate, careful=True).judged, "task")
        why += f"; a step of {span.longest_s:.0f} s has {tasks}, few for {span.slo.metric}"
    return Answer(
        outcome=FOUND,
        rate=held.rate,
        lower=min(lower, held.rate) * (1 - _flattery(history, held)),
        upper=max(upper, held.rate),
        why=why,
        thin=thin,
    )


def _flattery(history: Sequence[Judged], held: _Seen) -> float:
    """By how much a step may hold too high a rate because it begins with an empty queue, relative: 1/√tasks.

    Simulated, the middle of the verdicts lies 0 to 1 % too high with 2 500 tasks, and 2 to 4 % with 600.
    """
    return 1 / math.sqrt(1 + max(j.tasks for j in history if j.rate == held.rate))


def _unreachable(history: Sequence[Judged], missed: _Seen, span: _Span) -> Answer:
    last = [j for j in history if j.rate == missed.rate and not j.held][-1]
    where = "where the workers stand idle nine tenths of the time"
    if missed.rate <= span.lowest:
        where = f"one task in {span.longest_s:.0f} s"
    seen = last.why if last.value is None else f"{span.slo.metric} is {units.format_duration(last.value)}"
    limit = units.format_duration(span.slo.limit)
    why = f"at {units.format_rate(missed.rate)}, {where}, {seen}; the SLO is {limit}"
    return Answer(outcome=UNREACHABLE, rate=0.0, lower=None, upper=missed.rate, why=why)


def _open(
    history: Sequence[Judged], held: _Seen | None, missed: _Seen | None, span: _Span, reason: str
) -> Answer:
    """What is known without an answer: the bracket, widened by the interval where there is one."""
    lower, upper = interval(history)
    rate = held.rate if held else 0.0
    known = f"{units.format_rate(rate)} was held" if held else "no rate was held"
    return Answer(
        outcome=OPEN,
        rate=rate,
        lower=min(lower, rate) if held else None,
        upper=max(upper, missed.rate) if missed else None,
        why=f"{known}; {reason}",
        thin=held is not None and span.thin(rate),
    )


LAPSE = 0.02
"""Chance that a verdict has nothing to do with the rate: a hiccup of the host. Without it one such step would
rule out every rate on its other side (Wichmann and Hill, Perception & Psychophysics 63, 2001)."""

WIDTHS = (0.005, 0.1)
"""Between which relative widths the edge lies, where one step in four is held that should not be."""

CONFIDENCE = 0.95


def interval(history: Sequence[Judged]) -> tuple[float, float]:
    """Ends of the 95 % interval of the capacity (1/s), from the verdicts of all steps.

    The chance of being held falls with the logarithm of the rate along a logistic curve, whose middle is the
    capacity; every middle and every width (``WIDTHS``) is equally likely beforehand, and the interval
    leaves 2.5 % of what the verdicts make of that on either side: Watson and Pelli's way to find a
    threshold by yes and no (Perception & Psychophysics 33, 1983).
    """
    x = np.log([judged.rate for judged in history])
    held = np.array([judged.held for judged in history])
    middle = np.linspace(x.min() - math.log(2), x.max() + math.log(2), 2000)
    weight = np.zeros(middle.size)
    for width in np.geomspace(*WIDTHS, 12):
        chance = LAPSE + (1 - 2 * LAPSE) * special.expit((middle[:, None] - x) / width)
        weight += np.where(held, chance, 1 - chance).prod(axis=1)
    share = np.cumsum(weight) / weight.sum()
    ends = np.searchsorted(share, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    lower, upper = np.exp(middle[np.minimum(ends, middle.size - 1)]).tolist()
    return lower, upper
