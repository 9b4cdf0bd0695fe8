"""``tune`` with simulated trials: answers, exit codes, the report, going on, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bench import analyse, errors, store
from bench.cli import cli
from bench.jsonable import plain
from bench.run import session
from bench.run.fake import Fake

ASKED = """\
question: Which pool and how many?
workload: {task: io.sleep, kwargs: {seconds: 0.02}}
load: {shape: closed, tasks: 60, clients: 40}
metric: throughput
tune:
  workers.pool:
    prefork: {workers.concurrency: [1, 4]}
    threads: {workers.concurrency: [1, 10, 40]}
"""
Call = Callable[..., Result]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    def run(target: store.Run, trials: Any, *_: Any, **__: Any) -> bool:
        for n, trial in enumerate(trials, start=1):
            recording = Fake(noise=0.01)(trial)
            target.append(analyse.result(trial, recording), recording)
            if n == monkeypatch.most:  # type: ignore[attr-defined]
                return False
        return True

    def describe(scenarios: Any, **more: Any) -> dict[str, Any]:
        return {"created": "2026-11-20T21:15:00", "scenarios": [plain(s) for s in scenarios], **more}

    monkeypatch.most = 0  # type: ignore[attr-defined]
    monkeypatch.setattr(session, "run", run)
    monkeypatch.setattr(session, "describe", describe)
    monkeypatch.setattr(session, "preflight", lambda *_, **__: None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text(ASKED)
    (tmp_path / "flood.yaml").write_text(ASKED.replace("closed, tasks: 60, clients: 40", "flood, tasks: 60"))
    (tmp_path / "plain.yaml").write_text(ASKED.partition("tune:")[0])
    return lambda *words: CliRunner().invoke(cli, [*words], catch_exceptions=True)


def test_the_answer_has_a_command_a_page_and_exit_code_0(call: Call, tmp_path: Path) -> None:
    done = call("tune", "s.yaml", "--maximize", "throughput", "--seed", "1")
    assert done.exit_code == errors.EXIT_OK, done.output
    assert "Take threads -c 40: throughput" in done.stdout
    assert "celery -A yourapp worker -P threads -c 40" in done.stdout
    page = next((tmp_path / "reports").glob("*/index.html")).read_text()
    for text in ("Take threads", "What candidates give and what they cost", "trial by trial", "advised"):
        assert text in page
    again, shown = call("report"), call("show", "--json")
    assert again.exit_code == shown.exit_code == 0
    assert json.loads(shown.stdout)["advised"]["settings"]["workers.concurrency"] == 40


def test_json_is_all_of_standard_output(call: Call) -> None:
    done = call("tune", "s.yaml", "--json", "--subject-to", "memory < 200MiB", "--strategy", "grid",
                "--budget", "60s")  # fmt: skip
    found = json.loads(done.stdout)
    assert (found["state"], found["strategy"], found["goal"]["subject_to"]) == (
        "confirmed", "grid", ["memory < 200MiB"],
    )  # fmt: skip
    assert found["seconds"]["spent"] <= 66


def test_conditions_that_nobody_keeps_have_their_own_exit_code(call: Call) -> None:
    done = call("tune", "s.yaml", "--subject-to", "memory < 1MiB")
    assert done.exit_code == errors.EXIT_GATE_FAILED, done.output
    assert "No candidate surely keeps memory < 1MiB" in done.stdout
    assert "Nearest is" in done.stdout
    assert "beyond the limit" in done.stdout
    shown = json.loads(call("show", "--json").stdout)
    assert not any(row["on_front"] for row in shown["tried"]), "what keeps no condition is no choice"


def test_the_space_may_be_set_on_the_command_line(call: Call) -> None:
    done = call("tune", "s.yaml", "--json", "--set", "tune={workers.concurrency: [2, 3]}", "--seed", "1")
    found = json.loads(done.stdout)
    assert {row["settings"]["workers.concurrency"] for row in found["tried"]} == {2, 3}
    done = call("tune", "s.yaml", "--json", "--set", "tune.workers.pool=[solo, threads]", "--seed", "1")
    found = json.loads(done.stdout)
    assert {row["settings"]["workers.pool"] for row in found["tried"]} == {"solo", "threads"}


def test_few_of_many_that_were_tried_are_not_all(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.most = 2  # type: ignore[attr-defined]
    done = call("tune", "s.yaml", "--subject-to", "memory < 1MiB")
    assert "None of the 2 candidates that were tried, of 5, surely keeps memory < 1MiB" in done.stdout


def test_a_confirmation_that_was_stopped_says_so_and_counts_its_trials(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = json.loads(call("tune", "s.yaml", "--json", "--seed", "1").stdout)
    searched = sum(row["trials"] for row in whole["tried"])
    monkeypatch.most = searched + 5  # type: ignore[attr-defined]
    done = call("tune", "s.yaml", "--json", "--seed", "1")
    assert done.exit_code == errors.EXIT_INTERRUPTED, done.output
    found = json.loads(done.stdout)
    assert found["fresh_blocks"] == 1 < whole["fresh_blocks"]
    trials = found["advised"]["metrics"]["throughput"]["trials"]
    assert f"in {trials} fresh trial" in found["headline"]
    assert "The confirmation was stopped before its 3 blocks" in call("show").stdout


def test_what_the_search_decides_by_stands_beside_what_it_saw(call: Call) -> None:
    done = call("tune", "s.yaml", "--json", "--seed", "1")
    rows = json.loads(done.stdout)["tried"]
    expected = [row["expected"] for row in rows]
    assert expected == sorted(expected, reverse=True)
    assert all(row["expected"] == pytest.approx(row["value"], rel=0.2) for row in rows)


def test_what_was_stopped_is_kept_told_and_gone_on_with(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.most = 4  # type: ignore[attr-defined]
    done = call("tune", "s.yaml")
    assert done.exit_code == errors.EXIT_INTERRUPTED, done.output
    assert "not confirmed" in done.stdout
    assert "go on with: celery-bench tune --resume" in done.stderr
    monkeypatch.most = 0  # type: ignore[attr-defined]
    done = call("tune", "--resume", "latest")
    assert done.exit_code == errors.EXIT_OK, done.output
    assert "fresh" in done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["s.yaml", "--budget", "2s"], "2 s is too short"),
        (["s.yaml", "--maximize", "makespan"], "makespan is better low"),
        (["s.yaml", "--minimize", "cost"], "cost needs a price"),
        (["s.yaml", "--subject-to", "p99(respond) < 1s"], "there is no metric"),
        (["flood.yaml", "--subject-to", "p99(response) < 1s"], "place in the queue"),
        (["plain.yaml"], "nothing to tune"),
        (["s.yaml", "--only", "workers.pool=solo"], "no cell has"),
        (["--resume", "latest"], "there are no runs"),
        ([], "No scenario was given"),
        (["s.yaml", "--resume", "latest"], "SCENARIO would change it"),
        (["--resume", "latest", "--budget", "30m"], "--budget would change it"),
        (["--resume", "latest", "--strategy", "grid"], "--strategy would change it"),
        (["flood.yaml", "--maximize", "capacity"], "gives no capacity"),
        (["flood.yaml", "--minimize", "p95(roundtrip)"], "gives no p95(roundtrip)"),
        (["s.yaml", "--subject-to", "p99(service) < 1s"], "takes 1000 tasks a trial, and this load has 60"),
        (["s.yaml", "--set", "tune={load.tasks: [1000, 2000]}"], "load.tasks is part of what is asked for"),
        (["s.yaml", "--set", "tune={workers.concurrency: [2]}"], "has one candidate only"),
    ],
)
def test_what_makes_no_sense_is_said_in_a_sentence(call: Call, words: list[str], message: str) -> None:
    error = call("tune", *words).exception
    assert isinstance(error, errors.UsageError)
    assert message in str(error)
    assert error.hint


def test_a_run_that_is_no_search_is_not_resumed_as_one(call: Call) -> None:
    assert call("run", "plain.yaml", "--repeats", "1", "--no-report").exit_code == 0
    error = call("tune", "--resume", "latest").exception
    assert isinstance(error, errors.UsageError)
    assert "is no search" in str(error)


def test_a_search_is_not_resumed_as_a_run_and_validate_counts_its_candidates(call: Call) -> None:
    assert call("tune", "s.yaml").exit_code == errors.EXIT_OK
    error = call("run", "--resume", "latest").exception
    assert isinstance(error, errors.UsageError)
    assert "is a search" in str(error)
    assert "tune: 5 candidates" in call("validate", "s.yaml").stdout
    wrong = "workload: {task: noop}\nload: {shape: flood}\ntune: {workers.nodes: {from: 9, to: 3}}\n"
    Path("wrong.yaml").write_text(wrong)
    error = call("validate", "wrong.yaml").exception
    assert isinstance(error, errors.ScenarioError)
    assert len(error.mistakes) == 3, "the question, the tasks, and the range"
    assert "tune" not in call("validate", "plain.yaml").stdout
