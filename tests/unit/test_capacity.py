"""The search for the capacity: its pieces, its end under any judge, and simulated queues whose answer is
known.
"""

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.search import capacity
from bench.search.capacity import MOST_RATE, MOST_STEPS, Answer, Judged, Slo, Step, judge, lost_already

Floats = NDArray[np.float64]
P95 = Slo(metric="p95(response)", limit=0.1)
ANY = Slo(metric="max(response)", limit=1e9)
"""An SLO that nothing misses: only the backlog judges."""


# The SLO


def test_an_slo_is_parsed() -> None:
    slo = capacity.parse(" p95( response ) < 500ms")
    assert (slo.metric, slo.limit, slo.level, slo.duration) == ("p95(response)", 0.5, 0.95, "response")
    assert str(slo) == "p95(response) < 500 ms"
    assert capacity.parse("mean(wait) < 1s").level is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("throughput < 5/s", "an SLO limits a statistic of wait"),
        ("p95(lateness) < 5ms", "an SLO limits a statistic of wait"),
        ("p95(response) > 5ms", "write '<' instead of '>'"),
        ("p95(response) < 0s", "above 0"),
        ("p95(respond) < 5ms", "did you mean"),
        ("fast", "is not a gate"),
    ],
)
def test_what_is_no_slo_is_told(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        capacity.parse(text)


# One step


def verdict(values: Floats, slo: Slo = P95, backlog: Floats | None = None, **options: bool) -> Judged:
    """``values`` of tasks due evenly in 10 s, the first fifth settling."""
    n = values.size
    times = np.linspace(0, 10, 200, endpoint=False)
    queue = np.ones(200) if backlog is None else backlog
    return judge(slo, np.arange(n) * 10 / n, values, times, queue, rate=n / 10, seconds=10.0, **options)


@pytest.mark.parametrize(("slow", "held"), [(0, True), (39, True), (40, False), (100, False)])
def test_a_percentile_is_judged_by_counting(slow: int, held: bool) -> None:
    """800 of 1 000 tasks are judged: a p95 allows fewer than 40 at the limit."""
    values = np.full(1000, 0.01)
    values[-slow or 1000 :] = 0.1
    found = verdict(values)
    assert found.held is held
    assert found.why == ("" if held else "p95(response) was 100 ms" if slow > 40 else found.why)


def test_tasks_that_never_ended_exceed() -> None:
    values = np.full(1000, 0.01)
    values[500:] = np.nan
    found = verdict(values)
    assert not found.held and found.value is None
    assert found.why == "500 tasks did not end"
    assert not verdict(np.where(np.arange(100) == 50, np.nan, 0.01), Slo(metric="mean(wait)", limit=1)).held


def test_tasks_that_settle_are_not_judged() -> None:
    assert verdict(np.where(np.arange(1000) < 200, 9.0, 0.01)).held


def test_mean_and_max_are_judged_directly() -> None:
    values = np.tile([0.05, 0.13], 500)
    assert verdict(values, Slo(metric="mean(response)", limit=0.1)).held
    assert not verdict(values, Slo(metric="max(response)", limit=0.1)).held
    assert verdict(values, Slo(metric="max(response)", limit=0.14)).value == 0.13


def test_a_growing_backlog_is_missed_even_where_the_slo_is_met() -> None:
    found = verdict(np.full(1000, 0.01), backlog=np.linspace(0, 100, 200))
    assert not found.held
    assert found.slope == pytest.approx(10.05, rel=0.01)
    assert found.why == "the backlog grew by 10.1/s"


def test_one_task_more_is_no_growth() -> None:
    assert verdict(np.full(20, 0.01), backlog=np.repeat([0.0, 1.0], 100)).held


def test_a_cut_step_is_missed() -> None:
    assert not verdict(np.full(100, 0.01), cut=True).held
    none = np.array([])
    assert verdict(np.array([0.01])).held
    assert judge(P95, none, none, none, none, rate=1, seconds=1, cut=True).why == "no task was published"


@pytest.mark.parametrize(
    ("metric", "exceeding", "queued", "lost"),
    [
        ("p95(response)", 49, 0, False),
        ("p95(response)", 50, 0, True),
        ("max(response)", 0, 0, False),
        ("max(response)", 1, 0, True),
        ("mean(response)", 900, 250, False),
        ("mean(response)", 0, 251, True),
        ("p50(response)", 0, 251, True),
    ],
)
def test_when_a_step_is_lost(metric: str, exceeding: int, queued: int, lost: bool) -> None:
    assert lost_already(Slo(metric=metric, limit=1.0), exceeding, 1000, queued=queued) is lost


def test_a_step_that_is_lost_is_judged_missed() -> None:
    """Both count alike, for every percentile and number of tasks."""
    for metric, tasks in (("p50(wait)", 7), ("p90(wait)", 30), ("p99(wait)", 1000), ("p999(wait)", 999)):
        slo = Slo(metric=metric, limit=1.0)
        for slow in range(tasks):
            values = np.where(np.arange(tasks) < slow, 2.0, 0.5)
            due = np.full(tasks, 9.0)
            one = judge(slo, due, values, np.array([]), np.array([]), rate=tasks / 10, seconds=10.0)
            assert one.held is not lost_already(slo, slow, tasks)


# Queues


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """``slots`` that serve one queue. Tasks come evenly or at random (``arrivals`` D, M) and take equally or
    exponentially long (``service``), ``mean`` seconds."""

    arrivals: str
    service: str
    slots: int
    mean: float

    def run(self, rate: float, n: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Due and end times (s) of ``n`` tasks."""
        due = np.arange(n) / rate if self.arrivals == "D" else np.cumsum(rng.exponential(1 / rate, n))
        if self.service == "D":
            return due, self._equal(due)
        free, ends = [0.0] * self.slots, np.empty(n)
        for i, (at, takes) in enumerate(
            zip(due.tolist(), rng.exponential(self.mean, n).tolist(), strict=True)
        ):
            ends[i] = end = max(at, free[0]) + takes
            heapq.heapreplace(free, end)
        return due, ends

    def _equal(self, due: Floats) -> Floats:
        """Equal services take the slots in turn: each is a queue of its own (Lindley 1952)."""
        ends = np.empty_like(due)
        for k in range(self.slots):
            before = np.arange(due[k :: self.slots].size) * self.mean
            ends[k :: self.slots] = np.maximum.accumulate(due[k :: self.slots] - before) + before + self.mean
        return ends

    def step(self, slo: Slo, step: Step, rng: np.random.Generator) -> tuple[Judged, float]:
        """The verdict on a step, cut as the harness would, and the seconds it took."""
        due, ends = self.run(step.rate, step.tasks, rng)
        values, done = ends - due, np.sort(ends)
        times = np.arange(0.0, step.seconds, 0.05)
        backlog = np.searchsorted(due, times, "right") - np.searchsorted(done, times, "right")
        late = np.sort(ends[step.settling :][values[step.settling :] >= slo.limit])
        exceeding = np.searchsorted(late, times, "right")
        seen = zip(exceeding.tolist(), (backlog - self.slots).tolist(), strict=True)
        lost = [i for i, (e, q) in enumerate(seen) if lost_already(slo, e, step.judged, queued=q)]
        stop = float(times[lost[0]]) if lost else math.inf
        ran, shown = due <= stop, times <= stop
        judged = judge(
            slo,
            due[ran],
            values[ran],
            times[shown],
            backlog[shown].astype(float),
            rate=step.rate,
            seconds=step.seconds,
            cut=bool(lost),
        )
        return judged, float(ends[ran].max())


MM4 = Queue(arrivals="M", service="M", slots=4, mean=0.01)
MD4 = Queue(arrivals="M", service="D", slots=4, mean=0.01)
DM4 = Queue(arrivals="D", service="M", slots=4, mean=0.01)


@pytest.mark.parametrize("queue", [MM4, MD4, DM4])
@pytest.mark.parametrize(
    ("load", "least", "most"), [(0.5, 60, 60), (0.8, 59, 60), (0.95, 55, 60), (1.05, 0, 30), (1.2, 0, 0)]
)
def test_the_backlog_tells_below_from_above(queue: Queue, load: float, least: int, most: int) -> None:
    """Of 60 steps of 10 s and some 4 000 tasks: held below the slots' own rate, missed above it."""
    rng = np.random.default_rng(11)
    rate = load * queue.slots / queue.mean
    step = Step(rate=rate, seconds=10.0, tasks=round(rate * 10))
    held = sum(queue.step(replace(ANY), step, rng)[0].held for _ in range(60))
    assert least <= held <= most


# The search

Judge = Callable[[Step], bool]


def search(
    judges: Judge, *, start: float = 100.0, slots: int = 2, mean: float = 0.01, slo: Slo = P95
) -> tuple[Answer, list[Judged]]:
    history: list[Judged] = []
    while True:
        found = capacity.next(
            history, start_rate=start, slots=slots, mean_service_s=mean, least_s=5.0, slo=slo
        )
        if isinstance(found, Answer):
            return found, history
        held = judges(found)
        value = 0.01 if held else 0.051
        history.append(
            Judged(
                rate=found.rate, seconds=found.seconds, tasks=found.tasks, held=held, value=value, slope=0.0
            )
        )


@pytest.mark.parametrize("truth", [13.0, 30.0, 100.0, 170.0, 20_000.0])
def test_a_sharp_capacity_is_found(truth: float) -> None:
    answer, history = search(lambda step: step.rate < truth, slots=1)
    assert answer.outcome == "found"
    assert answer.lower is not None and answer.upper is not None
    assert answer.rate < truth <= answer.rate * 1.05
    assert answer.lower <= truth <= answer.upper <= answer.lower * 1.35
    assert len(history) <= 18


@given(st.lists(st.booleans(), min_size=MOST_STEPS, max_size=MOST_STEPS), st.floats(), st.floats(0, 100))
@settings(max_examples=100)
def test_it_always_ends(verdicts: list[bool], start: float, mean: float) -> None:
    """Whatever the judge says, wherever the search begins."""
    told = iter(verdicts)
    answer, history = search(lambda _step: next(told), start=start, mean=mean)
    assert len(history) <= MOST_STEPS
    assert answer.outcome in ("found", "unreachable", "open") and answer.why
    assert all(0 < j.rate <= MOST_RATE and j.seconds <= capacity.LONGEST_S and j.tasks >= 1 for j in history)
    assert answer.lower is None or answer.lower <= answer.rate
    assert answer.upper is None or answer.rate <= answer.upper


def test_a_verdict_that_was_chance_is_overruled() -> None:
    """One hiccup at half the capacity costs steps, not the answer."""
    hiccups = iter([False])
    answer, history = search(lambda step: next(hiccups, step.rate < 210.0), start=100.0)
    assert answer.outcome == "found" and answer.rate == pytest.approx(205, rel=0.03)
    assert len(history) <= 20


def test_an_slo_that_no_rate_can_meet() -> None:
    answer, history = search(lambda _step: False, slo=Slo(metric="p95(response)", limit=0.02))
    assert answer.outcome == "unreachable" and answer.rate == 0.0
    assert answer.why == (
        "at 12.5/s, where the workers stand idle nine tenths of the time, p95(response) is 51 ms; "
        "the SLO is 20 ms"
    )
    assert len(history) == 6  # 100, 50, 25, and three times 12.5


def test_what_the_loader_cannot_exceed_is_open() -> None:
    answer, _ = search(lambda _step: True)
    assert (answer.outcome, answer.rate, answer.upper) == ("open", MOST_RATE, None)
    assert answer.why == "50 000/s was held; the loader publishes no faster"


def test_a_judge_without_memory_leaves_it_open() -> None:
    """Verdicts that turn each time never settle; the search says so after its last step."""
    turns = iter([True, False] * MOST_STEPS)
    answer, history = search(lambda _step: next(turns))
    assert len(history) <= MOST_STEPS
    assert answer.outcome in ("open", "found")


def test_steps_are_long_enough_but_not_longer() -> None:
    def first(rate: float, metric: str, mean: float = 0.01) -> Step:
        slo = Slo(metric=metric, limit=0.1)
        step = capacity.next([], start_rate=rate, slots=1, mean_service_s=mean, least_s=5.0, slo=slo)
        assert isinstance(step, Step)
        return step

    assert first(100, "p95(wait)") == Step(rate=100, seconds=5.0, tasks=500, settling=100)
    assert first(100, "p99(wait)").seconds == pytest.approx(12.5)  # 1 000 tasks after those that settle
    assert first(1, "p99(wait)").seconds == 30.0
    assert first(100, "max(wait)", mean=1.0).seconds == 10.0


def test_too_few_tasks_for_the_percentile_are_said() -> None:
    answer, _ = search(lambda step: step.rate < 3.0, slots=1, mean=0.1)
    assert answer.thin and "few for p95(response)" in answer.why
    assert not search(lambda step: step.rate < 300.0)[0].thin


@pytest.mark.parametrize(
    ("queue", "limit", "truth"),
    [
        (Queue(arrivals="D", service="M", slots=4, mean=0.02), 0.15, 187.7),
        (Queue(arrivals="M", service="D", slots=4, mean=0.02), 0.08, 177.8),
    ],
)
def test_the_interval_holds_the_truth(queue: Queue, limit: float, truth: float) -> None:
    """100 searches that begin up to ten times off: truth in the interval in 90, median error within 5 %."""
    slo = Slo(metric="p95(response)", limit=limit)
    rng = np.random.default_rng(12)
    for rate, share in ((truth * 0.985, False), (truth * 1.015, True)):  # the truth is the truth
        due, ends = queue.run(rate, 150_000, rng)
        assert bool(np.quantile((ends - due)[10_000:], 0.95) >= limit) is share
    answers = [_simulated(queue, slo, truth * 10 ** rng.uniform(-1, 1), rng) for _ in range(100)]
    assert all(a.outcome == "found" for a, _ in answers)
    assert sum(a.lower <= truth <= a.upper for a, _ in answers) >= 90  # type: ignore[operator]
    assert np.median([abs(a.rate / truth - 1) for a, _ in answers]) <= 0.05
    assert np.median([seconds for _, seconds in answers]) <= 150


def _simulated(queue: Queue, slo: Slo, start: float, rng: np.random.Generator) -> tuple[Answer, float]:
    seconds = []

    def judges(step: Step) -> bool:
        judged, took = queue.step(slo, step, rng)
        seconds.append(took)
        return judged.held

    answer, _ = search(judges, start=start, slots=queue.slots, mean=queue.mean, slo=slo)
    return answer, sum(seconds)


def test_a_growing_backlog_is_never_idle() -> None:
    """No-ops that take no time themselves, offered at thrice what their consumer gets through."""
    swamped = capacity.Judged(
        rate=3000.0,
        seconds=0.5,
        tasks=1500,
        held=False,
        value=2.0,
        slope=900.0,
        backlog=400.0,
        why="p90 was 2 s",
    )
    slo = capacity.parse("p90(response) < 500ms")
    history = [swamped] * 3
    then = capacity.next(history, start_rate=3000.0, slots=4, mean_service_s=5e-5, least_s=1.0, slo=slo)
    assert isinstance(then, capacity.Step)
    assert then.rate == 1500.0
