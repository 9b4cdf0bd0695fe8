"""CPU and memory of every process group of a trial, through psutil."""

import os
import time
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import psutil

from bench.events import SAMPLE_COLUMNS

MEMORY_EVERY_S = 0.5
"""Reading PSS takes about a millisecond a process: twice a second keeps it near 1 % of a core."""
FAMILY_EVERY_S = 1.0
PROC = Path("/proc")
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class System(NamedTuple):
    """CPU seconds so far of the cores we may use: ``busy``, with ``steal``; and ``steal``: what other guests
    of the host took.
    """

    busy: float
    steal: float


class Probe:
    """Samples process groups. ``roots`` maps a group to the pids that start it; the group ``workers`` is the
    worker parents alone, their descendants are ``pool``; other groups include their descendants."""

    def __init__(self, roots: dict[str, list[int]]) -> None:
        self._roots = {group: [psutil.Process(pid) for pid in pids] for group, pids in roots.items()}
        self._families: dict[str, list[psutil.Process]] = {}
        self._family_at = self._memory_at = float("-inf")
        self._base: dict[str, float] = {}
        self.rows: list[dict[str, Any]] = []

    def sample(self, completed: int = 0, backlog: int = 0, *, memory: bool = False) -> None:
        """Read everything once; PSS twice a second, or when ``memory`` insists."""
        now = time.monotonic()
        if memory or now - self._family_at >= FAMILY_EVERY_S:
            self._find_families()
            self._family_at = now
        with_memory = memory or now - self._memory_at >= MEMORY_EVERY_S
        if with_memory:
            self._memory_at = now
        t_ns = time.monotonic_ns()
        for group, processes in self._families.items():
            cpu, alive = self._cpu(group, processes), len(processes)
            row = {"t_ns": t_ns, "group": group, "cpu": self._since_start(group, cpu), "processes": alive}
            self.rows.append({**row, **(_footprint(processes) if with_memory else {})})
        busy, steal = system()
        self.rows.append(
            {
                "t_ns": t_ns,
                "group": "system",
                "cpu": self._since_start("system", busy),
                "steal": self._since_start("steal", steal),
            }
        )
        self.rows.append({"t_ns": t_ns, "group": "tasks", "completed": completed, "backlog": backlog})

    def frame(self) -> pd.DataFrame:
        """Everything sampled so far, in the columns of docs/results.md."""
        return pd.DataFrame(self.rows, columns=list(SAMPLE_COLUMNS)).astype(dict(SAMPLE_COLUMNS))

    def cores_in_use(self) -> float:
        """CPU of workers and pool between the last two samples, in cores."""
        mine = [r for r in self.rows if r["group"] in ("workers", "pool")][-4:]
        if len(mine) < 4 or mine[-1]["t_ns"] == mine[0]["t_ns"]:
            return 0.0
        spent = sum(r["cpu"] for r in mine[2:]) - sum(r["cpu"] for r in mine[:2])
        return float(max(0.0, spent / ((mine[-1]["t_ns"] - mine[0]["t_ns"]) / 1e9)))

    def _since_start(self, key: str, value: float) -> float:
        return value - self._base.setdefault(key, value)

    def _find_families(self) -> None:
        for group, roots in self._roots.items():
            children = [] if group == "harness" else [c for root in roots for c in _descendants(root)]
            if group == "workers":
                self._families["workers"], self._families["pool"] = roots, children
            else:
                self._families[group] = roots + children

    def _cpu(self, group: str, processes: list[psutil.Process]) -> float:
        """Seconds of all processes the group ever had: the ended are in their parents' children times."""
        total = sum(_times(p, own=True) for p in processes)
        if group == "pool":
            return total + sum(_times(p, own=False) for p in self._families["workers"])
        return total


def system() -> System:
    """How the cores we may use (``sched_getaffinity``) stand now: the host may have many more."""
    cores = {}
    for line in (PROC / "stat").read_text().splitlines():
        name, *ticks = line.split()
        if name.startswith("cpu") and name != "cpu":
            user, nice, kernel, _idle, _wait, irq, softirq, steal, *_ = map(int, ticks)
            cores[int(name[3:])] = (user + nice + kernel + irq + softirq + steal, steal)
    allowed = os.sched_getaffinity(0)
    if not allowed <= cores.keys():  # a container that numbers its cores anew lists only its own
        allowed = set(cores)
    busy, stolen = (sum(cores[core][i] for core in allowed) * TICK_S for i in (0, 1))
    return System(busy, stolen)


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _times(process: psutil.Process, *, own: bool) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return times.user + times.system if own else times.children_user + times.children_system


def _footprint(processes: list[psutil.Process]) -> dict[str, float]:
    """Sums over the processes: PSS, USS (bytes), threads, open files, context switches so far."""
    total = dict.fromkeys(("memory", "uss", "threads", "fds", "switches"), 0.0)
    for process in processes:
        try:
            with process.oneshot():
                memory = process.memory_full_info()
                total["memory"] += memory.pss
                total["uss"] += memory.uss
                total["threads"] += process.num_threads()
                total["fds"] += process.num_fds()
            total["switches"] += _switches(process.pid)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total


def _switches(pid: int) -> int:
    """Context switches of all its threads so far; ``/proc/PID/status`` counts those of the main one only."""
    total = 0
    for status in PROC.glob(f"{pid}/task/*/status"):
        try:
            lines = status.read_text(errors="replace").splitlines()
        except OSError:  # the thread has just ended
            continue
        total += sum(int(line.split()[1]) for line in lines if "voluntary_ctxt_switches:" in line)
    return total
