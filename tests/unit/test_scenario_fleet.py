"""Fleets, routes, Celery's own settings, arguments from elsewhere: what a file may say, what is refused."""

import inspect
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import model, scenario, settings
from bench.errors import ScenarioError
from bench.scenario.outside import AppError, Outside

BASE = "question: q?\nload: {shape: flood, tasks: 10}\n"
MIX = (
    BASE + "workload:\n  - {task: cpu.spin, kwargs: {ms: 1}}\n  - {task: io.sleep, kwargs: {seconds: 0.01}}\n"
)
SETTINGS = {"task_track_started": "bool", "worker_enable_remote_control": "bool"}

Load = Callable[[str], model.Scenario]


def add(x: int, y: int) -> int:
    return x + y


def tasks(app: str) -> dict[str, inspect.Signature]:
    if app == "broken":
        raise AppError("the app broken cannot be imported", "Traceback: no such thing")
    return {"myapp.add": inspect.signature(add)}


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def read(text: str) -> model.Scenario:
        path = tmp_path / "s.yaml"
        path.write_text(text)
        return scenario.load(path, outside=Outside(settings=lambda: SETTINGS, tasks=tasks))

    return read


def refused(load: Load, text: str) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        load(text)
    return [mistake.partition(".yaml:")[2] for mistake in caught.value.mistakes]


def test_one_shared_fleet_against_two_is_one_line_of_the_matrix(load: Load) -> None:
    asked = load(
        MIX + "routes: {'cpu.*': cpu, io.sleep: io}\nmatrix:\n  workers:\n"
        "    shared: {pool: prefork, concurrency: 4}\n"
        "    split:\n"
        "      - {name: cpu, pool: prefork, concurrency: 2, queues: [cpu]}\n"
        "      - {name: io, pool: gevent, concurrency: 100, nodes: 2, queues: [io]}\n"
    )
    shared, split = (cell.setup for cell in asked.cells)
    assert [cell.settings for cell in asked.cells] == [{"workers": "shared"}, {"workers": "split"}]
    assert (shared.slots, split.slots) == (4, 202)
    assert [group.name for group in split.groups] == ["cpu", "io", "io"]
    assert split.queues == ("cpu", "io")
    assert shared.queues == ("cpu", "io")
    assert (split.route("cpu.spin"), split.route("io.sleep"), split.route("noop")) == ("cpu", "io", "celery")


def test_a_group_is_addressed_by_its_number(load: Load) -> None:
    asked = load(
        MIX + "workers: [{pool: prefork}, {pool: threads}]\nmatrix: {workers.1.concurrency: [3, 5]}\n"
    )
    assert [cell.setup.fleet[1].concurrency for cell in asked.cells] == [3, 5]
    told = refused(load, MIX + "workers: [{}, {}]\nmatrix: {workers.concurrency: [3, 5]}\n")[0]
    assert told.startswith(
        "7: matrix.workers.concurrency.0: workers is a list of 2. Say which one: workers.0."
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "routes: {cpu.spin: cpu}\nworkers: {queues: [celery]}",
            "goes to the queue 'cpu', from which no worker",
        ),
        ("workers: [{}, {queues: [mail]}]", "no task goes to mail: this group would be idle"),
        (
            "settings: {task_track_startd: true}",
            "Celery has no such setting. Did you mean 'task_track_started'?",
        ),
        ("settings: {worker_prefetch_multiplier: 1}", "has a key of its own here: 'workers.prefetch'"),
        ("settings: {task_always_eager: true}", "is what the measuring rests on"),
        ("messages: {results: somewhere}", "is no place for results"),
        ("delivery: {reject_on_worker_lost: true}", "Add `acks: late`"),
        ("workers: {pool: threads, time_limit: 5s}", "cannot end a task: only prefork and gevent can"),
        ("broker: {kind: rabbitmq}\nworkers: {disable_prefetch: true}", "Celery ignores this there"),
        ("workers: {env: {A: 1}}", "must be text, not 1"),
        ("workers: {concurrency: many}", "must be a whole number or auto, not 'many'"),
        ("workers: {max_memory_per_child: 200}", "200 has no unit. Write a size such as 200KiB"),
    ],
)
def test_what_cannot_be_is_told_with_its_line(load: Load, text: str, told: str) -> None:
    mistakes = refused(load, MIX + text + "\n")
    assert told in "\n".join(mistakes)
    assert all(line.split(":")[0].isdecimal() for line in mistakes)


