"""What the harness itself costs: one function a row of docs/performance.md. Ratios come from one run."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

import numpy as np
import pandas as pd
from drains import Drain, Drains, fill, one_by_one, private_broker, seconds_of

from bench import plan, store
from bench.measured import TrialResult
from bench.model import Cell, Load, Scenario, Setup, TaskCall, Trial, Workers
from bench.run import session
from bench.stats.intervals import geometric
from bench.stats.paired import paired

MIB = 2**20
PAIRS = 12
DRAINED = 3000
POOLS = {"prefork": 2, "gevent": 20}
EVENTS = 10_000_000


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One row: what was measured, its target, its value in words, whether that is met, and how."""

    name: str
    target: str
    value: str
    met: bool
    how: str


def observer(pairs: int = PAIRS) -> Iterator[Figure]:
    """No-op throughput and memory with the agent against without, and with Celery's events."""
    for pool, slots in POOLS.items():
        with tempfile.TemporaryDirectory() as folder, private_broker(Path(folder)) as (keeper, broker):
            workers = Workers(pool=pool, concurrency=slots)
            drains = Drains(keeper, Path(folder), broker, workers, DRAINED)
            found: dict[str, list[Drain]] = {"bare": [], "agent": [], "events": []}
            for n in range(pairs):
                order = list(found)
                for name in order if n % 2 else reversed(order):
                    found[name].append(getattr(drains, name)())
        yield from _compared(pool, slots, found)


def _compared(pool: str, slots: int, found: dict[str, list[Drain]]) -> Iterator[Figure]:
    how = (
        f"{len(found['bare'])} pairs of drains of {DRAINED} no-ops, -c {slots}, counted by the queue's length"
    )
    bare = [d.rate for d in found["bare"]]
    for name, target in (("agent", 0.97), ("events", None)):
        ratio = paired([d.rate for d in found[name]], bare)
        cpu = paired([d.cpu for d in found[name]], [d.cpu for d in found["bare"]])
        what = "the agent" if name == "agent" else "Celery events (`-E`)"
        yield Figure(
            name=f"{pool}: no-op throughput with {what} ÷ without",
            target=f"≥ {target}" if target else "(for comparison)",
            value=f"{ratio.ratio:.3f} [{ratio.lower:.3f}, {ratio.upper:.3f}]",
            met=target is None or ratio.ratio >= target,
            how=f"{how}; CPU a task × {cpu.ratio:.3f} [{cpu.lower:.3f}, {cpu.upper:.3f}]; "
            f"without: {geometric(bare).point:.0f}/s",
        )
    more = [(a.pss - b.pss) / MIB for a, b in zip(found["agent"], found["bare"], strict=True)]
    yield Figure(
        name=f"{pool}: worker memory (PSS) with agent − without, a process",
        target="≤ 1.5 MiB",
        value=f"{fmean(more):.2f} MiB",
        met=fmean(more) <= 1.5,
        how=f"same drains, read after each; from {min(more):.2f} to {max(more):.2f}",
    )


def publishing(rounds: int = 5, bulk: int = 200_000, single: int = 3_000) -> Iterator[Figure]:
    """Bulk against ``apply_async``, in turn."""
    with tempfile.TemporaryDirectory() as folder, private_broker(Path(folder)) as (_, broker):
        fast, slow = [], []
        for _ in range(rounds):
            fast.append(bulk / fill(broker, bulk))
            broker.reset()
            slow.append(single / one_by_one(broker, single))
            broker.reset()
    ratio = geometric([f / s for f, s in zip(fast, slow, strict=True)]).point
    how = f"median of {rounds} times {bulk} messages into Valkey from one process"
    yield Figure(
        name="bulk publishing", target="≥ 50 000/s", value=f"{median(fast):,.0f}/s".replace(",", " "),
        met=median(fast) >= 50_000, how=how,
    )  # fmt: skip
    yield Figure(
        name="bulk publishing ÷ `apply_async`", target="≥ 15", value=f"{ratio:.0f}", met=ratio >= 15,
        how=f"in turn with {single} messages by `apply_async` ({median(slow):.0f}/s)",
    )  # fmt: skip


