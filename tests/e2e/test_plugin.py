"""``celery -A proj bench …`` is celery-bench, and Celery is Celery without it."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.real
CELERY = str(Path(sys.executable).with_name("celery"))
APP = """\
from celery import Celery

app = Celery('proj', broker='amqp://guest@localhost:1//')


@app.task
def add(x, y):
    return x + y
"""
SCENARIO = """\
question: Does it run?
workers: {pool: threads, concurrency: 2}
workload: {task: bench.add, args: [1, 2]}
load: {shape: flood, tasks: 40}
repeats: 1
"""


@pytest.fixture
def project(shell):
    """A project whose package has our name."""
    (shell.folder / "bench").mkdir()
    shell.write("bench/__init__.py", APP)
    shell.write("s.yaml", SCENARIO)
    return shell


def celery(shell, *words):
    return subprocess.run(
        [CELERY, *words], cwd=shell.folder, env=shell.env, capture_output=True, text=True, check=False,
        timeout=110, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_the_app_of_celery_is_that_of_scenarios_that_name_none(project):
    done = celery(project, "-A", "bench", "bench", "run", "s.yaml", "--no-report")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 of 1 trial done" in done.stderr
    assert celery(project, "bench", "show", "latest").returncode == 0, "every verb, with or without an app"
    assert project.run("-A", "bench", "validate", "s.yaml").returncode == 0, "the same in the same place"
    project.write("named.yaml", "app: nosuch\n" + SCENARIO)
    project.refused(celery(project, "-A", "bench", "bench", "validate", "named.yaml"), 2, "nosuch")
    assert project.left() == []


def test_exit_codes_and_mistakes_are_those_of_celery_bench(project):
    project.refused(celery(project, "bench", "run", "s.yaml"), 2, "there is no task 'bench.add'")
    shipped = celery(project, "-A", "bench", "bench", "run", "quickstart")
    project.refused(shipped, 2, "shipped tasks, which are measured without the app bench")
    project.refused(celery(project, "bench", "show", "nosuch"), 2, "no run")
    assert "celery-bench" in celery(project, "bench", "--help").stdout
    assert "bench" in celery(project, "--help").stdout


def test_celery_works_on_when_the_plug_in_is_broken(project):
    broken = project.folder / "broken"
    broken.mkdir()
    (broken / "celery_bench.py").write_text("raise RuntimeError('broken')\n")
    project.env["PYTHONPATH"] = str(broken)
    done = celery(project, "-A", "bench", "report")
    assert done.returncode == 0, done.stderr
    assert "amqp://guest" in done.stdout
