"""``celery-bench history`` over stored runs of simulated trials: what belongs together, what changed and with
what.
"""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bench import analyse, errors, plan, scenario, store
from bench.cli import cli
from bench.model import plain
from bench.run.fake import Fake

ASKED = """\
question: Which pool?
workers: {concurrency: 4}
workload: {task: io.sleep, kwargs: {seconds: 0.02}}
load: {shape: flood, tasks: 60}
matrix: {workers.pool: [threads, gevent]}
repeats: 2
"""
HOST = {"cpu": "A CPU", "cores": 2, "memory": 8 * 2**30, "kernel": "6.1", "python": "3.11.7"}

Call = Callable[..., Result]


def keep(root: Path, number: int, slow: float = 1.0, asked: str = ASKED, **more: Any) -> None:
    """One night's run; only gevent is ``slow``."""
    path = root.parent / "nightly.yaml"
    path.write_text(asked)
    found = scenario.load(path)
    at = datetime(2026, 9, 1, 3) + timedelta(days=number)
    meta = {
        "created": at.isoformat(), "seed": number, "scenarios": [plain(found)], "host": HOST,
        "versions": {"celery": "5.6.3"}, "revision": "aaa", **more,
    }  # fmt: skip
    run = store.create(root, f"night-{number:02d}", meta)
    for trial in plan.trials([found], seed=number):
        pool = trial.cell.settings["workers.pool"]
        recording = Fake(host=lambda _, pool=pool: slow if pool == "gevent" else 1.0, noise=0.01)(trial)
        run.append(analyse.result(trial, recording), recording)


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 runs; from the 9th on gevent is 10 % slower and Celery another."""
    root = tmp_path_factory.mktemp("nights") / "results"
    for number in range(16):
        new = number >= 8
        keep(root, number, 1.1 if new else 1.0, versions={"celery": "5.7.0" if new else "5.6.3"})
    return root


def call(results: Path, *words: str) -> Result:
    places = ["--results", str(results), "--reports", str(results.parent / "reports")]
    return CliRunner().invoke(cli, [*places, "history", *words])


def data(done: Result) -> Any:
    assert done.exit_code == errors.EXIT_OK, done.output
    return json.loads(done.stdout)


def test_a_change_of_level_with_what_is_new_since_then(nights: Path) -> None:
    gevent, threads = data(call(nights, "throughput", "--format", "json"))["series"]
    (change,) = gevent["changes"]
    assert (gevent["settings"]["workers.pool"], change["since"], change["verdict"]) == (
        "gevent", "night-08", "worse",
    )  # fmt: skip
    assert change["lower"] < 1 / 1.1 < change["upper"]
    assert change["differences"] == [{"name": "celery", "before": "5.6.3", "after": "5.7.0"}]
    assert threads["changes"] == [] and len(threads["points"]) == 16


def test_as_text(nights: Path) -> None:
    text = " ".join(call(nights, "throughput").output.split())
    assert "✗ worse 0.9" in text and "since night-08: celery 5.6.3 → 5.7.0" in text
    assert text.index("gevent") < text.index("threads"), "what changed comes first"
    assert "8 runs since 2026-09-09" in text and "16 runs since 2026-09-01" in text


def test_less_is_better_of_a_time(nights: Path) -> None:
    (change,) = data(call(nights, "makespan", "--format", "json"))["series"][0]["changes"]
    assert change["verdict"] == "worse" and change["ratio"] > 1


def test_as_markdown_and_as_a_page_with_its_picture(nights: Path) -> None:
    text = call(nights, "throughput", "--format", "markdown").output
    assert "| gevent | 16 |" in text and "✗ worse" in text
    page = Path(call(nights, "throughput", "--format", "html").output.strip())
    assert page.parent.name == "history-throughput"
    assert page.read_text(encoding="utf-8").count("<svg") == 1
    files = {"index.html", "history.md", "history.json", "history.svg", "history.png"}
    assert {path.name for path in page.parent.iterdir()} == files


def test_other_setups_and_machines_are_other_series_and_quick_runs_none(tmp_path: Path) -> None:
    root = tmp_path / "results"
    for number in range(2):
        keep(root, number)
        keep(root, 10 + number, asked=ASKED.replace("60", "61"))
        keep(root, 20 + number, host={**HOST, "cpu": "Another CPU"})
    keep(root, 30, quick=True)
    keep(root, 31, asked=ASKED.replace("60", "62"))
    found = data(call(root, "throughput", "--format", "json"))
    assert sorted(len(each["points"]) for each in found["series"]) == [2] * 6
    assert {each["searched"] for each in found["series"]} == {False}
    assert (found["runs"], found["quick_runs_left_out"], found["cells_in_one_run_only"]) == (7, 1, 2)
    text = " ".join(call(root, "throughput").output.split())
    assert (
        "setup 1 of 3" in text and "Changes are looked for from 8 runs of a cell on; all had fewer." in text
    )


def test_runs_of_another_format_are_counted_and_passed_over(nights: Path, tmp_path: Path) -> None:
    root = tmp_path / "results"
    for number in range(3):
        keep(root, number)
    file = root / "night-01" / "run.json"
    file.write_text(file.read_text().replace('"format": 2', '"format": 1'))
    done = call(root, "throughput", "--format", "json")
    assert len(data(done)["series"][0]["points"]) == 2
    assert "1 run of another format or damaged: passed over." in done.stderr


def test_a_half_written_run_counts_with_the_trials_it_has(tmp_path: Path) -> None:
    root = tmp_path / "results"
    for number in range(2):
        keep(root, number)
    file = root / "night-01" / "trials.jsonl"
    file.write_bytes(file.read_bytes()[:-40])
    points = [each["points"] for each in data(call(root, "throughput", "--format", "json"))["series"]]
    assert sorted(point["trials"] for (_, point) in points) == [1, 2]


def test_what_cannot_be_followed_is_said(nights: Path, tmp_path: Path) -> None:
    for words, told in (
        (["througput"], "Did you mean 'throughput'"),
        (["throughput", "--scenario", "nighly"], "Did you mean 'nightly'"),
        (["capacity"], "No whole run has capacity."),
    ):
        done = call(nights, *words)
        assert isinstance(done.exception, errors.UsageError)
        assert told in f"{done.exception.message} {done.exception.hint}"
    assert isinstance(call(tmp_path / "nothing", "throughput").exception, errors.UsageError)
