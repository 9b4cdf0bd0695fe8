"""What is sampled of real processes."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bench.run import facts, probe
from bench.run.probe import Probe

THREADS = """
import threading, time
def doze():
    for _ in range(50):
        time.sleep(0.001)
    time.sleep(20)
for _ in range(4):
    threading.Thread(target=doze, daemon=True).start()
time.sleep(20)
"""
"""Ends by itself: a test that was killed must not leave it."""


@pytest.fixture
def dozing() -> Iterator[int]:
    """A process whose four threads give the core away 50 times each."""
    with subprocess.Popen([sys.executable, "-c", THREADS]) as process:
        yield process.pid
        process.kill()


def test_switches_of_all_threads_count(dozing: int) -> None:
    sampled = Probe({"services": [dozing]})
    end = time.monotonic() + 10
    seen = 0.0
    while seen < 150 and time.monotonic() < end:
        time.sleep(0.05)
        sampled.sample(memory=True)
        seen = max(row.get("switches", 0.0) for row in sampled.rows)
    assert seen >= 150, "the main thread alone switches a few dozen times"


STAT = """\
cpu  600 0 600 9000 0 0 0 600 0 0
cpu0 100 0 100 3000 9 1 1 100 50 0
cpu1 200 0 200 3000 9 2 2 200 50 0
cpu3 300 0 300 3000 9 3 3 300 50 0
intr 1 2 3
ctxt 5
"""


@pytest.mark.parametrize(
    ("allowed", "busy", "steal"),
    [({0}, 302, 100), ({0, 3}, 302 + 906, 400), ({0, 1, 3}, 302 + 604 + 906, 600), ({8, 9}, 1812, 600)],
    ids=["one", "one is off line", "all", "numbered anew"],
)
def test_only_the_cores_we_may_use_count(
    allowed: set[int], busy: int, steal: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stat").write_text(STAT)
    monkeypatch.setattr(probe, "PROC", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: allowed)
    assert probe.system() == pytest.approx((busy * probe.TICK_S, steal * probe.TICK_S))
    assert facts._usage().steal == pytest.approx(steal * probe.TICK_S)


def test_this_machine_agrees_with_psutil() -> None:
    times = [psutil.cpu_times(percpu=True)[core] for core in os.sched_getaffinity(0)]
    theirs = sum(sum(t) - t.idle - t.iowait - t.guest - t.guest_nice for t in times)
    assert probe.system().busy == pytest.approx(theirs, abs=1.0)
