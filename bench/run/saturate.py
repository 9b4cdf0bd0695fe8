"""A saturate load: the highest rate that the running workers sustain, looked for step by step.

What to try next and how to judge it is decided in ``bench.search.capacity``; here it is done: publish a step,
watch the backlog, cut what is lost, wait for the queue to be empty again.
"""

import random
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bench import events
from bench.analyse import durations
from bench.canvas import bare, distinct
from bench.run import eventlog
from bench.run.follow import collect
from bench.run.publisher import warmups
from bench.search import capacity

if TYPE_CHECKING:
    from bench.run.trial import Course

LEAST_S = 5.0
"""A step's least length where the scenario says none."""

UNKNOWN_S = 0.001
CONSUMED = 1000.0
"""Tasks/s that one node's consumer gets through at most (measured: 1 300–1 700): no use to begin above it."""


def search(course: "Course") -> dict[str, Any]:
    """The answer of ``capacity.next`` and its ``steps``, each with ``first``: the number of its first task.

    Raises what a trial raises when it breaks off.
    """
    load, slots = course.setup.load, course.setup.slots
    slo = capacity.parse(load.slo)
    service_s = warm_service_s(course)
    fit = min(slots / service_s, CONSUMED * len(course.setup.groups))
    # not twice the same rates, or all searches would miss the capacity by the same
    spread = 2 ** (random.Random(course.seed).random() - 0.5)
    history: list[capacity.Judged] = []
    steps: list[dict[str, Any]] = []
    while True:
        then = capacity.next(
            history,
            start_rate=load.rate or fit / 2 * spread,
            slots=slots,
            mean_service_s=service_s,
            least_s=load.duration or LEAST_S,
            slo=slo,
        )
        if isinstance(then, capacity.Answer):
            return {**asdict(then), "slo": str(slo), "steps": steps}
        step = _Step(course, slo, then, first=len(course.publisher.choice))
        history.append(step.run())
        steps.append({**asdict(history[-1]), "first": step.first})
        service_s = step.service_s or service_s


def warm_service_s(course: "Course") -> float:
    """Seconds that a unit of the mix runs in the mean, as far as the warm-up tells: the median of each task
    that was warmed up, weighted like the mix.
    """
    calls = distinct(course.setup.workload)
    kinds = [kind for node in warmups(course.setup) for kind in node]
    began: dict[int, int] = {}
    ran: dict[int, list[int]] = {}
    for path in course.folder.glob("events-*.bin"):
        records, _, _ = eventlog.read(path)
        for record in records[records["seq"] < 0]:
            seq = int(record["seq"])
            if record["kind"] == events.STARTED:
                began[seq] = int(record["t_ns"])
            elif record["kind"] == events.ENDED and seq in began:
                ran.setdefault(kinds[-seq - 1], []).append(int(record["t_ns"]) - began[seq])
    if not ran:
        return UNKNOWN_S
    medians = {kind: float(np.median(took)) * events.NS for kind, took in ran.items()}
    found = []
    for entry in course.setup.workload:
        parts = [(calls.index(bare(part)), entry.items or part.times) for part in entry.calls]
        if all(kind in medians for kind, _ in parts):
            found.append((sum(times * medians[kind] for kind, times in parts), entry.weight))
    if not found:
        return UNKNOWN_S
    seconds, weights = zip(*found, strict=True)
    return max(float(np.average(seconds, weights=weights)), 1e-6)


class _Step:
    """One step while it runs: the backlog so far, and whether it is lost already."""

    def __init__(self, course: "Course", slo: capacity.Slo, step: capacity.Step, first: int) -> None:
        self.course, self.slo, self.step, self.first = course, slo, step, first
        self.backlog: list[tuple[int, int]] = []
        self.cut = False
        self.service_s = 0.0

    def run(self) -> capacity.Judged:
        self.course.publisher.step(self.step.rate, self.step.tasks)
        published = self.course.follow(self.step.tasks, self._watch)
        log = collect(self.course.folder, self.course.publisher.choice, first=self.first)
        table = events.tasks(log, self.course.setup.workload)
        begin = int(self.course.follower.intended_ns[self.first]) if published else 0
        t_ns, backlog = np.asarray(self.backlog, np.int64).reshape(-1, 2).T
        ended = table["state"].to_numpy() != 0
        values = np.full(len(table), np.nan)
        spans = durations(table)
        values[ended] = spans[self.slo.duration]
        self.service_s = float(np.nanmean(spans["service"])) if ended.any() else 0.0
        return capacity.judge(
            self.slo,
            table["intended"].to_numpy(),
            values,
            (t_ns - begin) * events.NS,
            backlog.astype(float),
            rate=self.step.rate,
            seconds=self.step.seconds,
            cut=self.cut,
        )

    def _watch(self, backlog: int) -> None:
        now = time.monotonic_ns()
        self.backlog.append((now, backlog))
        queued = backlog - self.course.setup.slots
        if capacity.lost_already(self.slo, self._exceeding(now), self.step.judged, queued=queued):
            self.cut = True
            self.course.publisher.cut()

    def _exceeding(self, now: int) -> int:
        """How many judged tasks have reached the limit of a response, ended or not."""
        if self.slo.duration != "response":
            return 0
        begin = self.first + self.step.settling
        intended = self.course.follower.intended_ns[begin:]
        ended = self.course.follower.ended_ns[begin : begin + intended.size]
        until: npt.NDArray[np.int64] = np.where(ended > 0, ended, now)
        return int(np.count_nonzero((intended > 0) & (until - intended >= self.slo.limit / events.NS)))
