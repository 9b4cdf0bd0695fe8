"""Pure: the highest rate of tasks that a cell sustains under an SLO. History of judged steps → next step or
answer.

A search is a chain of steps. A step publishes at one constant rate and is judged: **held** where the backlog
did not grow and the SLO was met, else **missed**. The rate is doubled while it is held and halved while it is
missed, then bisected to ``RESOLUTION``, then tried again at both edges, where the majority decides. No clock
is read here and nothing is drawn: the same history gives the same step. It always ends, after ``MOST_STEPS``
steps at the latest. Rules, reasons and error rates stand in docs/methodology.md, "Capacity".
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bench import gate, units
from bench.stats.quantiles import LEVELS, needed

Floats = NDArray[np.floating[Any]]

METRICS_OF_STEP = ("wait", "broker_wait", "prefetch_wait", "service", "response")
"""Durations that an SLO may limit. Lateness is the loader's, not the cell's."""

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

SETTLING = 0.2
"""Share of the step at its start that is not judged: the queue begins empty, and its first tasks flatter."""

CAREFUL_TASKS = 2_500
"""Tasks of a step between a held and a missed rate: the mean of so many exponential service times is known to
1/√2500 = 2 %, which is what ``RESOLUTION`` needs."""

CAREFUL_LIMITS = 1.5 / RESOLUTION
"""Seconds of such a step for each second of the SLO's limit. A rate that is too high by ``RESOLUTION`` makes
tasks wait for the whole limit after limit ÷ RESOLUTION; a shorter step would end before it is seen."""

GROWTH = 0.02
"""Growth of the backlog, as a share of the rate, up to which it does not count: at 2 % a queue has grown by
less than a second's work in LONGEST_S."""

GROWTH_Z = 1.645
"""Standard errors above zero from which a slope counts: one-sided 5 % (see ``slope``)."""

GROWTH_TASKS = 3.0
"""Fewest tasks by which the backlog must have risen over the step: one task more or less is no growth."""

BINS = 20
"""Means that the samples of the backlog are gathered into, so that waves within a bin are not noise."""

SWAMPED = 0.25
"""Share of all planned tasks that wait beyond the slots, from which a step is cut: even drained at once, the
backlog has grown by far more than ``GROWTH``."""

SWAMPED_TASKS = 20
"""And so many at least: a short queue comes and goes."""

