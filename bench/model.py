"""The nouns of what is asked: a Scenario, its Cells and Trials; what came back is in ``bench.measured``.

Plain frozen data, standard library only. Times are seconds, sizes bytes, rates per second, unless a name
says otherwise (``_ns``). ``bench.jsonable`` turns them into what is kept on disk.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from bench.canvas import CANVASES as CANVASES  # noqa: PLC0414  mypy: these nouns are ours to hand on
from bench.canvas import TaskCall as TaskCall  # noqa: PLC0414

FORMAT = 2
"""Version of everything written under ``results/``; raised when a reader of the old form would go wrong."""

POOLS = ("prefork", "threads", "gevent", "eventlet", "solo")
GREEN_POOLS = ("gevent", "eventlet")
DISCOURAGED_POOLS = ("eventlet",)
"""Measured like the others, advised only where nothing else will do: its maintainers advise against it."""
SHAPES = ("flood", "constant", "poisson", "steps", "ramp", "sine", "burst", "replay", "closed", "saturate")
CHAINED = "phases"
"""What a load of several parts is called; its parts have shapes."""
BROKERS = ("valkey", "redis", "rabbitmq")
RESULTS = ("ignored", "broker", "rpc", "sql", "server", "app")
DEFAULT_QUEUE = "celery"
"""Where tasks go without a route, as in Celery."""

CIRCUMSTANCES = ("workload", "load")
"""Axes on a path below these describe the work, not a choice: advice is given for each of their values."""


def is_circumstance(axis: str) -> bool:
    """Whether an axis describes the work, not a choice."""
    return axis.split(".", maxsplit=1)[0] in CIRCUMSTANCES


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """A managed broker of a ``kind``, somebody else's at ``url`` (which may hold a password), or that of the
    user's ``app``. Servers of different ``name`` are different servers.

    ``queue`` is RabbitMQ's type of queue. ``persistent``: whether a message outlives the broker's end; None
    leaves it to the broker and Celery. ``options``: kombu's transport options; ``pool_limit``: connections
    that a process keeps, None leaves it to the app.
    """

    kind: str = "valkey"
    url: str | None = None
    port: int | None = None
    name: str = ""
    of_app: bool = False
    queue: str = "classic"
    persistent: bool | None = None
    pool_limit: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def server(self) -> tuple[object, ...]:
        """What makes it another server, and not only another way to talk to the same: RabbitMQ is told with
        each message whether to keep it, Redis and Valkey when they start.
        """
        kept = self.persistent if self.kind != "rabbitmq" else None
        return self.kind, self.url, self.port, self.name, self.of_app, kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """``nodes`` equal ``celery worker`` processes: one group of a fleet. ``prefetch`` is the multiplier, 0 =
    unlimited.

    ``queues`` they consume from, by the names of the scenario; none: all. ``auto``: Celery chose
    ``concurrency`` by itself; ``autoscale_from``: it starts with so many and grows up to ``concurrency``.
    Time limits in seconds, ``max_memory_per_child`` in bytes, ``cpus`` the cores they may run on (none: all),
    ``heartbeat`` seconds between a worker's signs of life, 0 = none, None = Celery's own. None elsewhere
    leaves a setting to the app.
    """

    name: str = ""
    pool: str = "prefork"
    concurrency: int = 2
    auto: bool = False
    autoscale_from: int | None = None
    prefetch: int = 4
    disable_prefetch: bool = False
    nodes: int = 1
    queues: tuple[str, ...] = ()
    max_tasks_per_child: int | None = None
    max_memory_per_child: int | None = None
    pool_start_method: str | None = None
    soft_time_limit: float | None = None
    time_limit: float | None = None
    events: bool = False
    gossip: bool = False
    mingle: bool = False
    heartbeat: float | None = None
    cpus: tuple[int, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def slots(self) -> int:
        return self.nodes * self.concurrency


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """When a message counts as done, and what happens to one that does not. None leaves it to the app.

    ``acks``: early (before the task runs) or late. ``visibility_timeout`` (s): after that long Redis gives an
    unacknowledged message to another worker. ``eta_task_limit``: tasks with an ETA that a worker holds.
    ``max_priority``: RabbitMQ's queues have so many priorities.
    """

    acks: str | None = None
    reject_on_worker_lost: bool | None = None
    visibility_timeout: float | None = None
    eta_task_limit: int | None = None
    max_priority: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Messages:
    """What tasks and results look like on the wire, and where ``results`` are kept: one of ``RESULTS``, where
    ``server`` is a second Valkey and ``app`` what the user's app says, or a URL; empty: ignored unless the
    load or a chord needs them.
    """

    serializer: str | None = None
    compression: str | None = None
    results: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """When tasks are published: a ``shape`` and what it needs (rates 1/s, times s); else None or empty.

    flood: ``tasks`` before the workers are let in. constant, poisson: ``rate`` for ``duration``. steps:
    ``rates`` one after the other, equally long, ``duration`` in all. ramp: from ``rates[0]`` to ``rates[1]``.
    sine: ``rate`` ± ``amplitude``, one wave each ``period``, the first rising. burst: ``tasks`` at once,
    again ``every`` so often until ``duration`` is over. replay: ``tasks`` at the offsets of ``file`` divided
    by ``speed``, the last after ``duration``; the file's content has ``digest``. closed: ``tasks`` by
    ``clients`` that wait for each result. saturate: the highest rate that keeps ``slo``, looked for from
    ``rate`` on in steps of at least ``duration``. phases: the loads of ``phases``, one after another.
    """

    shape: str = "flood"
    tasks: int | None = None
    rate: float | None = None
    duration: float | None = None
    rates: tuple[float, ...] = ()
    amplitude: float | None = None
    period: float | None = None
    every: float | None = None
    clients: int | None = None
    slo: str = ""
    file: str = ""
    digest: str = ""
    speed: float = 1.0
    phases: tuple["Load", ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether every due time is known beforehand."""
        return self.shape not in ("closed", "saturate")

    @property
    def is_stationary(self) -> bool:
        """Whether it asks for one rate from beginning to end: only then is there a steady window."""
        return self.shape in ("flood", "constant", "poisson", "closed")

    @property
    def count(self) -> int:
        """How many tasks the load publishes; 0 where only the measuring will tell (saturate)."""
        if self.shape == "saturate":
            return 0
        if self.phases:
            return sum(part.count for part in self.phases)
        if self.tasks is not None:
            return self.tasks * self.bursts
        seconds = self.duration or 0.0
        if self.shape == "steps":
            return sum(max(1, round(rate * seconds / len(self.rates))) for rate in self.rates)
        mean = sum(self.rates) / 2 if self.shape == "ramp" else self.rate or 0.0
        return max(1, round(mean * seconds + self._cut_off_wave(seconds)))

    def _cut_off_wave(self, seconds: float) -> float:
        """What the last wave of a sine holds more than at the mean rate, if it is not whole."""
        wave = (self.period or 0.0) / math.tau
        return (self.amplitude or 0.0) * wave * (1 - math.cos(seconds / wave)) if wave else 0.0

    @property
    def length(self) -> float:
        """Seconds from its start until the next load of a chain begins; 0 where nothing fixes it."""
        return sum(part.length for part in self.phases) if self.phases else self.duration or 0.0

    @property
    def bursts(self) -> int:
        """How many bursts: one at the start, one after each ``every`` before ``duration`` is over."""
        if not self.every or not self.duration:
            return 1
        return max(1, math.ceil(self.duration / self.every - 1e-9))


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When a trial is given up: ``boot`` seconds to get ready, ``stall`` seconds without a completion."""

    boot: float = 30.0
    stall: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """The environment that workers and loader run in; empty: that of the harness.

    Either fresh, with these ``requirements`` (lines as pip reads them), or that of the interpreter
    ``python``. ``source``: where the user's app is imported from, a folder, or with ``revision`` a commit of
    the git repository there.
    """

    requirements: tuple[str, ...] = ()
    python: str = ""
    source: str = ""
    revision: str = ""

    @property
    def is_here(self) -> bool:
        """Whether it is the environment, and the folder, that the harness runs in."""
        return self == Variant()


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Everything a trial needs to know; what a cell comes to once its settings are applied.

    ``app`` is the user's (``proj.celery:app``), empty for the shipped one. ``routes``: task or pattern → a
    queue of the scenario. ``settings``: any other of Celery's, by its name.
    """

    variant: Variant = field(default_factory=Variant)
    app: str = ""
    broker: Broker = field(default_factory=Broker)
    fleet: tuple[Workers, ...] = (Workers(),)
    routes: Mapping[str, str] = field(default_factory=dict)
    delivery: Delivery = field(default_factory=Delivery)
    messages: Messages = field(default_factory=Messages)
    settings: Mapping[str, Any] = field(default_factory=dict)
    workload: tuple[TaskCall, ...]
    load: Load
    warmup_per_slot: int = 2
    limits: Limits = field(default_factory=Limits)

    @property
    def slots(self) -> int:
        """Where tasks can execute at a time, over all groups."""
        return sum(group.slots for group in self.fleet)

    @property
    def groups(self) -> tuple[Workers, ...]:
        """The group of each node, in the order of their numbers."""
        return tuple(group for group in self.fleet for _ in range(group.nodes))

    @property
    def queues(self) -> tuple[str, ...]:
        """The scenario's queues: those that the fleet names, then those that tasks go to."""
        named = [queue for group in self.fleet for queue in group.queues]
        routed = [self.route(part.task) for call in self.workload for part in call.calls]
        return tuple(dict.fromkeys([*named, *routed]))

    def route(self, task: str) -> str:
        """The queue that this task goes to: that of the first route whose pattern fits."""
        fitting = (queue for pattern, queue in self.routes.items() if fnmatchcase(task, pattern))
        return next(fitting, DEFAULT_QUEUE)


Label = str | int | float | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One point of the matrix. ``settings`` maps each axis path to the value's label, in axis order."""

    id: str
    settings: Mapping[str, Label]
    setup: Setup


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One question, with its cells expanded and checked. ``metric`` is the one that answers it."""

    name: str
    question: str
    metric: str
    repeats: int
    gates: tuple[str, ...] = ()
    belief: str = ""
    """What people say, which ``expect`` puts to the test; empty where the question is open."""
    expect: tuple[str, ...] = ()
    cells: tuple[Cell, ...]
    source: str = ""
    """The text of the file, kept with the results."""
    price: Mapping[str, float] = field(default_factory=dict)
    """Of a ``core_hour`` and a ``gib_hour``, in any currency."""

    @property
    def has_tune(self) -> bool:
        """Whether the file says what ``tune`` should search."""
        return any(line.startswith("tune:") for line in self.source.splitlines())

    @property
    def axes(self) -> tuple[str, ...]:
        """Paths that differ between cells, in the order of the file."""
        return tuple(dict.fromkeys(path for cell in self.cells for path in cell.settings))


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One cell to be run once. ``seed`` is the same for all cells of a block: they get the same tasks."""

    id: str
    scenario: str
    cell: Cell
    block: int
    position: int
    seed: int
