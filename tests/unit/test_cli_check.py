"""``check`` and ``baseline`` with simulated trials: verdicts, exit codes, files, and what is refused."""

import errno
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from bench import analyse, errors, store
from bench.cli import cli
from bench.jsonable import plain
from bench.model import Trial
from bench.run import session
from bench.run.fake import Fake

ASKED = """\
question: Did it become slower?
workload: {task: io.sleep, kwargs: {seconds: 0.02}}
load: {shape: flood, tasks: 60}
repeats: 5
"""
TWO = ASKED + "variants: {old: {}, new: {}}\n"
HOST = {"cpu": "A CPU", "cores": 2, "memory": 8 * 2**30}

Call = Callable[..., Result]


class World:
    """What the trials are like: how slow the host is at one, which cells break, where it is."""

    def __init__(self) -> None:
        self.slow: Callable[[Trial], float] = lambda _: 1.0
        self.broken: Callable[[Trial], bool] = lambda _: False
        self.host: dict[str, Any] = dict(HOST)
        self.trials = 0

    def run(self, target: store.Run, trials: Any, *_: Any, **__: Any) -> bool:
        for trial in trials:
            broken = {trial.id: "worker died"} if self.broken(trial) else {}
            recording = Fake(host=self.slow, noise=0.01, broken=broken)(trial)
            target.append(analyse.result(trial, recording), recording)
            self.trials += 1
        return True

    def describe(self, scenarios: Any, **more: Any) -> dict[str, Any]:
        return {
            "created": "2026-11-20T21:15:00", "scenarios": [plain(s) for s in scenarios], "host": self.host,
            "versions": {"celery": "5.7.0"}, **more,
        }  # fmt: skip


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(session, "run", made.run)
    monkeypatch.setattr(session, "describe", made.describe)
    monkeypatch.setattr(session, "preflight", lambda *_, **__: None)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    return made


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text(ASKED)
    (tmp_path / "two.yaml").write_text(TWO)
    (tmp_path / "gated.yaml").write_text(TWO + 'gates: ["throughput > 1000000/s"]\n')
    return lambda *words: CliRunner().invoke(cli, [*words], catch_exceptions=True)


def slower(share: float) -> Callable[[Trial], float]:
    return lambda trial: 1 + share if trial.cell.settings.get("variant") == "new" else 1.0


def test_equal_sides_are_no_regression(world: World, call: Call) -> None:
    done = call("check", "two.yaml", "--metric", "throughput", "--json")
    assert done.exit_code == errors.EXIT_OK, done.output
    found = json.loads(done.stdout)
    assert (found["verdict"], found["base"], found["candidate"]) == ("no regression", "old", "new")


def test_a_regression_has_its_own_exit_code_and_is_in_every_file(world: World, call: Call) -> None:
    world.slow = slower(0.3)
    done = call("check", "two.yaml", "--junit", "j.xml", "--markdown", "m.md")
    assert done.exit_code == errors.EXIT_GATE_FAILED, done.output
    assert "Regression: " in done.output
    assert "intervals are 99.2 %" in done.output, "each look has a sixth of the error rate"
    assert 'failures="' in Path("j.xml").read_text() and "<failure" in Path("j.xml").read_text()
    assert Path("m.md").read_text().startswith("## ❌ celery-bench: regression")