def lateness(trials: int = 5) -> Iterator[Figure]:
    """Of 1 000 tasks/s while a prefork worker takes all it can."""
    setup = Setup(
        fleet=(Workers(pool="prefork", concurrency=2),),
        workload=(TaskCall(task="noop"),),
        load=Load(shape="constant", rate=1000.0, duration=5.0),
    )
    late = [r.metrics["p99(lateness)"] for r, _ in _trials([setup], trials)]
    yield Figure(
        name="lateness p99 at 1 000/s", target="≤ 2 ms", value=f"{median(late) * 1e3:.2f} ms",
        met=median(late) <= 0.002,
        how=f"median of {trials} trials of 5 s, prefork -c 2 on no-ops; "
        f"from {min(late) * 1e3:.2f} to {max(late) * 1e3:.2f} ms",
    )  # fmt: skip


def overhead(trials: int = 3) -> Iterator[Figure]:
    """Of a trial besides boot, warm-up and load, from its start until it is stored, on every pool."""
    load = Load(shape="flood", tasks=60)
    pools = {"prefork": 2, "threads": 10, "gevent": 10, "eventlet": 10, "solo": 1}
    setups = [
        Setup(fleet=(Workers(pool=pool, concurrency=n),), workload=(TaskCall(task="noop"),), load=load)
        for pool, n in pools.items()
    ]
    rest: dict[str, list[float]] = {pool: [] for pool in pools}
    for result, seconds in _trials(setups, trials):
        spent = sum(result.timings[name] for name in ("boot", "warmup", "load"))
        rest[str(result.settings["workers.pool"])].append(seconds - spent)
    medians = {pool: median(seconds) for pool, seconds in rest.items()}
    worst = max(medians, key=medians.__getitem__)
    yield Figure(
        name="time of a trial besides boot, warm-up and load", target="≤ 0.7 s on every pool",
        value=f"{medians[worst]:.2f} s ({worst})", met=medians[worst] <= 0.7,
        how=", ".join(f"{pool} {s:.2f} s" for pool, s in medians.items()) + f"; medians of {trials}; "
        "start to stored, readings of the host included",
    )  # fmt: skip


def harness_cpu(trials: int = 3) -> Iterator[Figure]:
    """Of the harness while a no-op flood drains."""
    setup = Setup(workload=(TaskCall(task="noop"),), load=Load(shape="flood", tasks=8000))
    used = [r.resources["harness"]["cpu"] / r.metrics["makespan"] for r, _ in _trials([setup], trials)]
    yield Figure(
        name="harness CPU during a no-op flood", target="≤ 10 % of one core",
        value=f"{median(used) * 100:.1f} %", met=median(used) <= 0.10,
        how=f"median of {trials} floods of 8 000 no-ops, prefork -c 2",
    )  # fmt: skip


SUMMARISE = """
import json, resource, sys, time
import pandas as pd
from bench import analyse
from bench.events import Recording, no_samples
from bench.model import (Cell, Load, Setup, TaskCall, Trial, Workers, Scenario)
setup = Setup(workload=(TaskCall(task="noop"),), load=Load(tasks=1), fleet=(Workers(),))
cell = Cell(id="c", settings={}, setup=setup)
trial = Trial(id="t", scenario="s", cell=cell, block=1, position=1, seed=1)
scenario = Scenario(name="s", question="?", metric="throughput", repeats=1, cells=(cell,))
events = pd.read_parquet(sys.argv[1])
start = time.perf_counter()
recording = Recording(started_at="", outcome="ok", events=events, samples=no_samples())
result = analyse.result(trial, recording)
summary = analyse.summarise(scenario, [result])[0]
took = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
assert summary.metrics["p99(response)"].point > 0
print(json.dumps({"took": took, "peak": peak, "n": len(events)}))
"""


