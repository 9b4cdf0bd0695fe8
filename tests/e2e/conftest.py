"""The command as its users run it: a subprocess in an empty folder, traced by a mark in its environment."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

COMMAND = str(Path(sys.executable).with_name("celery-bench"))
TINY = """\
question: Does it run?
workers: {pool: threads, concurrency: 2}
workload: {task: io.sleep, kwargs: {seconds: 0.01}}
load: {shape: flood, tasks: 60}
matrix:
  workers.prefetch: [1, 4]
repeats: 2
"""
LONG = """\
question: Is anything left behind?
workers: {pool: prefork, concurrency: 2}
workload: {task: io.sleep, kwargs: {seconds: 0.05}}
load: {shape: flood, tasks: 2000}
repeats: 2
"""


class Shell:
    """Runs ``celery-bench`` in ``folder``; ``left`` lists every process that inherited this test's mark."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[str]] = []
        self._mark = str(uuid4())
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self.env = {
            **os.environ,
            "BENCH_TEST_MARK": self._mark,
            "TMPDIR": str(self.temporary),
            "COLUMNS": "100",
        }

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def start(self, *words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [COMMAND, *words],
            cwd=self.folder,
            env=self.env,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def run(self, *words: str, timeout: float = 110) -> subprocess.CompletedProcess[str]:
        process = self.start(*words)
        out, err = process.communicate(timeout=timeout)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    @staticmethod
    def refused(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
        """It ended with this exit code and these words on stderr, and without a traceback."""
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        for word in words:
            assert word in done.stderr, done.stderr

    def left(self) -> list[str]:
        """Processes with our mark, or working in our temporary folder (Valkey overwrites its environment)."""
        found = []
        for process in psutil.process_iter():
            try:
                ours = process.environ().get("BENCH_TEST_MARK") == self._mark or process.cwd().startswith(
                    str(self.temporary)
                )
                if ours and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(f"{process.pid} {' '.join(process.cmdline()[:4])}")
            except psutil.Error:
                continue
        return found

    def left_files(self) -> list[str]:
        return [path.name for path in self.temporary.iterdir()]

    def wait_until(self, what: Callable[[], bool], seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end, "it did not come to that"
            time.sleep(0.05)

    def wait_until_tasks_run(self) -> None:
        """Until a worker's pool is there and its trial has begun to write events."""
        self.wait_until(lambda: len([line for line in self.left() if "worker.py" in line]) >= 3)
        time.sleep(2)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    made = Shell(tmp_path)
    yield made
    for process in made.started:
        process.kill()
        process.communicate()
    for line in made.left():  # a failing test must not leave what it complains about
        psutil.Process(int(line.split()[0])).kill()


@pytest.fixture
def tiny(shell: Shell) -> str:
    """Four short trials."""
    return str(shell.write("tiny.yaml", TINY))


@pytest.fixture
def long() -> str:
    """The text of a scenario whose trial lasts a minute."""
    return LONG
