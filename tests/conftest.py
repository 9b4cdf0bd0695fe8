"""What tests of several kinds share: servers that they need, and fourteen made-up beliefs, simulated: every
verdict, long and short words, huge and tiny ratios.
"""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from bench import analyse, jsonable, plan, scenario, store
from bench.model import Broker
from bench.run.fake import Fake

settings.register_profile("shared", deadline=None)  # of the time that neighbours leave, no test can be sure
settings.load_profile("shared")

IO = "workload: {task: io.sleep, kwargs: {seconds: 0.02}}\nload: {shape: flood, tasks: 60}\n"
CPU = "workload: {task: cpu.spin, kwargs: {ms: 8}}\nload: {shape: flood, tasks: 40}\n"
POOLS = "matrix:\n  zip: {workers.pool: [prefork, gevent], workers.concurrency: [2, 20]}\n"
PREFETCH = "workers: {nodes: 2}\nmatrix: {workers.prefetch: [1, 16]}\n"
NODES = "matrix: {workers.nodes: [1, 2], workers.pool: [prefork, threads]}\n"
LONG = (
    "If your tasks spend nearly all of their time waiting for a socket, a database or another service, green"
    " threads by the hundred beat any number of processes"
)
BELIEFS: dict[str, tuple[str, str, list[str]]] = {
    "io-gevent": (LONG, IO + POOLS, ["throughput[gevent] / throughput[prefork] > 3"]),
    "cpu-prefork": (
        "CPU-bound work belongs on prefork",
        CPU + POOLS,
        ["throughput[prefork] / throughput[gevent] > 1.5"],
    ),
    "prefetch": ("Prefetching saves round trips", IO + PREFETCH, ["throughput[16] / throughput[1] > 1.05"]),
    "unbalanced": ("A deep prefetch starves nodes", CPU + PREFETCH, ["makespan[16] / makespan[1] > 5"]),
    "nodes": ("More workers finish sooner", IO + NODES, ["makespan[nodes=2] / makespan[nodes=1] < 60%"]),
    "cpu-nodes": (
        "More workers always help",
        CPU + NODES,
        ["throughput[nodes=2] / throughput[nodes=1] > 1.9"],
    ),
    "free": ("Events and gossip are free", IO + PREFETCH, ["throughput[16] / throughput[1] > 98%"]),
    "memory": ("Green threads need no memory", IO + POOLS, ["memory[gevent] < 2MiB"]),
    "safe": ("Nothing is ever lost", IO + PREFETCH, ["lost[16] <= 0", "lost[1] <= 0"]),
    "lossy": ("Deep prefetch loses tasks", IO + PREFETCH, ["lost[16] / lost[1] > 2"]),
    "both": (
        "Threads are cheaper than processes and just as fast",
        CPU + NODES,
        ["memory[threads] / memory[prefork] < 1", "throughput[threads] / throughput[prefork] > 95%"],
    ),
    "thousand": (
        "One batch beats a thousand",
        CPU + POOLS,
        ["cpu_per_task[gevent] / cpu_per_task[prefork] < 1%"],
    ),
    "unknown": (
        "p99 is what users feel",
        IO + POOLS,
        ["p999(response)[gevent] / p999(response)[prefork] < 50%"],
    ),
    "broken": ("It never breaks", IO + PREFETCH, ["throughput[16] / throughput[1] > 90%"]),
}


@pytest.fixture(scope="session")
def believed(tmp_path_factory: pytest.TempPathFactory) -> list[store.Run]:
    """One run for each of ``BELIEFS``; of ``broken`` one cell fails. Made once for all test processes."""
    base = tmp_path_factory.getbasetemp()
    root = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "believed"
    root.mkdir(exist_ok=True)
    with (root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (root / "made").exists():
            _believe(root)
            (root / "made").touch()
    return [store.open_run(root / "results", name) for name in BELIEFS]


def _believe(root: Path) -> None:
    for name, (belief, body, expected) in BELIEFS.items():
        file = root / f"{name}.yaml"
        listed = "".join(f"  - {text}\n" for text in expected)
        head = f"question: Is it so that {name}?\nbelief: {belief}\n"
        file.write_text(f"{head}{body}expect:\n{listed}", encoding="utf-8")
        asked = scenario.load(file, repeats=4)
        meta = {
            "created": "2026-11-20T21:15:00+00:00",
            "seed": 7,
            "scenarios": [jsonable.plain(asked)],
            "host": {"cpu": "A CPU", "cores": 2, "memory": 8 * 2**30, "python": "3.11"},
            "versions": {"celery": "5.7.0"},
        }
        run = store.create(root / "results", name, meta)
        fake = Fake(broken={asked.cells[0].id: "worker died"} if name == "broken" else {})
        for trial in plan.trials([asked], 7):
            recording = fake(trial)
            run.append(analyse.result(trial, recording), recording)


SERVERS = {"redis": ("redis-server",), "rabbitmq": ("rabbitmq-server", "epmd")}


@pytest.fixture(scope="session")
def needs() -> Callable[[str], Broker]:
    """The managed broker of a kind. Where its server is missing the test skips, but not in CI."""

    def broker(kind: str, **more: Any) -> Broker:
        path = f"{os.environ['PATH']}:/usr/sbin"
        missing = [name for name in SERVERS.get(kind, ()) if not shutil.which(name, path=path)]
        if missing:
            text = f"not installed: {', '.join(missing)}"
            (pytest.fail if os.environ.get("CI") else pytest.skip)(text)
        return Broker(kind=kind, **more)

    return broker