IDLE = 0.1
"""Share of the slots that are busy, below which the workers count as idle: by M/M/1 a task that comes meets
another in one of ten cases, with more slots in fewer. A slower rate would not be faster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slo:
    """``metric`` (like p95(response)) must stay below ``limit`` (s)."""

    metric: str
    limit: float

    @property
    def statistic(self) -> str:
        return self.metric.partition("(")[0]

    @property
    def duration(self) -> str:
        """Which of ``METRICS_OF_STEP`` the values of ``judge`` are."""
        return self.metric.partition("(")[2].removesuffix(")")

    @property
    def level(self) -> float | None:
        """The level of a percentile, 0 to 1; None for mean and max."""
        return LEVELS.get(self.statistic)

    def __str__(self) -> str:
        return f"{self.metric} < {units.format_duration(self.limit)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What to publish next: ``tasks`` at ``rate`` (1/s), evenly, which takes ``seconds``. The first
    ``settling`` of them are not judged.
    """

    rate: float
    seconds: float
    tasks: int
    settling: int = 0

    @property
    def judged(self) -> int:
        return self.tasks - self.settling


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A step that was run: ``rate`` (1/s), ``seconds`` and ``tasks`` published, whether it was ``held`` and
    ``why`` not; ``value`` (s) of the SLO's metric, None where too many tasks never ended; ``slope`` of the
    backlog (tasks a second).
    """

    rate: float
    seconds: float
    tasks: int
    held: bool
    value: float | None
    slope: float
    why: str = ""


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


def parse(text: str) -> Slo:
    """The SLO in ``text``, like ``p95(response) < 500ms``. Raises ValueError with what to write instead."""
    found = gate.parse(text)
    slo = Slo(metric=found.metric, limit=found.limit)
    if slo.duration not in METRICS_OF_STEP:
        known = ", ".join(METRICS_OF_STEP)
        raise ValueError(f"{text!r}: an SLO limits a statistic of {known}, like 'p95(response) < 500ms'")
    if found.op != "<":
        raise ValueError(f"{text!r}: an SLO is an upper limit; write '<' instead of {found.op!r}")
    if not slo.limit > 0:
        raise ValueError(f"{text!r}: no task takes less than nothing; the limit must be above 0")
    return slo


# Judging a step


def lost_already(slo: Slo, exceeding: int, planned: int, *, queued: int = 0) -> bool:
    """Whether the step cannot be held any more, so that publishing may stop.

    ``exceeding`` tasks of the ``planned`` (``Step.judged``; those that settle are in neither) have reached
    the limit; ``queued`` are due, not ended, and beyond what the slots hold. A mean is only lost by its
    queue.
    """
    if queued > max(SWAMPED_TASKS, SWAMPED * planned):
        return True
    if slo.statistic == "mean":
        return False
    return exceeding > 0 and _too_many(slo, exceeding, planned)


def judge(
    slo: Slo,
    due: Floats,
    values: Floats,
    backlog_t: Floats,
    backlog_n: Floats,
    *,
    rate: float,
    seconds: float,
    cut: bool = False,
) -> Judged:
    """The verdict on a step.

    ``due`` (s after the step's start) and ``values`` (s, NaN where the task never ended) of each published
    task; ``backlog_n`` tasks were due and not ended at ``backlog_t`` (s after the start, ascending).
    ``cut``: publishing was stopped because the step was lost.
    """
    published = float(due.max()) if cut and due.size else seconds
    inside = (backlog_t >= SETTLING * published) & (backlog_t <= published)
    growth, error = slope(backlog_t[inside], backlog_n[inside])
    settled = due >= SETTLING * published
    values = values[settled] if settled.any() else values
    value = _value(slo, values)
    why = _why_missed(slo, values, value) or _why_growing(growth, error, rate, published)
    if cut and not why:
        why = "the queue grew so fast that the step was cut"
    return Judged(
        rate=rate,
        seconds=published,
        tasks=int(due.size),
        held=not why,
        value=value,
        slope=growth,
        why=why,
    )


def slope(t: Floats, n: Floats) -> tuple[float, float]:
    """Least-squares slope of the backlog ``n`` over ``t`` (s), and its standard error, in tasks a second.

    A queue near its capacity is a random walk: its samples are not independent, and the usual error of a
    regression is several times too small. For a walk whose variance grows by σ² a second, the slope over T
    seconds has variance 6σ²/(5T) (Durlauf and Phillips, Econometrica 56, 1988), and means of bins Δ long
    differ from their neighbours with variance 2σ²Δ/3. Below capacity a queue wanders less than that, so the
    test errs towards "not growing". (0, 0) for fewer than four samples.
    """
    if t.size < 4:
        return 0.0, 0.0
    groups = np.array_split(np.arange(t.size), min(BINS, t.size // 2))
    means = np.array([n[g].mean() for g in groups])
    x = np.array([t[g].mean() for g in groups])
    x -= x.mean()
    found = float(x @ means / (x @ x))
    steps = np.diff(means) - found * np.diff(x)
    width = float(np.diff(x).mean())
    variance = 1.5 * float(steps @ steps) / max(steps.size - 1, 1) / width
    return found, math.sqrt(1.2 * variance / float(t[-1] - t[0]))


def _why_growing(growth: float, error: float, rate: float, seconds: float) -> str:
    least = max(GROWTH * rate, GROWTH_Z * error, GROWTH_TASKS / (seconds * (1 - SETTLING)))
    return f"the backlog grew by {units.format_rate(growth)}" if growth > least else ""


def _why_missed(slo: Slo, values: Floats, value: float | None) -> str:
    if values.size == 0:
        return "no task was published"
    exceeding = int(values.size - (values < slo.limit).sum())
    if slo.level is None:
        missed = value is None or value >= slo.limit
    else:
        missed = _too_many(slo, exceeding, values.size)
    if not missed:
        return ""
    if value is None:
        return f"{units.plural(int(np.isnan(values).sum()), 'task')} did not end"
    return f"{slo.metric} was {units.format_duration(value)}"


def _too_many(slo: Slo, exceeding: int, tasks: int) -> bool:
    """Whether so many tasks at or above the limit break a percentile (for max: any)."""
    return exceeding >= (1 - (slo.level or 1.0)) * tasks * (1 - 1e-9)


def _value(slo: Slo, values: Floats) -> float | None:
    """The SLO's metric over the tasks; one that did not end is longer than all others."""
    if values.size == 0:
        return None
    filled = np.where(np.isnan(values), np.inf, values)
    if slo.level is None:
        value = float(filled.mean() if slo.statistic == "mean" else filled.max())
    else:
        value = float(np.quantile(filled, slo.level, method="inverted_cdf"))
    return value if math.isfinite(value) else None


# Searching


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """All steps at one ``rate``."""

    rate: float
    tries: int
    held: int

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
    are idle; ``least_s`` is how long a step lasts at least.
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

    def idle(self, rate: float) -> bool:
        return rate * self.mean_service_s < IDLE * self.slots or rate <= self.lowest

    def _tasks(self) -> int:
        return 1 if self.slo.level is None else needed(self.slo.level)


def _seen(history: Sequence[Judged]) -> list[_Seen]:
    by_rate: dict[float, list[bool]] = {}
    for judged in history:
        by_rate.setdefault(judged.rate, []).append(judged.held)
    return [_Seen(rate=rate, tries=len(held), held=sum(held)) for rate, held in by_rate.items()]


def _rate(seen: Sequence[_Seen], held: _Seen | None, missed: _Seen | None, span: _Span) -> float:
    """Which rate to try where there is no answer yet."""
    tied = [s.rate for s in seen if s.margin == 0]
    if tied:
        return tied[0]
    if missed is None:
        return min(2 * held.rate, MOST_RATE) if held else span.lowest
    if held is None:
        return missed.rate if span.idle(missed.rate) else max(missed.rate / 2, span.lowest)
    if not _close(held, missed):
        return math.sqrt(held.rate * missed.rate)
    return min((held, missed), key=lambda s: s.tries).rate


def _close(held: _Seen, missed: _Seen) -> bool:
    return missed.rate <= held.rate * (1 + RESOLUTION)


def _answer(
    history: Sequence[Judged], held: _Seen | None, missed: _Seen | None, span: _Span
) -> Answer | None:
    if held is None and missed and span.idle(missed.rate) and missed.tries >= TRIES:
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
    if missed.rate * span.mean_service_s >= IDLE * span.slots:
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
