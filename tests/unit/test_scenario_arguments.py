"""Arguments from a list, a file or a callable: held against the task, and told where they stand."""

import inspect
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import model, scenario
from bench.errors import ScenarioError
from bench.scenario.outside import Outside

Load = Callable[[str], model.Scenario]


def send(to: str, template: str, size: int = 0, payload: object = None) -> None:
    """A task of somebody's app."""


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def read(workload: str) -> model.Scenario:
        path = tmp_path / "s.yaml"
        path.write_text(f"question: q?\napp: proj\nload: {{shape: flood, tasks: 9}}\nworkload:\n{workload}\n")
        tasks = {f"proj.{name}": inspect.signature(send) for name in ("send", "post", "call")}
        outside = Outside(tasks=lambda _: tasks, arguments=lambda *_: (("a",), {"template": "b"}))
        return scenario.load(path, outside=outside)

    return read


def refused(load: Load, workload: str) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        load(workload)
    return [mistake.partition("s.yaml:")[2] for mistake in caught.value.mistakes]


def test_a_mistake_in_a_row_is_told_where_the_row_stands(load: Load) -> None:
    rows = "      - [a, b]\n      - [a]\n      - {to: a, templat: b}\n      - {to: a, template: b, siz: 1}\n"
    first, second, third = refused(load, f"  - task: proj.send\n    arguments:\n{rows}")
    assert first.startswith("8: workload.0.arguments.1: ")
    assert "missing a required argument: 'template'" in first
    assert second.startswith("9: workload.0.arguments.2.templat: ")
    assert "Did you mean 'template'?" in second
    assert third.startswith("10: workload.0.arguments.3.siz: ")


def test_a_mistake_beside_the_rows_is_told_once_where_it_stands(load: Load) -> None:
    (told,) = refused(load, "  task: proj.send\n  kwargs: {siz: 1}\n  arguments: [[a, b], [c, d]]\n")
    assert told.startswith("6: workload.kwargs.siz: ")


@pytest.mark.parametrize(
    ("workload", "where", "what"),
    [
        ("{arguments: [{to: a, template: b}], kwargs: {template: c}}", "kwargs.template", "give 'template'"),
        ("{arguments: rows.csv, kwargs: {template: c, size: 3}}", "kwargs.template", "give 'template'"),
        ("{arguments: [{to: a, template: b, payload: c}], payload: 1KiB}", "payload", "give 'payload'"),
        ("{kwargs: {to: a, template: b, payload: c}, payload: 1KiB}", "payload", "give 'payload'"),
        ("{arguments: [[a, b]], args: [c]}", "args", "Write it into each row"),
        ("{arguments: 'proj:make', args: [c]}", "args", "gives all arguments"),
        ("{arguments: 'proj:make', kwargs: {size: 3}}", "kwargs", "gives all arguments"),
    ],
)
def test_what_the_rows_give_is_not_given_beside_them(
    load: Load, tmp_path: Path, workload: str, where: str, what: str
) -> None:
    (tmp_path / "rows.csv").write_text("to,template\na,b\n")
    (told,) = refused(load, "  " + workload.replace("{", "{task: proj.send, ", 1))
    assert told.startswith(f"5: workload.{where}: ")
    assert what in told


def test_what_is_the_same_in_all_rows_may_stand_beside_them(load: Load) -> None:
    assert load("  {task: proj.send, arguments: [{to: a}, {to: b}], kwargs: {template: c}, payload: 1KiB}")


def test_arguments_that_cannot_be_read_are_not_told_to_be_missing(load: Load) -> None:
    (told,) = refused(load, '  {task: proj.send, arguments: ["a"]}')
    assert told.startswith("5: workload.arguments: must be a CSV file")
    assert len(refused(load, "  {task: proj.send, kwargs: 3}")) == 1
    assert len(refused(load, "  {task: proj.send, kwargs: 3, arguments: [[a], [b]]}")) == 1
    assert len(refused(load, "  {task: proj.send, arguments: 3, kwargs: {siz: 1}}")) == 2


def test_the_tasks_of_an_app_are_listed_in_order(load: Load) -> None:
    (told,) = refused(load, "  {task: zzzzzz}")
    assert told.endswith("Known: proj.call, proj.post, proj.send.")
