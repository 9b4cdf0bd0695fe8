"""Who uses the CPU: the whole system and each process, twice, and the difference without our own tree."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
"""The kernel counts CPU time in these, mostly 10 ms: over 0.1 s a tenth of a core is the least it shows."""


class Process(NamedTuple):
    """``cpu``: seconds so far of all its threads, without its children."""

    parent: int
    name: str
    cpu: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """CPU seconds so far: of all cores together (``busy``, without ``steal``), and by process."""

    at: float
    busy: float
    steal: float
    processes: Mapping[int, Process]


class Busy(NamedTuple):
    """A process that is not ours and the cores it used."""

    pid: int
    name: str
    cores: float


def usage() -> Usage:
    """How it stands now; takes some 20 µs a process."""
    user, nice, system, _idle, _wait, irq, softirq, steal, *_ = _system()
    busy = user + nice + system + irq + softirq
    return Usage(at=time.monotonic(), busy=busy, steal=steal, processes=_processes())


def others(before: Usage, after: Usage) -> float:
    """Cores that processes outside our own tree used between the two; below 0.1 over 0.1 s means none."""
    mine = sum(_spent(before, after, pid) for pid in _ours(after))
    return max(0.0, after.busy - before.busy - mine) / (after.at - before.at)


def busiest(before: Usage, after: Usage, most: int) -> list[Busy]:
    """Those outside our own tree that used the most CPU between the two, at most ``most`` of them."""
    seconds = after.at - before.at
    rest = [
        Busy(pid, after.processes[pid].name, _spent(before, after, pid) / seconds)
        for pid in after.processes.keys() - _ours(after)
    ]
    return sorted((b for b in rest if b.cores > 0), key=lambda b: -b.cores)[:most]


def stolen(before: Usage, after: Usage, cores: int) -> float:
    """The share of all cores' time that other guests of the host took."""
    return (after.steal - before.steal) / (after.at - before.at) / cores


def _spent(before: Usage, after: Usage, pid: int) -> float:
    earlier = before.processes.get(pid)
    return after.processes[pid].cpu - (earlier.cpu if earlier else 0.0)


def _ours(now: Usage) -> set[int]:
    """This process and all below it."""
    children: dict[int, list[int]] = {}
    for pid, process in now.processes.items():
        children.setdefault(process.parent, []).append(pid)
    found: set[int] = set()
    new = [os.getpid()]
    while new:
        found.update(new)
        new = [child for parent in new for child in children.get(parent, ()) if child not in found]
    return found & now.processes.keys()


def _system() -> list[float]:
    """Seconds so far over all cores: user, nice, system, idle, iowait, irq, softirq, steal, …"""
    return [int(word) * TICK_S for word in (PROC / "stat").read_text().split("\n", 1)[0].split()[1:]]


def _processes() -> dict[int, Process]:
    found = {}
    for folder in os.scandir(PROC):
        if folder.name.isdigit():
            try:
                text = Path(folder.path, "stat").read_text(errors="replace")
            except OSError:  # it has just ended
                continue
            head, _, rest = text.rpartition(")")  # a name may hold blanks and brackets of its own
            words = rest.split()
            cpu = (int(words[11]) + int(words[12])) * TICK_S
            found[int(folder.name)] = Process(int(words[1]), head.partition("(")[2], cpu)
    return found
