"""Real ``celery worker`` processes: start them all, know when they are ready, stop the whole trees."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import settings
from bench.model import Setup, Workers
from bench.run.environments import Environment
from bench.run.keeper import Keeper
from bench.run.process import Child, describe_end

DOOR = Path(__file__).with_name("worker.py")
MODULE_OF_POOL = {"threads": "thread"}
"""Celery's module for a pool, where it is not called like the pool."""

AS_ROOT = {"C_FORCE_ROOT": "1"}
"""Without this Celery starts no worker as root that accepts pickle, which the scenario may ask for or the app
say of itself. In the trial's queues nobody's messages lie but ours; nothing else depends on it.
"""

COMPLAINT = re.compile(r"\[.*?: (?:(?:ERROR|CRITICAL)/\S*\] |WARNING/\S*\] consumer: )(?!Frequent)(.*)")
"""A line of a worker's log that may say why nothing moves."""
NO_PASSWORD = "://:**@"
"""What kombu tells of a URL that may have none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a trial's processes run and what they share. ``conf``: settings of the app that hold for all,
    ``added`` what is laid over those of its own that are mappings; ``tag``: how our task ids begin;
    ``warm_queues``: one a node; ``queues``: the scenario's name → the broker's; ``folder`` takes logs, specs
    and event files; ``environment``: interpreter and current folder.
    """

    app: str
    conf: Mapping[str, Any]
    added: Mapping[str, Mapping[str, Any]]
    tag: str
    warm_queues: Sequence[str]
    queues: Mapping[str, str]
    folder: Path
    keeper: Keeper
    env: Mapping[str, str]
    environment: Environment = field(default_factory=Environment)

    def start(
        self,
        script: Path,
        spec: Path,
        log: str,
        more: Mapping[str, str] | None = None,
        *,
        pipes: bool = False,
    ) -> Child:
        """One of our scripts with its spec, in the trial's environment; ``more``: variables of its own."""
        return Child(
            [self.environment.python, "-P", str(script), str(spec)],
            keeper=self.keeper,
            log=self.folder / log,
            env={**self.env, **self.environment.env, **(more or {})},
            pipes=pipes,
            folder=self.environment.folder,
        )


class Node:
    """One ``celery worker`` process tree of a ``group``; ``wanted``: what should run."""

    def __init__(
        self, index: int, group: Workers, wanted: Mapping[str, Any], child: Child, ready: Path
    ) -> None:
        self.index = index
        self.group = group
        self.child = child
        self._wanted = wanted
        self._ready_file = ready
        self.effective: dict[str, Any] = {}

    def ready(self) -> bool:
        """True once the worker said so; ``effective`` is then what it said."""
        if not self.effective and self._ready_file.exists():
            self.effective = json.loads(self._ready_file.read_text())
        return bool(self.effective)

    def mismatches(self) -> list[str]:
        """Where what runs is not what the scenario asked for."""
        if not self.effective:
            return []
        limits = {f"rate_limit of {t}": v for t, v in self.effective.get("rate_limits", {}).items()}
        ran = {**self.effective, **self.effective.get("settings", {}), **limits}
        return [
            f"worker {self.index} runs with {key} {ran.get(key)}, asked for {value}"
            for key, value in self._wanted.items()
            if ran.get(key) != value
        ]


class Fleet:
    """All nodes of a trial."""

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes

    def ready(self) -> bool:
        return sum(node.ready() for node in self.nodes) == len(self.nodes)

    def trouble(self) -> str:
        """What is wrong with the first node that died; empty while all live."""
        for node in self.nodes:
            status = node.child.exit_status
            if status is not None:
                said = last_words(node.child.tail()) if status > 0 else ""
                return f"worker {node.index} {describe_end(status)}" + (f": {said}" if said else "")
        return ""

    def complaint(self) -> str:
        """The last thing that a living worker complained about, by Celery's own log format; often nothing."""
        for node in self.nodes:
            for line in reversed(node.child.tail().splitlines()):
                if found := COMPLAINT.match(line):
                    text = found[1][:300].replace(NO_PASSWORD, "://").rstrip(".")
                    return f"worker {node.index}: {text}"
        return ""

    def pids(self) -> list[int]:
        return [node.child.pid for node in self.nodes]

    def effective(self) -> tuple[dict[str, Any], ...]:
        return tuple(node.effective for node in self.nodes if node.effective)

    def mismatches(self) -> tuple[str, ...]:
        return tuple(text for node in self.nodes for text in node.mismatches())

    def stop(self) -> None:
        for node in self.nodes:
            node.child.stop()

    def tails(self) -> dict[str, str]:
        """Log name → its last lines."""
        return {f"node-{node.index}": node.child.tail() for node in self.nodes}


def start(setup: Setup, place: Place) -> Fleet:
    """Start all nodes at once; returns before they are ready.

    Each consumes from its own warm-up queue from the start; the trial's queues are added when the loader says
    so.
    """
    nodes: list[Node] = []
    for index, group in enumerate(setup.groups):
        asked = settings.configuration(setup, group)
        spec = {
            "app": place.app,
            "settings": {**place.conf, **asked},
            "added": place.added,
            "queues": place.queues,
            "asked": sorted(asked.keys() - {"task_annotations"}),
            "tasks": sorted({part.task for call in setup.workload for part in call.calls}),
            "argv": arguments(group, node_name(index, place.tag), place.warm_queues[index]),
            "cpus": group.cpus,
            "folder": str(place.folder),
            "node": index,
            "tag": place.tag,
        }
        path = place.folder / f"node-{index}.json"
        path.write_text(json.dumps(spec))
        try:
            child = place.start(DOOR, path, f"node-{index}.log", {**AS_ROOT, **group.env})
        except OSError:
            Fleet(nodes).stop()
            raise
        ready = place.folder / f"ready-{index}.json"
        nodes.append(Node(index, group, _wanted(group, asked), child, ready))
    return Fleet(nodes)


def _wanted(group: Workers, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What a worker of this group should read back from itself."""
    wanted: dict[str, Any] = {name: value for name, value in asked.items() if name != "task_annotations"}
    wanted |= {"pool": MODULE_OF_POOL.get(group.pool, group.pool), "events": group.events}
    for task, limit in asked.get("task_annotations", {}).items():
        wanted[f"rate_limit of {task}"] = limit["rate_limit"]
    if not group.auto:  # what Celery took is what ran
        wanted["concurrency"] = group.concurrency if group.autoscale_from is None else group.autoscale_from
        wanted["prefetch_count"] = group.concurrency * group.prefetch
    if group.max_memory_per_child is not None:
        wanted["max_memory_per_child_kib"] = settings.memory_kib(group)
    if group.autoscale_from is not None:
        wanted["autoscale"] = [group.autoscale_from, group.concurrency]
    if group.cpus:
        wanted["cpus"] = sorted(group.cpus)
    for name in ("max_tasks_per_child", "pool_start_method", "soft_time_limit", "time_limit"):
        if (value := getattr(group, name)) is not None:
            wanted[name] = value
    return wanted


def last_words(tail: str) -> str:
    """What an ended process said at last, in a line: its error rather than a frame of a traceback."""
    lines = [line.strip() for line in tail.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""


def node_name(index: int, tag: str) -> str:
    """Celery's name of a node, by which it can be told something."""
    return f"n{index}@{tag.rstrip('-')}"


def arguments(group: Workers, name: str, queue: str) -> list[str]:
    """Celery's own command line for a node that consumes from ``queue`` at first."""
    return ["worker", *settings.options(group), "-n", name, "-Q", queue, "-l", "WARNING"]
