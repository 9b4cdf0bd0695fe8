"""``celery-bench beliefs``: what is run, what is not run again, and what is said."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from bench import analyse, errors, scenario, store
from bench.cli import cli
from bench.run import session
from bench.run.fake import Fake

ASKED = """\
question: Is {name} faster?
belief: {name} is faster
workload: {{task: io.sleep, kwargs: {{seconds: 0.02}}}}
load: {{shape: flood, tasks: 40}}
matrix: {{workers.pool: [prefork, gevent]}}
repeats: 2
expect: throughput[gevent] / throughput[prefork] > 3
"""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Two shipped scenarios with a belief and one without; ``stop`` trials are simulated."""
    for name in ("green", "blue"):
        (tmp_path / f"{name}.yaml").write_text(ASKED.format(name=name))
    (tmp_path / "plain.yaml").write_text(
        "question: Q?\nworkload: {task: noop}\nload: {shape: flood, tasks: 9}\n"
    )
    state = {"stop": 1000, "ran": []}

    def run(target, trials, progress, **_):
        for trial in trials:
            if len(state["ran"]) >= state["stop"]:
                return False
            recording = Fake()(trial)
            target.append(analyse.result(trial, recording), recording)
            state["ran"].append(trial.id)
        return True

    def describe(scenarios, **more):
        from bench.jsonable import plain

        return {"created": "2026-11-20T21:15:00", "scenarios": [plain(s) for s in scenarios], **more}

    monkeypatch.setattr(scenario, "shipped", lambda: sorted(tmp_path.glob("*.yaml")))
    monkeypatch.setattr(session, "run", run)
    monkeypatch.setattr(session, "describe", describe)
    monkeypatch.setattr(session, "preflight", lambda _: None)

    def call(*args: str):
        places = ["--results", str(tmp_path / "results"), "--reports", str(tmp_path / "reports")]
        return CliRunner().invoke(cli, [*places, "beliefs", *args])

    return state, call, tmp_path


def test_what_states_a_belief_is_run_once(world):
    state, call, root = world
    first = call("--run")
    assert first.exit_code == 0, first.output
    assert len(state["ran"]) == 2 * 4
    assert "[1 of 2, about" in first.output and "green: green is faster" in first.output
    assert (root / "reports/beliefs/index.html").is_file()
    again = call("--run")
    assert (again.exit_code, len(state["ran"])) == (0, 8)
    assert "was run before" in again.output


def test_started_again_it_goes_on_where_it_stopped(world):
    state, call, root = world
    state["stop"] = 6
    stopped = call("--run")
    assert stopped.exit_code == errors.EXIT_INTERRUPTED
    assert "same command goes on" in stopped.output
    state["stop"] = 1000
    assert call("--run").exit_code == 0
    assert len(state["ran"]) == len(set(state["ran"])) == 8
    assert len(store.list_runs(root / "results")) == 2


def test_a_scenario_that_was_changed_is_run_anew(world):
    state, call, root = world
    call("--run")
    (root / "blue.yaml").write_text(ASKED.format(name="blue").replace("tasks: 40", "tasks: 50"))
    assert call("--run").exit_code == 0
    assert len(state["ran"]) == 12
    assert len(store.list_runs(root / "results")) == 3


def test_what_this_machine_cannot_run_is_left_out(world, monkeypatch):
    state, call, _ = world

    def preflight(scenarios):
        if scenarios[0].name == "blue":
            raise errors.EnvironmentFault("no RabbitMQ here", "Install one.")

    monkeypatch.setattr(session, "preflight", preflight)
    done = call("--run")
    assert done.exit_code == 0
    assert "blue is left out: no RabbitMQ here" in done.output
    assert len(state["ran"]) == 4


def test_the_page_of_runs_that_are_there(world):
    _, call, root = world
    assert isinstance(call().exception, errors.UsageError)
    call("--run")
    one = store.list_runs(root / "results")[0].name
    done = call(one)
    assert done.exit_code == 0 and done.output.count("is faster") == 1
    assert isinstance(call("--run", one).exception, errors.UsageError)
