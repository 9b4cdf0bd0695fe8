"""Environments built for real: another Celery, another interpreter, an app from a commit."""

import subprocess
import sys

import pytest

from bench.errors import EnvironmentFault
from bench.model import Messages, TaskCall, Variant
from bench.run import environments

pytestmark = pytest.mark.real

OTHER = Variant(requirements=("celery==5.6.3",))


@pytest.fixture
def index():
    """Skips where no package index can be reached."""
    try:
        environments._uv(["pip", "compile", "--quiet", "-"], "celery cannot be resolved", "celery==5.6.3")
    except EnvironmentFault as error:
        pytest.skip(f"no package index: {error.hint}")


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(environments, "_found", {})


@pytest.mark.usefixtures("index")
def test_workers_and_loader_run_in_the_environment_that_was_built(bench):
    for pool in ("prefork", "gevent"):
        result, _ = bench.measure(
            TaskCall(task="io.sleep", kwargs={"seconds": 0.001}), variant=OTHER, pool=pool, flood=40
        )
        assert result.ok, result.reason + result.log_tail
        assert result.counts["completed"] == 40
        assert {node["celery"] for node in result.effective} == {"5.6.3"}


@pytest.mark.usefixtures("index")
def test_messages_need_nothing_more_there_than_here(bench):
    result, _ = bench.measure("noop", variant=OTHER, flood=20, messages=Messages(serializer="msgpack"))
    assert (result.ok, result.counts["completed"]) == (True, 20), result.reason + result.log_tail


@pytest.mark.usefixtures("index")
def test_an_environment_is_built_once_and_told_of(monkeypatch):
    told: list[str] = []
    first = environments.of(OTHER, told.append)
    assert told == ["building an environment with celery==5.6.3"]
    monkeypatch.setattr(environments, "_found", {})
    assert environments.of(OTHER, told.append) == first
    assert len(told) == 1
    assert first.versions["celery"] == "5.6.3"


def test_the_interpreter_of_an_environment_that_is_there(bench):
    result, _ = bench.measure("noop", variant=Variant(python=sys.executable), flood=40)
    assert result.ok, result.reason + result.log_tail
    assert result.counts["completed"] == 40


def test_an_app_from_a_commit_and_from_the_folder_as_it_is(bench, tmp_path):
    text = "from celery import Celery\napp = Celery('proj')\n\n@app.task\ndef {}(): pass\n"
    folder = tmp_path / "repository" / "below"
    folder.mkdir(parents=True)
    (folder / "proj.py").write_text(text.format("before"))
    git = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "one"]):
        subprocess.run([*git, *words], check=True)
    (folder / "proj.py").write_text(text.format("after"))
    for revision, task in (("main", "before"), ("", "after")):
        variant = Variant(source=str(folder), revision=revision)
        result, _ = bench.measure(TaskCall(task=f"proj.{task}"), app="proj", variant=variant, flood=20)
        assert (result.ok, result.counts["completed"]) == (True, 20), result.reason + result.log_tail


def test_what_cannot_be_built_says_why():
    with pytest.raises(EnvironmentFault, match=r"celery==0\.0\.1 cannot be resolved"):
        environments.of(Variant(requirements=("celery==0.0.1",)))
    with pytest.raises(EnvironmentFault, match="no folder"):
        environments.of(Variant(source="/nowhere"))
    with pytest.raises(EnvironmentFault, match=r"/bin/true is no Python"):
        environments.of(Variant(python="/bin/true"))


def test_a_commit_that_a_shallow_clone_lacks(tmp_path):
    """As a CI service checks out by default."""
    origin, clone = tmp_path / "origin", tmp_path / "clone"
    origin.mkdir()
    git = ["git", "-C", str(origin), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run([*git, "init", "-q", "-b", "main"], check=True)
    for text in ("one", "two"):
        subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", text], check=True)
    said = subprocess.run([*git, "rev-parse", "main~1"], check=True, capture_output=True, text=True)
    subprocess.run(["git", "clone", "-q", "--depth", "1", f"file://{origin}", str(clone)], check=True)
    with pytest.raises(EnvironmentFault, match=r"shallow clone.*fetch-depth: 0"):
        environments.of(Variant(source=str(clone), revision=said.stdout.strip()))
