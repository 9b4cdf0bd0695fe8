"""A trial without processes or clocks: a small discrete-event simulation of nodes, slots and prefetch.

Good for testing everything above ``run/`` and for seeing what a deep prefetch does; its numbers are made
up and never shown as measured. The same trial (its seed, its cell) always gives the same recording.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from bench import pacing
from bench.canvas import Part
from bench.events import (
    ENDED,
    EVENT_COLUMNS,
    FAILURE,
    INTENDED,
    RECEIVED,
    RETURNED,
    SAMPLE_COLUMNS,
    SENT,
    STARTED,
    SUCCESS,
    Floats,
    Recording,
)
from bench.model import GREEN_POOLS, Setup, TaskCall, Trial, Workers
from bench.run.simulation import RECEIVE_S, RETURN_S, Drawn, Groups, Loop, Simulation
from bench.scenario import replay
from bench.search import capacity

PUBLISH_S = 0.0004
"""One ``apply_async``: about 2 500/s from one Python process."""

BROKER_S = 0.00005
"""CPU of the broker for a task."""

LEAST_STEP_S = 5.0
"""Least length of a step of a search."""

SPIN_S = 0.02
"""The reference spin where the host is as fast as ever."""

HASH_S_PER_MIB = 0.0005
CORES = 2
START_NS = 1_000_000_000_000
SAMPLE_S = 0.1
MIB = 2**20
PARENT_BYTES, CHILD_BYTES = 55 * MIB, 22 * MIB
PARENT_PID, LOADER_PID = 1000, 900

Work = Callable[[Mapping[str, Any]], tuple[float, float]]
WORK: Mapping[str, Work] = {
    "noop": lambda _: (0.0001, 0.0),
    "fail": lambda _: (0.0002, 0.0),
    "cpu.spin": lambda kw: (kw["ms"] / 1e3, 0.0),
    "cpu.hash": lambda kw: (kw["mib"] * HASH_S_PER_MIB, 0.0),
    "io.sleep": lambda kw: (0.0001, kw["seconds"]),
    "io.http": lambda kw: (0.001, kw.get("seconds", 0.05)),
    "mixed": lambda kw: (kw["cpu_ms"] / 1e3, kw["io_seconds"]),
    "memory.hold": lambda kw: (0.001, kw.get("seconds", 0.0)),
}
"""CPU and waiting seconds of the shipped tasks, by their keyword arguments."""

UNKNOWN_WORK = (0.002, 0.008)
RELEASES_GIL = frozenset({"cpu.hash"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fake:
    """Call it with a trial. ``noise``: standard deviation of a trial's speed (log). ``host``: how slow the
    host is at that trial (1 = as ever). ``failing`` and ``losing``: shares of tasks that fail or never
    end. ``broken``: trial or cell id → why it fails halfway.
    """

    noise: float = 0.03
    host: Callable[[Trial], float] = lambda _: 1.0
    failing: float = 0.0
    losing: float = 0.0
    broken: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, trial: Trial) -> Recording:
        setup = trial.cell.setup
        rng = np.random.default_rng([trial.seed, trial.position, *trial.cell.id.encode()])
        noise = float(np.exp(rng.normal(0.0, self.noise)))
        tasks = _Tasks(trial, self.host(trial) * noise, self.failing, self.losing, rng)
        search: dict[str, Any] = {}
        if setup.load.shape == "saturate":
            course, drawn, search = _search(setup, tasks)
        else:
            drawn = tasks.draw(setup.load.count)
            course = _course(setup, trial.seed, drawn)
        events = _events(course, trial, drawn)
        reason = self.broken.get(trial.id) or self.broken.get(trial.cell.id) or ""
        if reason:
            events = events.iloc[: len(events) // 2]
        return Recording(
            started_at=f"2026-01-01T{trial.position // 60 % 24:02}:{trial.position % 60:02}:00.000+00:00",
            outcome="failed" if reason else "ok",
            reason=reason,
            log_tail=f"[node-0] {reason}" if reason else "",
            events=events,
            samples=_samples(course, setup.groups, drawn.cpu),
            effective=tuple(_effective(group, node) for node, group in enumerate(setup.groups)),
            timings={"boot": 0.5, "warmup": 0.1, "load": course.clock, "overhead": 0.2},
            search={} if reason else search,
            host={name: SPIN_S * self.host(trial) for name in ("spin_before", "spin_after")},
            logs={"node-0": reason} if reason else {},
        )


execute = Fake()
"""The plain one: every trial goes well."""


class _Tasks:
    """What a trial's tasks are like."""

    def __init__(
        self, trial: Trial, speed: float, failing: float, losing: float, rng: np.random.Generator
    ) -> None:
        setup = trial.cell.setup
        self._weights, self._seed, self._rng = [call.weight for call in setup.workload], trial.seed, rng
        self._speed, self._losing = speed, losing
        self._messages = []
        for call in setup.workload:
            rows = []
            for number, part in enumerate(call.messages or [Part(0, 0, 1)], start=bool(call.canvas)):
                task = call.calls[part.call]
                cpu, idle = (part.items * seconds for seconds in _seconds(task, setup.fleet[0]))
                rows.append((number, part.stage, cpu, idle, _failing(task, failing)))
            self._messages.append(np.array(rows))

    @property
    def mean_service_s(self) -> float:
        service = [rows[:, 2:4].sum() * self._speed for rows in self._messages]
        return float(np.average(service, weights=self._weights))

    def draw(self, n: int) -> Drawn:
        """The next ``n`` units."""
        choice = np.asarray(pacing.choices(self._weights, n, self._seed))
        many = np.array([len(rows) for rows in self._messages])[choice]
        kinds = np.concatenate(self._messages)
        base = np.cumsum([0, *(len(rows) for rows in self._messages)])[choice]
        first = np.cumsum(many) - many
        unit = np.repeat(np.arange(n), many)
        kind = kinds[base[unit] + np.arange(unit.size) - first[unit]]
        service = (kind[:, 2] + kind[:, 3]) * self._speed * np.exp(self._rng.normal(0, 0.01, unit.size))
        states = np.where(self._rng.random(unit.size) < kind[:, 4], FAILURE, SUCCESS)
        states[self._rng.random(unit.size) < self._losing] = 0
        part, stage = kind[:, 0].astype(int), kind[:, 1].astype(int)
        return Drawn(
            choice=choice, first=first, many=many, unit=unit, part=part, stage=stage,
            service=service, cpu=kind[:, 2], states=states,
        )  # fmt: skip


