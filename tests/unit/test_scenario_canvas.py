"""Canvases in a scenario file: how they are written, what they become, and every mistake with its line."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bench import jsonable, model, scenario
from bench.errors import ScenarioError
from bench.run import conf

BASE = "question: q?\nload: {shape: flood, tasks: 10}\n"
SLEEP = "{task: io.sleep, kwargs: {seconds: 0.01}}"

Load = Callable[[str], model.Scenario]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def read(text: str) -> model.Scenario:
        path = tmp_path / "s.yaml"
        path.write_text(BASE + text)
        return scenario.load(path)

    return read


def test_a_workload_of_canvases(load: Load) -> None:
    asked = load(
        "workload:\n"
        f"  - {{chain: [noop, {SLEEP}, {{task: noop, times: 2, priority: 3}}], weight: 4}}\n"
        "  - {group: [noop]}\n"
        f"  - {{chord: {{header: [{SLEEP}, noop], body: noop}}}}\n"
        "  - {map: {task: io.sleep, args: [0.01], items: 5}}\n"
        "  - {chunks: {task: io.sleep, arguments: [[0.01], [0.02]], items: 100, size: 30}}\n"
        "  - noop\n".replace("- noop", "- {task: noop}")
    )
    (cell,) = asked.cells
    chain, group, chord, mapped, chunks, plain = cell.setup.workload
    assert (chain.name, chain.weight, [part.task for part in chain.parts]) == (
        "chain of 4", 4, ["noop", "io.sleep", "noop"],
    )  # fmt: skip
    assert chain.parts[2].priority == 3 and dict(chain.parts[1].kwargs) == {"seconds": 0.01}
    assert (group.name, chord.name, mapped.name, plain.name) == (
        "group of 1",
        "chord of 2",
        "map of 5",
        "noop",
    )
    assert [part.items for part in chunks.messages] == [30, 30, 30, 10]
    assert jsonable.from_plain(jsonable.plain(asked)) == asked, "kept with the results"


def test_batching_is_an_axis(load: Load) -> None:
    asked = load(
        "workload: {chunks: {task: noop, items: 100, size: 1}}\n"
        "matrix: {workload.chunks.size: [1, 10, 100]}\n"
        "metric: items\ngates: ['items > 100/s', 'p50(overhead) < 1s']\n"
    )
    assert [len(cell.setup.workload[0].messages) for cell in asked.cells] == [100, 10, 1]
    parts = load("workload: {chain: [noop, noop]}\nmatrix: {workload.chain.1.times: [1, 5]}\n")
    assert [cell.setup.workload[0].total for cell in parts.cells] == [2, 6]


def test_a_canvas_has_a_label(load: Load) -> None:
    asked = load("matrix:\n  workload: [{chain: [noop, noop]}, {chunks: {task: noop, items: 4, size: 2}}]\n")
    assert [cell.settings["workload"] for cell in asked.cells] == ["chain(noop,noop)", "chunks(noop)"]


def test_routes_hold_for_parts(load: Load) -> None:
    asked = load(
        f"workload: {{chain: [noop, {SLEEP}]}}\nroutes: {{'io.*': io}}\n"
        "workers: [{queues: [celery]}, {queues: [io]}]\n"
    )
    assert set(asked.cells[0].setup.queues) == {"celery", "io"}


@pytest.mark.parametrize(
    ("broker", "results", "kept"),
    [("valkey", "", "broker"), ("rabbitmq", "", "server"), ("valkey", "sql", "sql")],
)
def test_a_chord_keeps_its_results(load: Load, broker: str, results: str, kept: str) -> None:
    more = f"messages: {{results: {results}}}\n" if results else ""
    asked = load(f"broker: {broker}\nworkload: {{chord: {{header: [noop], body: noop}}}}\n{more}")
    assert conf.results_kept(asked.cells[0].setup) == kept
    plain = load("workload: {chain: [noop, noop]}\n")
    assert conf.results_kept(plain.cells[0].setup) == "ignored"


CHORD = "workload: {chord: {header: [noop], body: noop}}\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("workload: {chain: [nop]}", "3: workload.chain.0: there is no task 'nop'. Did you mean 'noop'?"),
        ("workload: {chain: [{task: nop}]}", "3: workload.chain.0.task: there is no task 'nop'"),
        (
            "workload:\n  - {group: [noop, {task: io.sleep, kwargs: {secs: 1}}]}",
            "4: workload.0.group.1.kwargs.secs: io.sleep has no argument 'secs'",
        ),
        ("workload: {chord: {header: [noop]}}", "3: workload.chord.body: is missing. The task that runs"),
        ("workload: {chain: []}", "3: workload.chain: must not be empty"),
        ("workload: {chain: [{task: noop, tmes: 2}]}", "workload.chain.0.tmes: unknown key. Did you mean"),
        ("workload: {chain: [{task: noop, weight: 2}]}", "workload.chain.0.weight: unknown key"),
        ("workload: {chain: [noop], kwargs: {}}", "workload.kwargs: a canvas stands in place of a task"),
        ("workload: {map: {task: noop, items: 3, kwargs: {}}}", "workload.map.kwargs: unknown key"),
        ("workload: {map: {task: noop, items: 3, arguments: a.csv}}", "positional arguments only"),
        ("workload: {map: {task: io.sleep, items: 3}}", "workload.map.args: io.sleep takes (seconds)"),
        ("workload: {chunks: {task: noop, items: 3, size: 5}}", "workload.chunks.size: is above the 3 items"),
        ("workload: {group: [{task: noop, times: 9999}, {task: noop, times: 9}]}", "comes to 10008 messages"),
        (
            "workload: {chord: {header: [noop], body: {task: noop, times: 2}}}",
            "workload.chord.body.times: the body of a chord runs once",
        ),
        (CHORD + "messages: {results: ignored}", "4: messages.results: a chord counts its parts"),
        (CHORD + "messages: {results: rpc}", "messages.results: a chord counts its parts"),
        (CHORD + "broker: rabbitmq\nmessages: {results: broker}", "results: a chord counts its parts"),
        (
            "workload: {chain: [{task: noop, priority: 20}]}",
            "workload.chain.0.priority: Redis and Valkey know the priorities 0",
        ),
        (
            "workload: {chain: [noop, noop]}\nroutes: {noop: other}\nworkers: {queues: [celery]}",
            "workload.chain.0: goes to the queue 'other', from which no worker consumes",
        ),
        (
            "workload: {chunks: {task: noop, items: 3, size: 1}}\nmatrix: {workload.chunks.sizes: [1]}",
            "Did you mean 'workload.chunks.size'?",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_with_its_line(load: Load, text: str, told: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load(text + "\n")
    assert any(told in mistake.partition(".yaml:")[2] for mistake in caught.value.mistakes), (
        caught.value.mistakes
    )


def test_one_mistake_does_not_hide_another(load: Load) -> None:
    with pytest.raises(ScenarioError) as caught:
        load(
            "workload:\n  - {chain: [nop]}\n  - {chord: {header: [noop]}}\n  - {map: {task: noop, itms: 3}}\n"
        )
    assert [m.partition(".yaml:")[2].split(": ")[1] for m in caught.value.mistakes] == [
        "workload.0.chain.0",
        "workload.1.chord.body",
        "workload.2.map.items",
        "workload.2.map.itms",
    ]
