"""Grids for judging tuners: six workloads, every candidate measured in many blocks on real workers.

``grids.py`` measures what is missing of results/perf-decide/ and distils it to docs/perf-decide.jsonl, a line
for each trial; what is there from other machines stays. Words choose workloads, ``--again`` measures all
blocks once more, ``--distil`` none.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import yaml
from report import PAGE

from bench import store
from bench.run.process import die_with_parent
from bench.scenario import tune_keys

RAW = PAGE.with_name("perf-decide.jsonl")
NOISY = PAGE.with_name("perf-decide-noisy.jsonl")
"""What was recorded before, on a host that drifted."""
HOME = PAGE.parents[1] / "results" / "perf-decide"
COMMAND = str(Path(sys.executable).with_name("celery-bench"))
BLOCKS = 9
KEPT = ("throughput", "memory", "cpu_per_task", "p99(service)")


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A workload, the candidates for it, a condition, and what people would take without measuring."""

    name: str
    workload: dict[str, Any]
    tasks: int
    tune: dict[str, Any]
    thumb: dict[str, Any]
    condition: str = ""


def span(first: int, last: int) -> dict[str, Any]:
    return {"workers.concurrency": {"from": first, "to": last, "log": True}}


POOLS = {"prefork": span(1, 16), "threads": span(1, 100), "gevent": span(2, 100)}
SMALL = {"prefork": span(1, 12), "threads": span(1, 24)}
PREFETCH = {"workers.prefetch": [1, 4]}


def thumb(pool: str, concurrency: int) -> dict[str, Any]:
    return {"workers.pool": pool, "workers.concurrency": concurrency}


KINDS = (
    Kind(name="tiny", workload={"task": "noop"}, tasks=1000,
         tune={"workers.pool": SMALL, **PREFETCH}, thumb=thumb("prefork", 2)),
    Kind(name="cpu", workload={"task": "cpu.spin", "kwargs": {"ms": 4}}, tasks=250,
         tune={"workers.pool": SMALL}, thumb=thumb("prefork", 2)),
    Kind(name="io", workload={"task": "io.sleep", "kwargs": {"seconds": 0.02}}, tasks=300,
         tune={"workers.pool": POOLS}, thumb=thumb("gevent", 100)),
    Kind(name="mixed", workload={"task": "mixed", "kwargs": {"cpu_ms": 2, "io_seconds": 0.02}}, tasks=250,
         tune={"workers.pool": POOLS}, thumb=thumb("prefork", 4)),
    Kind(name="heavy tail", tasks=300, tune={"workers.pool": POOLS}, thumb=thumb("gevent", 100),
         workload=[{"task": "io.sleep", "kwargs": {"seconds": 0.005}, "weight": 19},
                   {"task": "io.sleep", "kwargs": {"seconds": 0.2}, "weight": 1}]),  # type: ignore[arg-type]
    Kind(name="memory-capped", tasks=250,
         workload={"task": "mixed", "kwargs": {"cpu_ms": 2, "io_seconds": 0.02}},
         tune={"workers.pool": {"prefork": span(1, 16), "threads": span(1, 16)}}, thumb=thumb("prefork", 4),
         condition="memory < 160MiB"),
)  # fmt: skip


def main(words: Sequence[str]) -> None:
    """Measure, block by block over all workloads, then distil."""
    chosen = [kind for kind in KINDS if kind.name in words] or list(KINDS)
    if "--distil" not in words:
        for kind in chosen:
            run(folder_of(kind), text(kind), again="--again" in words)
    lines = [line for kind in KINDS for line in distilled(kind)]
    here = {line["run"] for line in lines}
    before = RAW.read_text(encoding="utf-8").splitlines() if RAW.exists() else []
    lines = [line for line in map(json.loads, before) if line["run"] not in here] + lines
    RAW.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    click.echo(f"{len(lines)} trials in {RAW.name}")


def folder_of(kind: Kind) -> Path:
    """Where it is measured."""
    return HOME / kind.name.replace(" ", "-")


def text(kind: Kind) -> str:
    """The scenario, its candidates as a matrix, and Celery's default among them."""
    matrix, mistakes = tune_keys.spread({"tune": kind.tune}, None)
    assert not mistakes, mistakes
    return yaml.safe_dump(
        {"question": f"Which setting is best for {kind.name} tasks?", "workload": kind.workload,
         "load": {"shape": "flood", "tasks": kind.tasks}, "metric": "throughput", "repeats": BLOCKS,
         "matrix": matrix},
        sort_keys=False,
    )  # fmt: skip


def run(folder: Path, text: str, *, again: bool = False) -> None:
    """The scenario in a folder of its own, or what is missing of its last run, unless ``again``."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{folder.name}.yaml"
    file.write_text(text)
    begun = not again and bool(store.list_runs(folder / "results"))
    words = ["run", "--resume", "latest"] if begun else ["run", file.name]
    done = subprocess.run(
        [COMMAND, *words, "--no-report", "--yes"], cwd=folder, check=False, preexec_fn=die_with_parent
    )
    if done.returncode not in (0, 4):
        raise SystemExit(f"{folder.name}: exit code {done.returncode}")


def distilled(kind: Kind) -> Iterator[dict[str, Any]]:
    """Each trial of the grid: what a tuner sees of it."""
    folder = folder_of(kind) / "results"
    for run in store.list_runs(folder) if folder.is_dir() else ():
        for result in run.results():
            metrics = {name: float(f"{result.metrics[name]:.6g}") for name in KEPT if name in result.metrics}
            seconds = round(result.seconds, 3)
            yield {"kind": kind.name, "run": run.name, "settings": dict(result.settings),
                   "block": result.block, "ok": result.ok, "seconds": seconds, **metrics}  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1:])
