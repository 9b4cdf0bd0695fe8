"""A fleet of workers as a discrete-event simulation: hosts, nodes, slots, prefetch, hoarding.

Messages wait in one queue, first come, first served. A node fetches one at a time, each of which costs its
consumer ``consumer_s``; it holds up to ``prefetch`` messages that no other node can take from it (hoarding).
Of several nodes with room the one that has waited longest is served, as a blocking pop does. Within a node
tasks start in the order they came, on whatever slot is free.

Two ways to the same answer: where busy slots do not slow each other down, everything about a message is known
when it is fetched, so messages are gone through once in order, 0.5 million a second. Else busy slots of a
domain (a host, or a node whose threads share a lock) share a virtual clock that runs 1 ÷ slowdown as fast:
a task ends when that clock has moved on by its service, so that processor sharing is exact and a change of
speed costs one event, not one for each running task.
"""

import heapq
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

NEVER = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """``nodes`` of ``concurrency`` slots each. ``prefetch``: messages that a node holds at most (a count, not
    a multiplier; 0 = unlimited): besides those that run (early acks), or with them (``late``).

    ``consumer_s``: seconds of a node's consumer for each message, one after the other; ``dispatch_s``: from
    the consumer's hands to the task's first line, the slot is taken meanwhile. ``slowdown[b]``: how many
    times longer everything takes while b slots of a domain are busy (index 0 does not matter; empty: nothing
    slows down); nodes are dealt to the ``domains`` in turn.
    """

    nodes: int = 1
    concurrency: int
    prefetch: int = 0
    late: bool = False
    consumer_s: float = 0.0
    dispatch_s: float = 0.0
    domains: int = 1
    slowdown: tuple[float, ...] = ()

    @property
    def slots(self) -> int:
        return self.nodes * self.concurrency

    @property
    def widest(self) -> int:
        """Most slots of one domain."""
        return -(-self.nodes // self.domains) * self.concurrency


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Course:
    """What became of each message, in the order they arrived: seconds, and the ``node`` that ran it."""

    arrived: Floats
    received: Floats
    started: Floats
    ended: Floats
    node: NDArray[np.int64]

    @property
    def response(self) -> Floats:
        return self.ended - self.arrived


def run(fleet: Fleet, arrivals: Floats, services: Floats) -> Course:
    """The fleet given messages at ``arrivals`` (s, ascending) that each take ``services`` (s).

    Raises ValueError for arrays of different length, and where ``slowdown`` does not reach far enough.
    """
    if arrivals.shape != services.shape:
        raise ValueError(f"{arrivals.size} arrivals, but {services.size} service times")
    within = fleet.slowdown[1 : fleet.widest + 1]
    slows = any(factor != 1.0 for factor in within)
    if slows and len(within) < fleet.widest:
        raise ValueError(f"slowdown says nothing of {fleet.widest} busy slots")
    path = _shared if slows else _alone
    received, started, ended, node = path(fleet, arrivals.tolist(), services.tolist())
    return Course(
        arrived=arrivals,
        received=np.array(received),
        started=np.array(started),
        ended=np.array(ended),
        node=np.array(node, dtype=np.int64),
    )


Columns = tuple[list[float], list[float], list[float], list[int]]
"""Received, started, ended, node: one entry a message."""


def _alone(fleet: Fleet, arrivals: list[float], services: list[float]) -> Columns:
    """Without slowdown. A message goes to the node that could fetch first: ``ready`` orders nodes by when
    their consumer is free and they have room again. What is needed for that (``held``) is known as soon as
    a message has its slot: of early acks when the last ``prefetch`` messages left for theirs, of late ones
    the last ``prefetch`` ends.
    """
    consumer, dispatch, limit, late = fleet.consumer_s, fleet.dispatch_s, fleet.prefetch, fleet.late
    ready = [(0.0, node, node) for node in range(fleet.nodes)]  # in the middle: who came first of equals
    slots = [[0.0] * fleet.concurrency for _ in range(fleet.nodes)]
    taken: list[deque[float]] = [deque(maxlen=limit or 1) for _ in range(fleet.nodes)]
    ends: list[list[float]] = [[] for _ in range(fleet.nodes)]
    received, started, ended, where = [], [], [], []
    replace, push = heapq.heapreplace, heapq.heappush
    for turn, (arrived, service) in enumerate(zip(arrivals, services, strict=True), start=fleet.nodes):
        able, _, node = ready[0]
        got = (arrived if arrived > able else able) + consumer
        free = slots[node]
        begin = free[0] if free[0] > got else got
        start = begin + dispatch
        end = start + service
        replace(free, end)
        again = got
        if limit and late:
            held = ends[node]
            if len(held) < limit:
                push(held, end)
            else:
                heapq.heappushpop(held, end)
            if len(held) == limit and held[0] > again:
                again = held[0]
        elif limit:
            left = taken[node]
            left.append(begin)
            if len(left) == limit and left[0] > again:
                again = left[0]
        replace(ready, (again, turn, node))
        received.append(got)
        started.append(start)
        ended.append(end)
        where.append(node)
    return received, started, ended, where


def _shared(fleet: Fleet, arrivals: list[float], services: list[float]) -> Columns:
    """With slowdown: every end and every receipt is an event."""
    simulation = _Shared(fleet, arrivals, services)
    simulation.go()
    return simulation.received, simulation.started, simulation.ended, simulation.where


class _Node:
    """A worker's state: ``free`` slots, what it has received and not begun, how many count as ``held``, and
    whether it is ``able`` to fetch and stands in line for it.
    """

    __slots__ = ("able", "domain", "fetching", "free", "held", "waiting")

    def __init__(self, concurrency: int, domain: "_Domain") -> None:
        self.free = concurrency
        self.domain = domain
        self.held = 0
        self.fetching = False
        self.able = True
        self.waiting: deque[int] = deque()


class _Domain:
    """A virtual clock: ``now`` moves on by real time ÷ slowdown of what runs, whose ends by that clock stand
    in ``ends``. ``at``: real time of the last change; ``version``: how many changes there were.
    """

    __slots__ = ("at", "ends", "now", "number", "version")

    def __init__(self, number: int) -> None:
        self.number = number
        self.at = self.now = 0.0
        self.version = 0
        self.ends: list[tuple[float, int]] = []


class _Shared:
    """``agenda``: time, what, which. What is a version: the next end of the domain ``which``, as foreseen at
    that version (a later change makes it void); or below zero: a node is through with message ``which``.
    """

    def __init__(self, fleet: Fleet, arrivals: list[float], services: list[float]) -> None:
        n = len(arrivals)
        self.arrivals, self.services = arrivals, services
        self.received, self.started, self.ended = [0.0] * n, [0.0] * n, [0.0] * n
        self.where = [0] * n
        self.slowdown, self.consumer, self.dispatch = fleet.slowdown, fleet.consumer_s, fleet.dispatch_s
        self.late, self.limit = fleet.late, fleet.prefetch or NEVER
        self.domains = [_Domain(number) for number in range(fleet.domains)]
        self.nodes = [
            _Node(fleet.concurrency, self.domains[node % fleet.domains]) for node in range(fleet.nodes)
        ]
        self.able = deque(range(fleet.nodes))
        """Nodes that could fetch, the one that has waited longest first."""
        self.agenda: list[tuple[float, int, int]] = []

    def go(self) -> None:
        """Every message to its end."""
        agenda, arrivals, able, domains = self.agenda, self.arrivals, self.able, self.domains
        now, head, n = 0.0, 0, len(arrivals)
        while True:
            due = max(arrivals[head], now) if able and head < n else NEVER
            if agenda and agenda[0][0] <= due:
                now, what, which = heapq.heappop(agenda)
                if what < 0:
                    self._receive(now, which)
                elif what == domains[which].version:
                    self._end(now, domains[which])
            elif due < NEVER:
                now = due
                self._fetch(now, head)
                head += 1
            else:
                return

    def _fetch(self, now: float, message: int) -> None:
        which = self.able.popleft()
        node = self.nodes[which]
        node.able, node.fetching = False, True
        node.held += 1
        self.where[message] = which
        heapq.heappush(self.agenda, (now + self.consumer, -1, message))

    def _receive(self, now: float, message: int) -> None:
        node = self.nodes[self.where[message]]
        node.fetching = False
        self.received[message] = now
        node.waiting.append(message)
        if node.free:
            self._start(now, node)
        self._offer(node, message)

    def _start(self, now: float, node: _Node) -> None:
        message, domain = node.waiting.popleft(), node.domain
        node.free -= 1
        if not self.late:
            node.held -= 1
        self._pass(now, domain)
        self.started[message] = now + self.dispatch
        heapq.heappush(domain.ends, (domain.now + self.dispatch + self.services[message], message))
        self._foresee(domain)

    def _end(self, now: float, domain: _Domain) -> None:
        self._pass(now, domain)
        _, message = heapq.heappop(domain.ends)
        node = self.nodes[self.where[message]]
        self.ended[message] = now
        node.free += 1
        if self.late:
            node.held -= 1
        if node.waiting:
            self._start(now, node)
        else:
            self._foresee(domain)
        self._offer(node, message)

    def _offer(self, node: _Node, message: int) -> None:
        """The node that has dealt with the message fetches again if it has room."""
        if not node.able and not node.fetching and node.held < self.limit:
            node.able = True
            self.able.append(self.where[message])

    def _pass(self, now: float, domain: _Domain) -> None:
        """Let the domain's clock come to ``now``."""
        running = len(domain.ends)
        if running:
            domain.now += (now - domain.at) / self.slowdown[running]
        domain.at = now

    def _foresee(self, domain: _Domain) -> None:
        """When the next task ends if nothing changes before."""
        domain.version += 1
        running = len(domain.ends)
        if running:
            left = max(0.0, domain.ends[0][0] - domain.now)
            at = domain.at + left * self.slowdown[running]
            heapq.heappush(self.agenda, (at, domain.version, domain.number))
