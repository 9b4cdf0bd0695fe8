"""The observer keeps what it saw, whatever happens to what it watches."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench import analyse
from bench.events import ENDED, RECEIVED, STARTED, WORKER_LOST
from bench.run import eventlog

pytestmark = pytest.mark.real


def parent(folder: Path) -> psutil.Process:
    """The worker of the only trial in ``folder``."""
    (ready,) = folder.glob("*/ready-0.json")
    return psutil.Process(json.loads(ready.read_text())["pid"])


class Killer:
    """Kills -9 once, when some tasks of the load have ended; keeps what the files held just before."""

    def __init__(self, folder: Path, whom: str) -> None:
        self.folder, self.whom = folder, whom
        self.pid = 0
        self.before: set[tuple[int, int, int]] = set()

    def __call__(self, phase: str, completed: int) -> None:
        if phase != "load" or completed < 20 or self.pid:
            return
        worker = parent(self.folder)
        victim = worker if self.whom == "parent" else worker.children()[0]
        self.pid = victim.pid
        os.kill(victim.pid, signal.SIGSTOP)  # nothing is written between our look and the kill
        (path,) = self.folder.glob(f"*/events-0-{victim.pid}.bin")
        records, _, _ = eventlog.read(path)
        self.before = {(int(r["seq"]), int(r["kind"]), int(r["t_ns"])) for r in records if r["seq"] >= 0}
        os.kill(victim.pid, signal.SIGKILL)


def of(events: Any, pid: int) -> set[tuple[int, int, int]]:
    mine = events[events["pid"] == pid]
    return set(zip(mine["seq"].tolist(), mine["kind"].tolist(), mine["t_ns"].tolist(), strict=True))


def test_a_killed_child_leaves_all_it_wrote(bench: Any, sleep: Any) -> None:
    killer = Killer(bench.folder, "child")
    result, recording = bench.measure(sleep(0.03), concurrency=2, flood=150, on_tick=killer)
    assert result.ok, result.reason
    assert len(killer.before) >= 10
    assert of(recording.events, killer.pid) == killer.before
    tasks = analyse.tasks(recording.events)
    lost = tasks[tasks["state"] == WORKER_LOST]
    assert len(lost) == result.counts["failed"] <= 1, "it ran one task at most"
    started = recording.events[
        (recording.events["kind"] == STARTED) & (recording.events["pid"] == killer.pid)
    ]
    assert set(lost.index) <= set(started["seq"]), (
        "that it had begun the lost task is known from its own file"
    )


def test_a_killed_parent_leaves_all_it_wrote(bench: Any, sleep: Any) -> None:
    killer = Killer(bench.folder, "parent")
    result, recording = bench.measure(sleep(0.03), concurrency=2, flood=150, on_tick=killer)
    assert not result.ok
    assert "worker 0 was killed by SIGKILL" in result.reason
    assert of(recording.events, killer.pid) == killer.before
    kinds = recording.events.groupby("kind")["seq"].nunique()
    assert kinds[RECEIVED] >= kinds[STARTED] >= kinds[ENDED] >= 20
    assert result.counts["completed"] == kinds[ENDED]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Room for the first segment of each event file, and for no second one."""
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1100k", "tmpfs", str(folder)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"no tmpfs here: {mounted.stderr.decode()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_ends_the_trial_with_its_reason(bench: Any, small_disk: Path) -> None:
    """6 000 tasks are 18 000 events in the worker: more than one segment holds."""
    result, _ = bench.measure("noop", pool="threads", concurrency=2, flood=6000, folder=small_disk)
    assert not result.ok
    assert "an event could not be written to events-0-" in result.reason
    assert "No space left on device" in result.reason
