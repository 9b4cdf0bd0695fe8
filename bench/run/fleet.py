"""Real ``celery worker`` processes: start them all, know when they are ready, stop the whole trees."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.model import Workers
from bench.run.keeper import Keeper
from bench.run.process import Child, clean_environment, describe_end

DOOR = Path(__file__).with_name("worker.py")
MODULE_OF_POOL = {"threads": "thread"}
"""Celery's module for a pool, where it is not called like the pool."""


class Node:
    """One ``celery worker`` process tree."""

    def __init__(self, index: int, name: str, child: Child, ready_file: Path) -> None:
        self.index = index
        self.name = name
        self.child = child
        self._ready_file = ready_file
        self.effective: dict[str, Any] = {}

    def ready(self) -> bool:
        """True once the worker said so; ``effective`` is then what it said."""
        if not self.effective and self._ready_file.exists():
            self.effective = json.loads(self._ready_file.read_text())
        return bool(self.effective)


class Fleet:
    """All nodes of a trial."""

    def __init__(self, nodes: list[Node], workers: Workers) -> None:
        self.nodes = nodes
        self._workers = workers

    def ready(self) -> bool:
        return sum(node.ready() for node in self.nodes) == len(self.nodes)

    def trouble(self) -> str:
        """What is wrong with the first node that died; empty while all live."""
        for node in self.nodes:
            status = node.child.exit_status
            if status is not None:
                return f"worker {node.index} {describe_end(status)}"
        return ""

    def pids(self) -> list[int]:
        return [node.child.pid for node in self.nodes]

    def effective(self) -> tuple[dict[str, Any], ...]:
        return tuple(node.effective for node in self.nodes if node.effective)

    def mismatches(self) -> tuple[str, ...]:
        """Where what runs is not what the scenario asked for."""
        asked = self._workers
        wanted = {
            "pool": MODULE_OF_POOL.get(asked.pool, asked.pool),
            "concurrency": asked.concurrency,
            "prefetch_count": asked.concurrency * asked.prefetch,
        }
        return tuple(
            f"worker {node.index} runs with {key} {node.effective[key]}, asked for {value}"
            for node in self.nodes
            if node.effective
            for key, value in wanted.items()
            if node.effective[key] != value
        )

    def stop(self) -> None:
        for node in self.nodes:
            node.child.stop()

    def tails(self) -> dict[str, str]:
        """Log name → its last lines."""
        return {f"node-{node.index}": node.child.tail() for node in self.nodes}


def start(
    workers: Workers,
    *,
    app: str,
    settings: Mapping[str, Any],
    tag: str,
    warm_queues: list[str],
    folder: Path,
    keeper: Keeper,
    env: Mapping[str, str],
) -> Fleet:
    """Start all nodes at once; returns before they are ready.

    ``folder`` takes their logs, specs and event files; ``warm_queues`` holds one queue a node, consumed from
    the start; the trial's own queue is added when the loader says so.
    """
    nodes: list[Node] = []
    for index in range(workers.nodes):
        name = node_name(index, tag)
        spec = {
            "app": app,
            "module": app.partition(":")[0],
            "settings": {**settings, "worker_prefetch_multiplier": workers.prefetch},
            "argv": arguments(workers, name, warm_queues[index]),
            "folder": str(folder),
            "node": index,
            "tag": tag,
        }
        path = folder / f"node-{index}.json"
        path.write_text(json.dumps(spec))
        try:
            child = Child(
                [sys.executable, "-P", str(DOOR), str(path)],
                keeper=keeper,
                log=folder / f"node-{index}.log",
                env=clean_environment(env),
            )
        except OSError:
            Fleet(nodes, workers).stop()
            raise
        nodes.append(Node(index, name, child, folder / f"ready-{index}.json"))
    return Fleet(nodes, workers)


def node_name(index: int, tag: str) -> str:
    """Celery's name of a node, by which it can be told something."""
    return f"n{index}@{tag.rstrip('-')}"


def arguments(workers: Workers, name: str, queue: str) -> list[str]:
    """Celery's own command line, options and values as separate words (``-Pgevent`` would never patch)."""
    return [
        *("worker", "-P", workers.pool, "-c", str(workers.concurrency)),
        *("-n", name, "-Q", queue, "-l", "WARNING"),
        *("--without-mingle", "--without-gossip"),
    ]