def summary(rounds: int = 3) -> Iterator[Figure]:
    """Ten million events → Summary, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.parquet"
        _many_events(EVENTS // 5).to_parquet(path, index=False)
        found = []
        for _ in range(rounds):
            command = [sys.executable, "-c", SUMMARISE, str(path)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found.append(json.loads(done.stdout))
    took, peak = median(f["took"] for f in found), max(f["peak"] for f in found) / 2**30
    assert all(f["n"] == EVENTS for f in found)
    yield Figure(
        name="events → Summary, 10 million events", target="≤ 3 s and ≤ 1.5 GiB",
        value=f"{took:.2f} s, {peak:.2f} GiB", met=took <= 3 and peak <= 1.5,
        how=f"median of {rounds}; peak resident memory of the process, reading the file included",
    )  # fmt: skip


def _many_events(tasks: int) -> pd.DataFrame:
    """Five events for each task, sorted by time; waits are exponential, so that no quantile is degenerate."""
    rng = np.random.default_rng(1)
    seq = np.arange(tasks)
    at = seq * 1_000_000
    parts = []
    for kind in (1, 2, 3, 4, 5):
        at = at + (rng.exponential(2e6, tasks).astype(np.int64) if kind > 1 else 0)
        parts.append((seq, at, np.full(tasks, kind, np.uint8)))
    seqs, times, kinds = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(times, kind="stable")
    kinds = kinds[order]
    return pd.DataFrame(
        {
            "seq": seqs[order],
            "t_ns": times[order],
            "kind": kinds,
            "state": (kinds == 5).astype(np.uint8),
            "attempt": np.zeros(len(kinds), np.uint16),
            "node": np.where(kinds < 3, -1, 0).astype(np.int16),
            "pid": np.ones(len(kinds), np.int32),
            "task": np.zeros(len(kinds), np.int16),
        }
    )


def help_time(rounds: int = 7) -> Iterator[Figure]:
    """``celery-bench --help``, and an empty Python beside it."""
    command = [str(Path(sys.executable).with_name("celery-bench")), "--help"]
    took = median(seconds_of(command) for _ in range(rounds))
    empty = median(seconds_of([sys.executable, "-c", "pass"]) for _ in range(rounds))
    yield Figure(
        name="`celery-bench --help`", target="≤ 0.3 s", value=f"{took:.2f} s", met=took <= 0.3,
        how=f"median of {rounds}; an empty Python takes {empty:.2f} s",
    )  # fmt: skip


ALL: Sequence[Callable[[], Iterable[Figure]]] = (
    observer, publishing, lateness, summary, overhead, harness_cpu, help_time,
)  # fmt: skip


class _Clock:
    """A session's progress that only notes how long each trial took, from its start until it was stored."""

    def __init__(self) -> None:
        self.found: list[tuple[TrialResult, float]] = []
        self._begin = 0.0

    def trial_started(self, _trial: Trial, _k: int) -> None:
        self._begin = time.monotonic()

    def trial_finished(self, _trial: Trial, result: TrialResult) -> None:
        assert result.ok, result.reason
        self.found.append((result, time.monotonic() - self._begin))

    def session_started(self, total: int, done: int, estimate_s: float) -> None: ...
    def tick(self, *_: object) -> None: ...
    def session_finished(self, interrupted: bool) -> None: ...


def _trials(setups: Sequence[Setup], repeats: int) -> list[tuple[TrialResult, float]]:
    """Real trials in a real session, each with its seconds from start to stored."""
    cells = tuple(
        Cell(id=f"c{n}", settings={"workers.pool": setup.fleet[0].pool}, setup=setup)
        for n, setup in enumerate(setups)
    )
    scenario = Scenario(
        name="perf", question="What does the harness cost?", metric="throughput", repeats=repeats, cells=cells
    )
    clock = _Clock()
    planned = plan.trials([scenario], seed=1)
    with tempfile.TemporaryDirectory() as folder:
        meta = session.describe([scenario], seed=1, quick=False, command=["perf"])
        run = store.create(Path(folder), "perf", meta)
        session.run(run, planned, clock, total=len(planned), done=0, estimate_s=1.0)
    return clock.found
