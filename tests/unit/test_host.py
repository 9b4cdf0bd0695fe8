"""What is read of the machine around a trial: real readings, and control groups made of plain files."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bench.run import cgroup, host, neighbours
from bench.run.host import Reading
from bench.run.neighbours import Process, Usage

SPINNING = "import time; end = time.monotonic() + 20\nwhile time.monotonic() < end: pass"
"""Ends by itself: a test that was killed must not leave it."""


@pytest.fixture
def stranger() -> Iterator[int]:
    """A process that spins and is no child of ours: its parent ends at once."""
    start = f"print(subprocess.Popen([sys.executable, '-c', {SPINNING!r}], stdout=subprocess.DEVNULL).pid)"
    done = subprocess.run(
        [sys.executable, "-c", f"import subprocess, sys; {start}"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    pid = int(done.stdout)
    time.sleep(0.2)
    yield pid
    subprocess.run(["kill", "-9", str(pid)], check=True)


def test_what_a_trial_keeps_of_two_readings() -> None:
    before = Reading(spin=0.02, busy=0.1, throttled=1.0, swapped=4096.0)
    after = Reading(spin=0.03, busy=0.9, throttled=1.5, swapped=8192.0)
    assert host.between(before, after) == {
        "spin_before": 0.02,
        "spin_after": 0.03,
        "busy_before": 0.1,
        "throttled": 0.5,
        "swapped": 4096.0,
    }


def test_what_cannot_be_read_is_left_out() -> None:
    assert host.between(Reading(spin=0.02), Reading(spin=0.03, swapped=1.0)) == {
        "spin_before": 0.02,
        "spin_after": 0.03,
    }


def test_both_readings_are_quick_and_plausible() -> None:
    start = time.process_time()
    before, after = host.read(), host.read(neighbours=False)
    spins = host.SPINS * (before.spin + after.spin)
    assert time.process_time() - start < 2 * spins, "little but the spins, however slow the core"
    found = host.between(before, after)
    assert 0.002 < found["spin_before"] < 0.1 and 0.002 < found["spin_after"] < 0.1
    assert after.busy is None and before.busy is not None and before.busy >= 0


def test_a_busy_stranger_is_seen(stranger: int) -> None:
    assert (host.read().busy or 0.0) >= 0.5
    process = psutil.Process(stranger)
    before, used = neighbours.usage(), sum(process.cpu_times()[:2])
    begun = time.monotonic()
    time.sleep(0.5)
    busiest = neighbours.busiest(before, neighbours.usage(), most=1000)
    used = (sum(process.cpu_times()[:2]) - used) / (time.monotonic() - begun)
    assert [busy.cores for busy in busiest] == sorted((busy.cores for busy in busiest), reverse=True)
    assert next(busy.cores for busy in busiest if busy.pid == stranger) == pytest.approx(used, rel=0.3)


def test_our_own_children_are_no_strangers() -> None:
    child = subprocess.Popen([sys.executable, "-c", SPINNING])
    try:
        before = after = neighbours.usage()
        until = time.monotonic() + 20  # on a crowded machine it takes its turn
        while after.processes[child.pid].cpu - before.processes[child.pid].cpu < 0.1:
            assert time.monotonic() < until, "the child uses no CPU"
            time.sleep(0.05)
            after = neighbours.usage()
    finally:
        child.kill()
        child.wait()
    assert child.pid not in [busy.pid for busy in neighbours.busiest(before, after, most=1000)]


def test_others_are_what_is_left_without_us(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getpid", lambda: 10)
    tree = {1: (0, "init"), 10: (1, "us"), 11: (10, "child"), 12: (11, "(grand) child"), 20: (1, "make")}
    before, after = (
        Usage(
            at=at,
            busy=busy,
            steal=busy / 10,
            processes={pid: Process(parent, name, cpu) for pid, (parent, name) in tree.items()},
        )
        for at, busy, cpu in ((0.0, 0.0, 0.0), (2.0, 4.0, 1.0))
    )
    assert neighbours.others(before, after) == pytest.approx((4.0 - 3.0) / 2.0)
    assert neighbours.stolen(before, after, cores=2) == pytest.approx(0.1)
    assert [busy.pid for busy in neighbours.busiest(before, after, most=3)] == [1, 20]


def put(root: Path, **files: str) -> None:
    root.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (root / name.replace("_", ".", 1)).write_text(text)


def test_quota_and_throttling_of_all_groups_above_us(tmp_path: Path) -> None:
    put(tmp_path, cpu_stat="usage_usec 5\n")
    put(tmp_path / "app", cpu_max="150000 100000\n", cpu_stat="nr_throttled 3\nthrottled_usec 2000000\n")
    put(tmp_path / "app/web", cpu_max="max 100000\n", cpu_stat="throttled_usec 500000\n")
    (tmp_path / "own").write_text("0::/app/web\n")
    assert cgroup.quota_cores(tmp_path, tmp_path / "own") == 1.5
    assert cgroup.throttled_s(tmp_path, tmp_path / "own") == pytest.approx(2.5)


def test_quota_and_throttling_of_version_1(tmp_path: Path) -> None:
    put(
        tmp_path / "cpu,cpuacct/box",
        cpu_cfs_quota_us="50000\n",
        cpu_cfs_period_us="100000\n",
        cpu_stat="throttled_time 3000000000\n",
    )
    put(tmp_path / "cpu,cpuacct", cpu_cfs_quota_us="-1\n", cpu_cfs_period_us="100000\n")
    (tmp_path / "own").write_text("4:memory:/box\n1:cpu,cpuacct:/box\n0::/\n")
    assert cgroup.quota_cores(tmp_path, tmp_path / "own") == 0.5
    assert cgroup.throttled_s(tmp_path, tmp_path / "own") == pytest.approx(3.0)


def test_no_groups_at_all(tmp_path: Path) -> None:
    assert cgroup.quota_cores(tmp_path, tmp_path / "own") is None
    assert cgroup.throttled_s(tmp_path, tmp_path / "own") is None