def _course(setup: Setup, seed: int, drawn: Drawn) -> Simulation:
    """The trial's tasks, run. A replayed load has the offsets of its file."""
    load = setup.load
    if load.shape == "closed":
        return Loop(setup.groups, load.clients or 1, drawn, setup.workload).run()
    due = replay.schedule(load)[0] if load.shape == "replay" else pacing.due_times(load, seed)
    return Simulation(setup.groups, due, drawn).run()


def _search(setup: Setup, tasks: _Tasks) -> tuple[Simulation, Drawn, dict[str, Any]]:
    """The steps that ``capacity.next`` asks for, each on an empty queue: all of them in one simulation with
    what was published, and what ``Recording.search`` holds.
    """
    load, workers = setup.load, setup.groups
    slo = capacity.parse(load.slo)
    history: list[capacity.Judged] = []
    steps: list[dict[str, Any]] = []
    parts: list[tuple[Simulation, Drawn]] = []
    while True:
        then = capacity.next(
            history,
            start_rate=load.rate or setup.slots / tasks.mean_service_s / 2,
            slots=setup.slots,
            mean_service_s=tasks.mean_service_s,
            least_s=load.duration or LEAST_STEP_S,
            slo=slo,
        )
        if isinstance(then, capacity.Answer):
            drawn = Drawn.joined([drawn for _, drawn in parts])
            course = Simulation.joined(workers, [part for part, _ in parts], drawn)
            return course, drawn, {**asdict(then), "slo": str(slo), "steps": steps}
        drawn = tasks.draw(then.tasks)
        course = Simulation(workers, np.arange(then.tasks) / then.rate, drawn).run()
        history.append(_judged(slo, then, course))
        steps.append({**asdict(history[-1]), "first": sum(part.due.size for part, _ in parts)})
        parts.append((course, drawn))


def _judged(slo: capacity.Slo, step: capacity.Step, course: Simulation) -> capacity.Judged:
    first, ended = course.drawn.first, np.fmax.reduceat(course.ended, course.drawn.first)
    started, received = (np.fmin.reduceat(at, first) for at in (course.started, course.received))
    lost = np.logical_or.reduceat((course.drawn.states == 0) & ~np.isnan(course.started), first)
    t = np.arange(0.0, step.seconds, SAMPLE_S / 2)
    backlog = np.searchsorted(course.due, t, "right") - np.searchsorted(np.sort(ended), t, "right")
    sent = course.due + PUBLISH_S
    values = {
        "wait": started - course.due,
        "broker_wait": np.maximum(received - sent, 0.0),
        "prefetch_wait": started - received,
        "service": np.add.reduceat(np.nan_to_num(course.ended - course.started), first),
        "response": ended - course.due,
    }[slo.duration]
    return capacity.judge(
        slo,
        course.due,
        np.where(lost, np.nan, values),
        t,
        backlog.astype(float),
        rate=step.rate,
        seconds=step.seconds,
    )


def _seconds(call: TaskCall, workers: Workers) -> tuple[float, float]:
    """CPU and waiting seconds of one task when all slots are busy: who shares a core or the GIL takes
    longer.
    """
    try:
        cpu, idle = WORK[call.task](call.kwargs)
    except KeyError:
        cpu, idle = UNKNOWN_WORK
    frees = call.task in RELEASES_GIL and workers.pool not in GREEN_POOLS
    parallel = workers.concurrency if workers.pool == "prefork" or frees else 1
    busy = cpu / (cpu + idle) if cpu + idle else 0.0
    on_core = max(1.0, workers.concurrency * busy / parallel, workers.slots * busy / CORES)
    return cpu * on_core, idle


