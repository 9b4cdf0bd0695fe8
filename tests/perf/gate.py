"""How often ``celery-bench check`` errs and what it finds: real checks of a short scenario, many times over.

``gate.py`` goes on where it was stopped: every finished check is a line of docs/perf-gate.jsonl. Words choose
jobs by their names; ``--table`` only writes the tables of docs/performance.md again. Sides differ in a fixed
number of iterations that each task does, so the truth is known.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

import click
import numpy as np
from report import PAGE, between
from scipy import stats

from bench import analyse, store
from bench.run.process import die_with_parent

RAW = PAGE.with_name("perf-gate.jsonl")
COMMAND = str(Path(sys.executable).with_name("celery-bench"))
SCENARIO = """\
question: Did it become slower?
app: work
workers: {pool: prefork, concurrency: 2}
workload: {task: work.spin}
load: {shape: flood, tasks: %d}
variants:
  base: {source: base}
  head: {source: head}
"""
APP = """\
from celery import Celery

app = Celery("work")
TIMES, EVERY = %r, %r


@app.task(bind=True)
def spin(self):
    number = int(self.request.id[-12:], 16)
    long = EVERY and number %% EVERY == 0
    x = 1
    for i in range(int(50_000 * TIMES * (5 if long else 1))):
        x = (x * 1_103_515_245 + i) & 0x7FFF_FFFF
"""


@dataclass(frozen=True, kw_only=True)
class Job:
    """``wanted`` checks of one kind: the head does ``times`` the work, and every ``every``-th task five times
    that; ``busy``: another process keeps a core busy; ``tasks`` a trial and ``budget`` of a check, less where
    checks seldom end early.
    """

    name: str
    wanted: int
    times: float = 1.0
    every: int = 0
    busy: bool = False
    tasks: int = 300
    budget: str = "5m"


JOBS = (
    Job(name="equal", wanted=100, budget="2m"),
    Job(name="equal, a core busy", wanted=100, busy=True, tasks=100, budget="90s"),
    Job(name="2 % more CPU", wanted=30, times=1.02, budget="1m"),
    Job(name="5 % more CPU", wanted=30, times=1.05, budget="15m"),
    Job(name="10 % more CPU", wanted=30, times=1.10),
    Job(name="20 % more CPU", wanted=30, times=1.20),
    Job(name="every 20th task five times as long", wanted=30, every=20),
)


def main(words: Sequence[str]) -> None:
    """Measure what is missing, one check of each job (that ``words`` name; all) after another, then write the
    table.
    """
    done = read()
    jobs = [job for job in JOBS if job.name in words] or JOBS
    for number in range(max(job.wanted for job in jobs)) if "--table" not in words else ():
        for job in jobs:
            mine = [each for each in done if each["job"] == job.name]
            if number < job.wanted and len(mine) <= number:
                found = checked(job)
                done.append(found)
                with RAW.open("a", encoding="utf-8") as file:
                    file.write(f"{json.dumps(found)}\n")
                click.echo(f"{job.name}: {number + 1}: {found['verdict']}, {found['seconds']:.0f} s")
    text = "\n".join(table(done))
    click.echo(text)
    PAGE.write_text(between(PAGE.read_text(), "gate", text))


def read() -> list[dict[str, Any]]:
    """Every check that was finished."""
    lines = RAW.read_text(encoding="utf-8").splitlines() if RAW.exists() else []
    return [json.loads(line) for line in lines]


def checked(job: Job) -> dict[str, Any]:
    """One whole check, and what simpler rules say of the same trials."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "s.yaml").write_text(SCENARIO % job.tasks)
        for side, text in (("base", APP % (1.0, 0)), ("head", APP % (job.times, job.every))):
            (folder / side).mkdir()
            (folder / side / "work.py").write_text(text)
        command = [COMMAND, "check", "s.yaml", "--budget", job.budget, "--json"]
        with busy(job.busy):
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, check=False, preexec_fn=die_with_parent
            )
        if done.returncode not in (0, 5, 6):
            raise SystemExit(f"{job.name}: exit code {done.returncode}\n{done.stderr[-2000:]}")
        said = json.loads(done.stdout)
        run = store.open_run(folder / "results", "latest")
        return {"job": job.name, "verdict": said["verdict"], **measured(run), "simpler": simpler(run)}