def test_the_summary_of_a_github_job_is_written_by_itself(
    world: World, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    call("check", "two.yaml", "--metric", "throughput")
    assert "✅ celery-bench: no regression" in Path("summary.md").read_text()


def test_what_is_open_when_the_budget_is_spent_is_undecided(world: World, call: Call) -> None:
    world.slow = slower(0.02)  # at the margin it is never decided
    words = ("check", "two.yaml", "--metric", "throughput", "--budget", "1us")
    assert call(*words).exit_code == errors.EXIT_INCONCLUSIVE
    assert call(*words, "--undecided", "pass").exit_code == errors.EXIT_OK


def test_a_side_that_fails_is_not_measured_and_no_regression(world: World, call: Call) -> None:
    world.broken = lambda trial: trial.cell.settings["variant"] == "new"
    done = call("check", "two.yaml", "--junit", "j.xml")
    assert done.exit_code == errors.EXIT_ENVIRONMENT, done.output
    assert "Could not measure: Every trial of new failed: worker died." in done.output
    assert world.trials == 2 * 5, "nobody waits for the whole budget to hear it"
    assert "<error" in Path("j.xml").read_text()


def test_the_cell_that_could_not_be_measured_is_named_with_its_reason(world: World, call: Call) -> None:
    Path("many.yaml").write_text(TWO + "matrix: {workers.prefetch: [1, 4]}\n")
    world.broken = lambda trial: trial.cell.settings["workers.prefetch"] == 4
    done = call("check", "many.yaml", "--metric", "throughput", "--json")
    assert done.exit_code == errors.EXIT_ENVIRONMENT
    found = json.loads(done.stdout)
    assert found["text"].startswith("prefetch 4: Every trial of the base failed: worker died.")


def test_what_could_not_be_measured_is_in_every_file(
    world: World, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unbuilt(*_: object, **__: object) -> None:
        raise errors.EnvironmentFault("old cannot be resolved:", "because of this line of the log")

    monkeypatch.setattr(session, "preflight", unbuilt)
    done = call("check", "two.yaml", "--junit", "j.xml", "--markdown", "m.md", "--json")
    assert isinstance(done.exception, errors.EnvironmentFault)
    found = json.loads(done.stdout)
    assert (found["verdict"], "because of" in found["text"]) == ("could not measure", True)
    assert "because of" in Path("m.md").read_text()
    (case,) = ElementTree.parse("j.xml").iter("error")
    assert "because of" in case.attrib["message"]


def test_a_mistake_of_the_scenario_leaves_no_empty_file(world: World, call: Call) -> None:
    Path("s.yaml").write_text(ASKED + "sorce: x\n")
    done = call("check", "s.yaml", "--base", ".", "--junit", "j.xml")
    assert isinstance(done.exception, errors.ScenarioError)
    assert not Path("j.xml").exists()


def test_an_interrupted_check_leaves_whole_files(
    world: World, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "run", lambda *_, **__: False)
    done = call("check", "two.yaml", "--junit", "j.xml", "--markdown", "m.md")
    assert done.exit_code == errors.EXIT_INTERRUPTED
    assert "Interrupted" in next(ElementTree.parse("j.xml").iter("error")).attrib["message"]
    assert "Interrupted" in Path("m.md").read_text()


def test_a_gate_of_the_scenario_fails_the_check(world: World, call: Call) -> None:
    done = call("check", "gated.yaml", "--metric", "throughput")
    assert done.exit_code == errors.EXIT_GATE_FAILED
    assert "throughput > 1000000/s fails" in done.output.replace("\n", " ")


def test_gates_are_in_every_file_whatever_comes_of_them(world: World, call: Call) -> None:
    Path("many.yaml").write_text(
        TWO + "matrix: {workers.prefetch: [1, 4]}\n"
        "gates: ['throughput > 1000000/s', 'failed <= 0', 'throughput[new] / throughput[old] > 50%']\n"
    )
    words = ("many.yaml", "--metric", "throughput", "--junit", "j.xml", "--markdown", "m.md", "--json")
    done = call("check", *words)
    assert done.exit_code == errors.EXIT_GATE_FAILED
    gates = [(gate["gate"], gate["outcome"]) for gate in json.loads(done.stdout)["gates"]]
    assert gates == [
        ("throughput > 1000000/s (prefetch 1)", "fail"),
        ("throughput > 1000000/s (prefetch 4)", "fail"),
        ("failed <= 0 (prefetch 1)", "pass"),
        ("failed <= 0 (prefetch 4)", "pass"),
        ("throughput[new] / throughput[old] > 50%", "pass"),
    ]
    xml = ElementTree.parse("j.xml").getroot()
    assert (xml.get("tests"), xml.get("failures")) == ("7", "2"), "two checks, five gates"
    assert Path("m.md").read_text().count("- ✅") == 3


def test_a_metric_that_trials_cannot_give_is_open_and_said_to_be(world: World, call: Call) -> None:
    done = call(
        "check", "two.yaml", "--metric", "p99(response)", "--metric", "throughput", "--junit", "j.xml"
    )
    assert done.exit_code == errors.EXIT_INCONCLUSIVE, done.output
    assert "p99(response) was not computed for the base" in " ".join(done.output.split())
    assert world.trials < 160, "more of the same would not bring it"
    alone = call("check", "two.yaml", "--metric", "p99(response)", "--budget", "1us")
    assert alone.exit_code == errors.EXIT_INCONCLUSIVE


def test_a_head_that_does_nothing_at_all_is_worse(
    world: World, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = analyse.result

    def idle(trial: Trial, recording: Any) -> Any:
        found = real(trial, recording)
        gone = trial.cell.settings["variant"] == "new"
        return replace(found, metrics={**found.metrics, "throughput": 0.0}) if gone else found

    monkeypatch.setattr(analyse, "result", idle)
    done = call("check", "two.yaml", "--metric", "throughput", "--undecided", "pass")
    assert done.exit_code == errors.EXIT_GATE_FAILED, done.output
    assert "0.000 ×" in done.output


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_measured(
    world: World, call: Call
) -> None:
    for option in ("--junit", "--markdown"):
        done = call("check", "two.yaml", option, "nowhere/file")
        assert isinstance(done.exception, errors.EnvironmentFault) and world.trials == 0


def test_what_could_not_begin_is_told_in_every_file(
    world: World, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise errors.EnvironmentFault("celery==99 cannot be installed:", "the log")

    monkeypatch.setattr(session, "preflight", broken)
    done = call("check", "two.yaml", "--junit", "j.xml", "--markdown", "m.md")
    assert isinstance(done.exception, errors.EnvironmentFault)
    assert 'errors="1"' in Path("j.xml").read_text()
    assert "could not measure" in Path("m.md").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("s.yaml",), "nothing to compare"),
        (("s.yaml", "--head", "x"), "--head needs something"),
        (("s.yaml", "--base", "x", "--baseline", "y"), "with what is here"),
        (("s.yaml", "--base", "", "--head", "."), "--base is empty"),
        (("s.yaml", "--base", ".", "--head", "."), "Both sides are ."),
        (("two.yaml", "--force"), "--force is about a baseline"),
        (("two.yaml", "--junit", "f", "--markdown", "./f"), "--junit and --markdown are both f"),
        (("s.yaml", "--baseline", "nowhere"), "There is no baseline 'nowhere'"),
        (("two.yaml", "--metric", "speed"), "not a metric"),
    ],
)
def test_a_wrong_question(world: World, call: Call, words: tuple[str, ...], message: str) -> None:
    done = call("check", *words)
    assert isinstance(done.exception, errors.UsageError), done.output
    assert message in done.exception.message
    assert world.trials == 0


def saved(call: Call) -> None:
    assert call("run", "s.yaml", "--no-report", "--seed", "3").exit_code == errors.EXIT_OK
    done = call("baseline", "save", "latest", "main")
    assert done.exit_code == errors.EXIT_OK, done.output


def test_a_baseline_is_small_and_compared_as_another_session(world: World, call: Call) -> None:
    saved(call)
    assert {p.name for p in Path("results/baselines/main").iterdir()} == {
        "run.json",
        "trials.jsonl",
        "trials",
    }
    assert "main" in call("baseline", "list").output
    assert "throughput" in call("baseline", "show", "main").output
    done = call(
        "check", "s.yaml", "--baseline", "main", "--metric", "throughput", "--margin", "10%", "--json"
    )
    assert done.exit_code == errors.EXIT_OK, done.output
    found = json.loads(done.stdout)
    assert (found["base"], found["paired"], found["doubts"][0]["kind"]) == ("main", False, "other-session")
    world.slow = lambda _: 1.5
    done = call("check", "s.yaml", "--baseline", "results/baselines/main", "--metric", "throughput")
    assert done.exit_code == errors.EXIT_GATE_FAILED, done.output


def test_a_baseline_of_another_machine_is_refused_but_for_force(world: World, call: Call) -> None:
    saved(call)
    world.host["cores"] = 8
    before = world.trials
    done = call("check", "s.yaml", "--baseline", "main")
    assert isinstance(done.exception, errors.EnvironmentFault)
    assert "host.cores 2 → 8" in done.exception.message
    assert world.trials == before, "nothing is measured in vain"
    done = call("check", "s.yaml", "--baseline", "main", "--force", "--metric", "throughput", "--json")
    found = json.loads(done.stdout)
    assert [doubt["kind"] for doubt in found["doubts"]] == ["other-session", "other-machine"]
    assert "Forced: main was measured with something else (host.cores 2 → 8)." in found["text"]


def test_a_baseline_of_another_load_is_refused_and_leaves_nothing(world: World, call: Call) -> None:
    saved(call)
    before = sorted(Path("results").iterdir())
    Path("s.yaml").write_text(ASKED.replace("60", "70"))
    done = call("check", "s.yaml", "--baseline", "main")
    assert (
        isinstance(done.exception, errors.EnvironmentFault) and "load.tasks 60 → 70" in done.exception.message
    )
    Path("s.yaml").write_text(ASKED + "matrix: {workers.prefetch: [1, 4]}\n")
    error = call("check", "s.yaml", "--baseline", "main").exception
    assert isinstance(error, errors.UsageError)
    assert "main and this scenario have no cell in common" in error.message
    assert sorted(Path("results").iterdir()) == before


def test_a_check_against_a_baseline_keeps_its_budget(world: World, call: Call) -> None:
    saved(call)
    world.trials = 0
    call("check", "s.yaml", "--baseline", "main", "--budget", "1us")
    assert world.trials == 1, "the first block"


def test_a_baseline_is_not_overwritten_by_chance(world: World, call: Call) -> None:
    saved(call)
    done = call("baseline", "save", "latest", "main")
    assert isinstance(done.exception, errors.UsageError) and "--replace" in done.exception.hint
    assert call("baseline", "save", "latest", "main", "--replace").exit_code == errors.EXIT_OK


@pytest.mark.parametrize("name", ["..", ".", "../..", "a/b", "", "x" * 300, "a\nb"])
def test_a_baseline_takes_no_place_but_its_own(world: World, call: Call, name: str) -> None:
    """A name that leads out of the folder would replace what is there: all runs, for one."""
    saved(call)
    before = sorted(str(path) for path in Path().rglob("*"))
    done = call("baseline", "save", "latest", name, "--replace")
    assert isinstance(done.exception, errors.UsageError) and "cannot be a name" in done.exception.message
    assert sorted(str(path) for path in Path().rglob("*")) == before


def test_a_baseline_of_half_a_run_is_told(world: World, call: Call) -> None:
    saved(call)
    lines = next(Path("results").glob("2*/trials.jsonl"))
    lines.write_text("".join(lines.read_text().splitlines(keepends=True)[:3]))
    done = call("baseline", "save", "latest", "half")
    assert done.exit_code == errors.EXIT_OK and "3 of 5 trials" in done.stderr


def test_a_check_with_as_few_blocks_as_its_baseline_is_whole(world: World, call: Call) -> None:
    assert call("run", "s.yaml", "--no-report", "--repeats", "3").exit_code == errors.EXIT_OK
    call("baseline", "save", "latest", "main")
    done = call("check", "s.yaml", "--baseline", "main", "--metric", "throughput", "--json")
    assert [doubt["kind"] for doubt in json.loads(done.stdout)["doubts"]] == ["other-session"]


def test_a_folder_of_the_same_name_hides_no_baseline(world: World, call: Call) -> None:
    saved(call)
    Path("main").mkdir()
    assert "throughput" in call("baseline", "show", "main").output


def test_a_baseline_that_cannot_be_replaced_stays(
    world: World, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(call)
    before = call("baseline", "show", "main", "--json").output

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("bench.baselines.shutil.copyfile", full)
        done = call("baseline", "save", "latest", "main", "--replace")
    assert isinstance(done.exception, errors.EnvironmentFault) and "full" in done.exception.message
    assert call("baseline", "show", "main", "--json").output == before
    assert [path.name for path in Path("results/baselines").iterdir()] == ["main"], "nothing half made"


def test_a_quick_run_is_no_baseline(world: World, call: Call) -> None:
    call("run", "s.yaml", "--quick", "--no-report")
    done = call("baseline", "save", "latest", "main")
    assert isinstance(done.exception, errors.UsageError) and "quick" in done.exception.message
