"""``celery-bench doctor`` as its users run it."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.real


def test_it_says_what_it_found_and_leaves_nothing(shell):
    done = shell.run("doctor")
    assert done.returncode in (0, 6), done.stdout + done.stderr
    assert ("Fine" in done.stdout) == (done.returncode == 0)
    for word in ("reference spin", "valkey", "open files", "celery"):
        assert word in done.stdout
    assert "\x1b" not in done.stdout and done.stderr == ""
    assert sorted(path.name for path in shell.folder.iterdir()) == ["tmp"]
    assert shell.left() == [] and shell.left_files() == []


def test_as_json(shell):
    done = shell.run("doctor", "--json")
    data = json.loads(done.stdout)
    assert data["possible"] and data["facts"]["cores"] >= 1
    assert done.returncode == (6 if data["doubts"] else 0)


def test_busy_processes_are_named_without_their_arguments(shell):
    spin = "import time\nend = time.monotonic() + 30\nwhile time.monotonic() < end: pass"
    for _ in range(3):  # the busiest are named: of tests beside this one several may be just then
        with subprocess.Popen([sys.executable, "-c", spin, "hunter2"]) as busy:
            done = shell.run("doctor")
            busy.kill()
        assert done.returncode == 6
        if named := f"(pid {busy.pid})" in " ".join(done.stdout.split()):
            break
    assert named
    assert "hunter2" not in done.stdout


def test_no_session_can_run_where_nothing_can_be_written(shell):
    done = shell.run("--results", "/proc/results", "doctor")
    assert done.returncode == 3
    assert "No session can run here" in done.stdout and "/proc/results" in done.stdout
