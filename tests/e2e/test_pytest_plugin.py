"""The fixture ``celery_bench`` in somebody's own test suite, on real workers."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.real
APP = """\
from celery import Celery

app = Celery("shop", broker="amqp://guest@localhost:1//")


@app.task
def order(number):
    return number + 1
"""
TESTS = """\
import pytest

from shop import app

SCENARIO = {
    "question": "Does it keep up?",
    "app": "shop:app",
    "workers": {"concurrency": 2},
    "workload": {"task": "shop.order", "args": [1]},
    "load": {"shape": "flood", "tasks": 200},
    "matrix": {"workers.pool": ["threads", "gevent"]},
    "repeats": 2,
    "gates": ["failed <= 0"],
}


@pytest.fixture(scope="module")
def measured(celery_bench):
    return celery_bench(SCENARIO)


def test_it_keeps_up(measured):
    threads = measured.cell(pool="threads")
    assert 0 < threads["throughput"].lower < threads["throughput"].point < threads["throughput"].upper
    assert measured.gates == "pass" and threads.trials == 2
    assert (measured.run / "trials.jsonl").is_file()


def test_it_flies(measured):
    assert measured.cell(pool="gevent")["throughput"].lower > 10**9


def test_which_cell(measured):
    measured["throughput"]


def test_one_trial_has_no_interval(celery_bench):
    s = celery_bench(SCENARIO, only="workers.pool=gevent", repeats=1)
    assert s["throughput"].point > 0
    s["throughput"].lower


def test_a_mistake(celery_bench):
    celery_bench({**SCENARIO, "workload": {"task": "shop.oder", "args": [1]}})
"""


@pytest.fixture
def project(shell):
    """A project in src layout, with a folder that is called like our package."""
    for name in ("src", "tests", "bench"):
        (shell.folder / name).mkdir()
    shell.write("src/shop.py", APP)
    shell.write("tests/test_speed.py", TESTS)
    shell.write("pytest.ini", "[pytest]\npythonpath = src .\n")
    shell.write("bench/notes.txt", "not a package of ours")
    return shell


def test_a_scenario_is_measured_and_asserted_on(project):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--celery-bench-results=kept"],
        cwd=project.folder, env=project.env, capture_output=True, text=True, check=False, timeout=110,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    text = done.stdout
    assert "1 passed" in text and "4 failed" in text, text + done.stderr
    assert "where 1" in text or "<throughput" in text, "the numbers stand in what pytest explains"
    assert "There are 2 cells: name one with s.cell(...). Known: pool='threads'; pool='gevent'" in text
    assert "One trial of throughput has no interval: ask for repeats=2 or more." in text
    assert "exit code 2" in text and "Did you mean 'shop.order'" in text
    assert len(list((project.folder / "kept").glob("*/run.json"))) == 2