@contextmanager
def busy(wanted: bool) -> Iterator[None]:
    """Another process that never rests."""
    if not wanted:
        yield
        return
    rest = [sys.executable, "-c", "while True: pass"]
    process = subprocess.Popen(rest, preexec_fn=die_with_parent)  # noqa: PLW1509  as in bench.run.process
    try:
        yield
    finally:
        process.kill()
        process.wait()


def measured(run: store.Run) -> dict[str, Any]:
    """Throughput (1/s), CPU a task (ms) and memory (MiB) of every trial on both sides, and how long all of it
    took.
    """
    results = [result for result in run.results() if result.ok]
    by_side = {s: [r.metrics for r in results if r.settings["variant"] == s] for s in ("base", "head")}
    sides: dict[str, Any] = {s: [round(m["throughput"], 2) for m in ms] for s, ms in by_side.items()}
    for name, unit in (("cpu_per_task", 1e-3), ("memory", 2**20)):
        sides[name] = {s: [round(m[name] / unit, 3) for m in ms] for s, ms in by_side.items()}
    spent = sum(r.seconds for r in results)
    return {"blocks": max(r.block for r in results), "seconds": round(spent, 1), **sides}


def simpler(run: store.Run) -> dict[str, bool]:
    """Which simpler rules would have called the head slower, from the same trials."""
    results = [result for result in run.results() if result.ok]
    by_side = {s: [r for r in results if r.settings["variant"] == s] for s in ("base", "head")}
    rate, span = (
        {s: fmean(r.metrics[m] for r in rs) for s, rs in by_side.items()} for m in ("throughput", "makespan")
    )
    pooled = {s: np.concatenate([service(run, r.trial) for r in rs]) for s, rs in by_side.items()}
    p = stats.mannwhitneyu(pooled["head"], pooled["base"], alternative="greater").pvalue
    return {
        "5 % on mean throughput": rate["head"] < 0.95 * rate["base"],
        "pytest-benchmark mean:5% (makespan)": span["head"] > 1.05 * span["base"],
        "Mann–Whitney over pooled tasks": bool(p < 0.05),
    }


def service(run: store.Run, trial: str) -> "np.ndarray[Any, Any]":
    """Service times of a trial's tasks."""
    found = analyse.durations(analyse.tasks(run.events(trial)))["service"]
    return found[~np.isnan(found)]


def table(done: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Shares with their Clopper–Pearson intervals, a row for each job; then what simpler rules say."""
    simpler = list(done[0]["simpler"]) if done else []
    yield f"| head | checks | called slower | undecided | minutes: median, longest | {' | '.join(simpler)} |"
    yield f"| --- | --- | --- | --- | --- |{' --- |' * len(simpler)}"
    for name in names_of(done):
        wanted = next((f" of {job.wanted}" for job in JOBS if job.name == name), "")
        yield row(name, wanted, [each for each in done if each["job"] == name])
    if done:
        yield row("everything equal", "", [each for each in done if each["job"].startswith("equal")])


def row(name: str, wanted: str, mine: Sequence[dict[str, Any]]) -> str:
    """Of these checks."""
    minutes = [each["seconds"] / 60 for each in mine]
    slower, undecided = (
        share([each["verdict"] == word for each in mine]) for word in ("regression", "undecided")
    )
    spent = f"{median(minutes):.1f}, {max(minutes):.1f}"
    others = " | ".join(share([each["simpler"][rule] for each in mine]) for rule in mine[0]["simpler"])
    return f"| {name} | {len(mine)}{wanted} | **{slower}** | {undecided} | {spent} | {others} |"


def names_of(done: Sequence[dict[str, Any]]) -> list[str]:
    """Of all jobs that were measured, in the order of JOBS; then those that were measured otherwise."""
    measured = dict.fromkeys(each["job"] for each in done)
    wanted = [job.name for job in JOBS if job.name in measured]
    return [*wanted, *(name for name in measured if name not in wanted)]


def share(hits: Sequence[bool]) -> str:
    """``3 % (1–9)``: with the exact interval of C. Clopper and E. Pearson, Biometrika 26, 1934."""
    ends = stats.binomtest(sum(hits), len(hits)).proportion_ci(method="exact")
    return f"{fmean(hits) * 100:.0f} % ({ends.low * 100:.0f}–{ends.high * 100:.0f})"


if __name__ == "__main__":
    main(sys.argv[1:])