def test_settings_in_celerys_words(load: Load) -> None:
    (cell,) = load(
        MIX + "workers: {pool: prefork, concurrency: 8, autoscale: 2, max_tasks_per_child: 5, "
        "max_memory_per_child: 200MiB, time_limit: 2s, soft_time_limit: 1500ms, events: true, mingle: true, "
        "heartbeat: false, prefetch: 0}\n"
        "delivery: {acks: late, eta_task_limit: 9}\nmessages: {serializer: pickle, compression: gzip}\n"
        "settings: {task_track_started: true}\n"
    ).cells
    words = " ".join(settings.options(cell.setup.fleet[0]))
    assert words == (
        "-P prefork --autoscale 8,2 --max-tasks-per-child 5 --max-memory-per-child 204800 "
        "--soft-time-limit 1.5 --time-limit 2 -E --without-gossip --without-heartbeat"
    )
    assert settings.configuration(cell.setup, cell.setup.fleet[0]) == {
        "worker_prefetch_multiplier": 0,
        "task_acks_late": True,
        "worker_eta_task_limit": 9,
        "task_serializer": "pickle",
        "result_serializer": "pickle",
        "accept_content": ["pickle", "json"],
        "task_compression": "gzip",
        "result_compression": "gzip",
        "task_track_started": True,
    }


def test_a_users_app_is_asked_for_its_tasks(load: Load) -> None:
    call = "workload: {task: myapp.add, args: [1, 2]}\n"
    assert load(BASE + "app: myapp\n" + call).cells[0].setup.app == "myapp"
    assert "Did you mean 'myapp.add'?" in refused(load, BASE + "app: myapp\nworkload: {task: myapp.ad}\n")[0]
    assert (
        "missing a required argument: 'x'"
        in refused(load, BASE + "app: myapp\nworkload: {task: myapp.add}\n")[0]
    )
    with pytest.raises(ScenarioError) as caught:
        load(BASE + "app: broken\n" + call)
    assert caught.value.mistakes[0].endswith("s.yaml:3: app: the app broken cannot be imported")
    assert caught.value.hint == "Traceback: no such thing"


def test_arguments_from_a_list_a_file_and_a_callable(load: Load, tmp_path: Path) -> None:
    start = BASE + "app: myapp\nworkload: {task: myapp.add, arguments: "
    (tmp_path / "sums.csv").write_text("x,y\n1,2\n")
    (tmp_path / "wrong.csv").write_text("x,z\n1,2\n")
    (tmp_path / "empty.csv").write_text("x,y\n")
    assert load(start + "[[1, 2], {x: 3, y: 4}]}\n").cells[0].setup.workload[0].arguments == (
        [1, 2],
        {"x": 3, "y": 4},
    )
    assert load(start + "sums.csv}\n").cells[0].setup.workload[0].arguments == str(tmp_path / "sums.csv")
    assert load(start + "myapp:make}\n").cells[0].setup.workload[0].arguments == "myapp:make"
    for source, told in (
        ("wrong.csv", "has no argument 'z'"),
        ("empty.csv", "holds no row"),
        ("none.csv", "cannot be read: No such file"),
        ("make", "neither a CSV file nor `module:callable`"),
        ("[[1]]", "missing a required argument: 'y'"),
        ("5", "must be a CSV file, `module:callable`, or a list"),
    ):
        assert told in refused(load, start + source + "}\n")[0]


def test_the_place_of_a_file_changes_no_cell(load: Load, tmp_path: Path) -> None:
    text = BASE + "workload: {task: io.sleep, kwargs: {seconds: {file: d.csv}}}\n"
    (tmp_path / "d.csv").write_text("0.01\n0.02\n")
    cell = load(text).cells[0]
    assert cell.setup.workload[0].kwargs == {"seconds": {"file": str(tmp_path / "d.csv")}}
    other = tmp_path / "other"
    other.mkdir()
    (other / "d.csv").write_text("0.01\n")
    (other / "s.yaml").write_text(text)
    assert scenario.load(other / "s.yaml").cells[0].id == cell.id
