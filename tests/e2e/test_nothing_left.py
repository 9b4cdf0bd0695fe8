"""Workers, pool children, broker, loader and temporary files are gone, however the harness ends."""

import os
import signal
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.real


def test_after_success(shell, tiny):
    done = shell.run("run", tiny)
    assert done.returncode == 0, done.stderr
    assert shell.left() == []
    assert shell.left_files() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_after_an_interrupt_and_resume_runs_only_the_rest(shell, long, number):
    shell.write("long.yaml", long.replace("2000", "150"))
    process = shell.start("run", "long.yaml")
    lines = Path(shell.folder / "results")
    shell.wait_until(lambda: any(p.read_text().count("\n") == 1 for p in lines.glob("*/trials.jsonl")))
    shell.wait_until_tasks_run()
    os.kill(process.pid, number)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    assert "--resume" in err
    assert "Traceback" not in out + err
    assert shell.left() == []
    assert shell.left_files() == []

    done = shell.run("run", "--resume", "latest")
    assert done.returncode == 0, done.stderr
    (kept,) = lines.glob("*/trials.jsonl")
    assert kept.read_text().count("\n") == 2


@pytest.mark.parametrize("pool", ["prefork", "gevent", "threads"])
def test_after_kill_9_of_the_harness(shell, long, pool):
    shell.write("long.yaml", long.replace("prefork", pool))
    process = shell.start("run", "long.yaml")
    expected = 4 if pool == "prefork" else 2
    shell.wait_until(lambda: sum("worker.py" in line for line in shell.left()) >= expected - 1)
    shell.wait_until(lambda: any("valkey" in line for line in shell.left()))
    signal_after_a_moment(process.pid)
    process.communicate(timeout=10)
    shell.wait_until(lambda: shell.left() == [], seconds=5)
    shell.wait_until(lambda: shell.left_files() == [], seconds=5)


DETACHING = """\
import subprocess
from celery import Celery
app = Celery('detaching', broker='amqp://nowhere')

@app.task
def start():
    subprocess.Popen(['sleep', '300'], start_new_session=True)
"""


@pytest.mark.parametrize("kill", [False, True])
def test_what_a_task_has_detached(shell, kill):
    shell.write("detaching.py", DETACHING)
    shell.write(
        "s.yaml",
        "question: q\napp: detaching\nworkload: {task: detaching.start}\nrepeats: 1\n"
        f"load: {{shape: constant, rate: 5/s, for: {60 if kill else 1}s}}\n",
    )
    process = shell.start("run", "s.yaml", "--no-report")
    if kill:
        shell.wait_until(lambda: any("sleep 300" in line for line in shell.left()))
        process.kill()
    _, err = process.communicate(timeout=60)
    assert process.returncode == (-signal.SIGKILL if kill else 0), err
    shell.wait_until(lambda: shell.left() == [], seconds=5)


def signal_after_a_moment(pid: int) -> None:
    time.sleep(2)  # boot is over, the load runs
    os.kill(pid, signal.SIGKILL)
