"""``check`` on real workers: a commit of somebody's project against its folder as it is now."""

import json
import subprocess
import xml.etree.ElementTree as ET

import pytest

pytestmark = [pytest.mark.real, pytest.mark.alone]

APP = """\
import time
from celery import Celery

app = Celery('proj')

@app.task
def work():
    time.sleep({seconds})
"""
ASKED = """\
question: Did it become slower?
app: proj
workload: {task: proj.work}
load: {shape: flood, tasks: 60}
metric: throughput
"""


@pytest.fixture
def project(shell):
    """A git repository whose app sleeps 10 ms at ``main`` and 20 ms in the folder."""
    shell.env["XDG_CACHE_HOME"] = str(shell.folder / "cache")
    folder = shell.folder / "project"
    folder.mkdir()
    shell.write("s.yaml", ASKED)
    (folder / "proj.py").write_text(APP.format(seconds=0.01))
    git = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "one"]):
        subprocess.run([*git, *words], check=True)
    (folder / "proj.py").write_text(APP.format(seconds=0.02))
    return shell


def test_a_task_that_takes_twice_as_long_is_a_regression(project):
    done = project.run(
        "check", "s.yaml", "--base", "project@main", "--head", "project", "--metric", "throughput",
        "--json", "--junit", "j.xml", "--markdown", "m.md",
    )  # fmt: skip
    assert done.returncode == 5, done.stderr
    found = json.loads(done.stdout)
    assert found["verdict"] == "regression"
    (check,) = found["checks"]
    assert (check["verdict"], len(check["trials"]["base"])) == ("worse", 5)
    assert 0.4 < check["ratio"] < 0.7
    suite = ET.parse(project.folder / "j.xml").getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("1", "1", "0")
    assert "❌ celery-bench: regression" in (project.folder / "m.md").read_text()


@pytest.mark.parametrize(
    ("base", "code", "words"),
    [
        ("celery==0.0.1", 3, "celery==0.0.1 cannot be resolved"),
        ("project@nowhere", 3, "nowhere is no revision of"),
        ("/bin/sh", 3, "/bin/sh cannot run Celery"),
    ],
)
def test_an_environment_that_cannot_be_had_says_why(project, base, code, words):
    done = project.run("check", "s.yaml", "--base", base)
    project.refused(done, code, words)
