"""A simulated trial: units and their messages, nodes that fetch and run them, clients that wait.

A discrete-event simulation; what it is made of and becomes is in ``bench.run.fake``.
"""

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Self

import numpy as np

from bench.canvas import Underway
from bench.events import SUCCESS, Floats
from bench.model import TaskCall, Workers

RECEIVE_S = 0.00065
"""CPU that a node's consumer spends on a task; at prefork's 1 440 no-ops a second it is busy all the time."""

DISPATCH_S = 0.0002
"""From the consumer's hands to the task's first line."""

RETURN_S = 0.0006
"""From a task's end until who waits for its result has it."""

PAUSE_S = 0.1
"""From the end of one simulation to the next, where several are joined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What a load publishes. For each unit its entry of the workload and the messages it comes to (``first``
    and how ``many``); for each message its unit, part and stage, seconds of service and CPU, and final state
    (0: never ends).
    """

    choice: Any
    first: Any
    many: Any
    unit: Any
    part: Any
    stage: Any
    service: Floats
    cpu: Floats
    states: Any

    @classmethod
    def joined(cls, drawn: "Sequence[Drawn]") -> "Drawn":
        """Loads one after the other."""
        names = ("choice", "many", "part", "stage", "service", "cpu", "states")
        told = {name: np.concatenate([getattr(each, name) for each in drawn]) for name in names}
        many = told["many"]
        return cls(first=np.cumsum(many) - many, unit=np.repeat(np.arange(many.size), many), **told)

    def stage_of(self, unit: int, stage: int) -> list[int]:
        """The messages of a unit's stage."""
        own = range(self.first[unit], self.first[unit] + self.many[unit])
        return [m for m in own if self.stage[m] == stage]


Groups = Sequence[Workers]
"""The group of each node."""


class _Node:
    def __init__(self, workers: Workers) -> None:
        self.free = list(range(workers.concurrency))
        self.reserved: deque[int] = deque()
        self.fetching = False
        self.limit = workers.concurrency * workers.prefetch or float("inf")


class Simulation:
    """The simulation, of units ``due`` (s). Early ack: a node holds concurrency × multiplier tasks besides
    those that run, and fetches the next while there is room; an idle node is offered new messages in turn.
    """

    def __init__(self, workers: Groups, due: Floats, drawn: Drawn) -> None:
        n = drawn.service.size
        self.nodes = [_Node(group) for group in workers]
        self.queue: deque[int] = deque()
        self.clock = 0.0
        self.due, self.drawn, self.service = due, drawn, drawn.service.tolist()
        self._left: dict[tuple[int, int], int] = {}
        self.received, self.started, self.ended = np.full((3, n), np.nan)
        self.node, self.slot = np.zeros((2, n), dtype=int)
        self._agenda: list[tuple[float, int, Callable[[int, int], None], int, int]] = []
        self._order = count()
        for unit, at in enumerate(due.tolist()):
            if not np.isnan(at):
                self._begin(unit, at)

    @classmethod
    def joined(cls, workers: Groups, parts: Sequence[Self], drawn: Drawn) -> Self:
        """Simulations that were run, one after the other."""
        whole = cls(workers, np.full(drawn.choice.size, np.nan), drawn)
        starts = np.cumsum([0.0, *(part.clock + PAUSE_S for part in parts)])
        pairs = list(zip(parts, starts, strict=False))
        for name in ("due", "received", "started", "ended"):
            setattr(whole, name, np.concatenate([getattr(part, name) + start for part, start in pairs]))
        for name in ("node", "slot"):
            setattr(whole, name, np.concatenate([getattr(part, name) for part in parts]))
        whole.clock = float(starts[-1])
        return whole

    def run(self) -> Self:
        while self._agenda:
            self.clock, _, happen, node, seq = heapq.heappop(self._agenda)
            happen(node, seq)
        return self

    def _begin(self, unit: int, at: float, stage: int = 0) -> None:
        """Publish a stage of a unit."""
        for message in (
            self.drawn.stage_of(unit, stage) if self.drawn.many[unit] > 1 else [self.drawn.first[unit]]
        ):
            self._plan(at, self._publish, message % len(self.nodes), message)

    def _ends_stage(self, message: int) -> None:
        """The next stage of its unit begins when all of this one have succeeded."""
        unit, stage = int(self.drawn.unit[message]), int(self.drawn.stage[message])
        if self.drawn.many[unit] == 1 or self.drawn.states[message] != SUCCESS:
            return
        left = self._left.get((unit, stage), len(self.drawn.stage_of(unit, stage))) - 1
        self._left[unit, stage] = left
        if not left:
            self._begin_next(unit, stage + 1)

    def _begin_next(self, unit: int, stage: int) -> None:
        if self.drawn.stage_of(unit, stage):
            self._begin(unit, self.clock + RETURN_S, stage)

    def _publish(self, first: int, seq: int) -> None:
        self.queue.append(seq)
        for node in (*range(first, len(self.nodes)), *range(first)):
            self._fetch(node)

    def _receive(self, node: int, seq: int) -> None:
        self.received[seq], self.node[seq] = self.clock, node
        self.nodes[node].fetching = False
        self.nodes[node].reserved.append(seq)
        self._start(node)
        self._fetch(node)

    def _end(self, node: int, seq: int) -> None:
        self.ended[seq] = self.clock
        heapq.heappush(self.nodes[node].free, int(self.slot[seq]))
        self._ends_stage(seq)
        self._start(node)
        self._fetch(node)

    def _start(self, node: int) -> None:
        at = self.nodes[node]
        while at.free and at.reserved:
            seq = at.reserved.popleft()
            self.slot[seq], self.started[seq] = heapq.heappop(at.free), self.clock + DISPATCH_S
            self._plan(self.clock + DISPATCH_S + self.service[seq], self._end, node, seq)

    def _fetch(self, node: int) -> None:
        at = self.nodes[node]
        if self.queue and not at.fetching and len(at.reserved) < at.limit:
            at.fetching = True
            self._plan(self.clock + RECEIVE_S, self._receive, node, self.queue.popleft())

    def _plan(self, at: float, happen: Callable[[int, int], None], node: int, seq: int) -> None:
        heapq.heappush(self._agenda, (at, next(self._order), happen, node, seq))


class Loop(Simulation):
    """Clients of whom each calls its next task when it has the result of its last."""

    def __init__(self, workers: Groups, clients: int, drawn: Drawn, workload: Sequence[TaskCall]) -> None:
        due = np.full(drawn.choice.size, np.nan)
        due[:clients] = 0.0
        super().__init__(workers, due, drawn)
        self._next = clients
        self._underway = Underway(workload)

    def _end(self, node: int, seq: int) -> None:
        super()._end(node, seq)
        drawn, unit = self.drawn, int(self.drawn.unit[seq])
        part, ok = int(drawn.part[seq]), bool(drawn.states[seq] == SUCCESS)
        if part and not self._underway.ended(unit, int(drawn.choice[unit]), part, 1, ok=ok):
            return
        if self._next < self.due.size:
            self.due[self._next] = self.clock + RETURN_S
            self._begin(self._next, self.clock + RETURN_S)
            self._next += 1
