"""What is sampled of real processes."""

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

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
    probe = Probe({"services": [dozing]})
    end = time.monotonic() + 10
    seen = 0.0
    while seen < 150 and time.monotonic() < end:
        time.sleep(0.05)
        probe.sample(memory=True)
        seen = max(row.get("switches", 0.0) for row in probe.rows)
    assert seen >= 150, "the main thread alone switches a few dozen times"