def _failing(call: TaskCall, share: float) -> float:
    return float(call.kwargs.get("chance", 1.0)) if call.task == "fail" else share


def _events(course: Simulation, trial: Trial, drawn: Drawn) -> pd.DataFrame:
    """The columns of events.parquet; a message with state 0 has no end."""
    setup, n = trial.cell.setup, course.due.size
    sent = (np.arange(n) - n) * PUBLISH_S if setup.load.shape == "flood" else course.due + PUBLISH_S
    whole = {"seq": np.arange(n), "part": 0, "task": drawn.choice}
    each = {"seq": drawn.unit, "part": drawn.part, "task": drawn.choice[drawn.unit]}
    came, ended = np.flatnonzero(~np.isnan(course.started)), np.flatnonzero(drawn.states)
    ended = np.intersect1d(came, ended)
    parent = PARENT_PID * (1 + course.node)
    child = parent + (1 + course.slot if setup.fleet[0].pool == "prefork" else 0)
    units = np.arange(n)
    rows = [
        (INTENDED, course.due, -1, LOADER_PID, units, whole),
        (SENT, sent, -1, LOADER_PID, units, whole),
        (RECEIVED, course.received, course.node, parent, came, each),
        (STARTED, course.started, course.node, child, came, each),
        (ENDED, course.ended, course.node, child, ended, each),
    ]
    if setup.load.shape == "closed":
        latest = np.full(n, np.nan)
        np.fmax.at(latest, drawn.unit[ended], course.ended[ended])
        rows.append((RETURNED, latest + RETURN_S, -1, LOADER_PID, np.flatnonzero(~np.isnan(latest)), whole))
    frames = [
        pd.DataFrame(
            {
                **of,
                "t_ns": START_NS + np.round(np.nan_to_num(at) * 1e9).astype("int64"),
                "kind": kind,
                "state": drawn.states if kind == ENDED else 0,
                "attempt": 0,
                "node": node,
                "pid": pid,
            }
        ).iloc[kept]
        for kind, at, node, pid, kept, of in rows
    ]
    events = pd.concat(frames, ignore_index=True).astype(dict(EVENT_COLUMNS))
    return events.sort_values("t_ns", kind="stable", ignore_index=True)


def _samples(course: Simulation, workers: Groups, cpu: Floats) -> pd.DataFrame:
    """The columns of samples.parquet, ten times a second from just before the load to just after."""
    t = np.arange(-SAMPLE_S, course.clock + 2 * SAMPLE_S, SAMPLE_S)
    received = np.searchsorted(np.sort(course.received), t)
    ended = np.searchsorted(np.sort(course.ended), t)
    spent = np.concatenate([[0.0], np.cumsum(cpu[np.argsort(course.ended, kind="stable")])])[ended]
    children = sum(group.concurrency for group in workers if group.pool == "prefork")
    in_pool = spent if children else spent * 0
    groups = {
        "workers": (received * RECEIVE_S + spent - in_pool, len(workers) * PARENT_BYTES, len(workers)),
        "pool": (in_pool, children * CHILD_BYTES, children),
        "broker": (received * BROKER_S, 8 * MIB, 1),
        "loader": (received * 0.0, 45 * MIB, 1),
        "harness": (0.02 * (t - t[0]), 150 * MIB, 1),
        "system": (received * RECEIVE_S + spent + 0.05 * (t - t[0]), np.nan, np.nan),
        "tasks": (np.nan, np.nan, np.nan),
    }
    frames = []
    for group, (seconds, memory, processes) in groups.items():
        frame = pd.DataFrame({"t_ns": START_NS + np.round(t * 1e9).astype("int64"), "group": group})
        frame = frame.assign(cpu=seconds, memory=memory, processes=processes)
        frames.append(frame.reindex(columns=list(SAMPLE_COLUMNS)))
    frames[-2]["steal"] = 0.0
    frames[-1] = frames[-1].assign(
        completed=ended, backlog=np.searchsorted(np.sort(course.due), t, "right") - ended
    )
    samples = pd.concat([frame.astype(dict(SAMPLE_COLUMNS)) for frame in frames], ignore_index=True)
    return samples.sort_values("t_ns", kind="stable", ignore_index=True)


def _effective(workers: Workers, node: int) -> dict[str, Any]:
    return {
        "node": node,
        "pid": PARENT_PID * (1 + node),
        "pool": workers.pool,
        "concurrency": workers.concurrency,
        "prefetch_count": workers.concurrency * workers.prefetch,
        "prefetch_multiplier": workers.prefetch,
        "transport": "fake",
    }
