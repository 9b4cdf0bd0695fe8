"""``tune:`` of a scenario: ranges, choices, the cell with Celery's defaults, every mistake with its line."""

import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bench import scenario
from bench.errors import ScenarioError, UsageError
from bench.scenario.space import Space
from bench.scenario.tune_keys import RATIO, numbers

HEAD = """\
question: Which is best?
workload: {task: io.sleep, kwargs: {seconds: 0.01}}
load: {shape: flood, tasks: 60}
"""
CORES = os.cpu_count() or 1


def space(folder: Path, text: str, **changes: Any) -> Space:
    file = folder / "s.yaml"
    file.write_text(HEAD + text)
    return scenario.load_space(file, **changes)


def settings(found: Space) -> list[tuple[Any, ...]]:
    cells = {cell.id: cell for cell in found.scenario.cells}
    return [tuple(cells[id].settings.values()) for id in found.candidates]


def test_a_range_is_even_or_grows_in_equal_ratios() -> None:
    assert numbers(1, 8, log=False) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert (numbers(0, 100, log=False)[0], numbers(0, 100, log=False)[-1]) == (0, 100)
    assert len(numbers(0, 100, log=False)) == 16
    values = numbers(1, 500, log=True)
    assert (values[0], values[-1]) == (1, 500)
    assert values == sorted(set(values))
    assert all(b / a <= RATIO * 1.1 for a, b in pairwise(values) if a >= 5)


def test_choices_bring_ranges_of_their_own(tmp_path: Path) -> None:
    found = space(
        tmp_path,
        """\
tune:
  workers.pool:
    prefork: {workers.concurrency: {from: 1, to: 3}}
    gevent: {workers.concurrency: [10, 100]}
    solo:
  workers.prefetch: [1, 4]
""",
    )
    assert settings(found)[:4] == [("prefork", 1, 1), ("prefork", 1, 4), ("prefork", 2, 1), ("prefork", 2, 4)]
    assert [row for row in settings(found) if row[0] == "gevent"] == [
        ("gevent", 10, 1), ("gevent", 10, 4), ("gevent", 100, 1), ("gevent", 100, 4),
    ]  # fmt: skip
    assert len(settings(found)) == 2 * (3 + 2 + 1)


def test_the_default_is_what_celery_does_where_nobody_says_more(tmp_path: Path) -> None:
    found = space(tmp_path, "tune:\n  workers.pool: [gevent, threads]\n  workers.concurrency: [50, 100]\n")
    assert found.default not in found.candidates
    setup = next(cell.setup for cell in found.scenario.cells if cell.id == found.default)
    assert (setup.fleet[0].pool, setup.fleet[0].concurrency, setup.fleet[0].prefetch) == ("prefork", CORES, 4)


def test_a_default_that_is_a_candidate_is_no_second_cell(tmp_path: Path) -> None:
    found = space(tmp_path, f"workers: {{concurrency: {CORES}}}\ntune: {{workers.prefetch: [1, 4]}}\n")
    assert found.default in found.candidates
    assert len(found.scenario.cells) == 2


def test_without_tune_the_matrix_is_searched_and_run_never_sees_tune(tmp_path: Path) -> None:
    found = space(tmp_path, "matrix: {workers.pool: [threads, gevent]}\n")
    assert len(found.candidates) == 2
    file = tmp_path / "t.yaml"
    file.write_text(HEAD + "tune: {workers.prefetch: [1, 4]}\n")
    assert len(scenario.load(file).cells) == 1


def test_options_change_and_narrow_the_space(tmp_path: Path) -> None:
    text = "tune:\n  workers.pool: [gevent, threads]\n  workers.concurrency: [50, 100]\n"
    assert len(space(tmp_path, text, only=["workers.pool=gevent"]).candidates) == 2
    assert len(space(tmp_path, text, sets=["workers.pool=gevent"]).candidates) == 2


WRONG = """\
price: {core_hour: -1, gib: 3}
tune:
  workers.pool:
    preforx: {workers.concurrency: {from: 1, to: 8}}
    threads: {workers.concurrency: {from: 0, to: 64, log: true, x: 1}}
    solo: 3
  workers.prefetch: []
  workers.nodes: {from: 9, to: 3}
  workers.concurrency: {from: 1.5, to: 3}
  workers.mingle: {from: 1}
"""


def test_every_mistake_is_told_once_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError) as caught:
        space(tmp_path, WRONG)
    told = [line.removeprefix(f"{tmp_path}/") for line in caught.value.mistakes]
    assert [line.split(": ")[0] + ": " + line.split(": ")[1] for line in told] == [
        "s.yaml:4: price.core_hour",
        "s.yaml:4: price.gib",
        "s.yaml:7: tune.workers.pool.preforx",
        "s.yaml:8: tune.workers.pool.threads.workers.concurrency.x",
        "s.yaml:8: tune.workers.pool.threads.workers.concurrency.from",
        "s.yaml:9: tune.workers.pool.solo",
        "s.yaml:10: tune.workers.prefetch",
        "s.yaml:11: tune.workers.nodes.to",
        "s.yaml:12: tune.workers.concurrency.from",
        "s.yaml:12: tune.workers.concurrency",
        "s.yaml:13: tune.workers.mingle.to",
    ]
    with pytest.raises(ScenarioError, match=r"tune\.workers\.prefetch"):
        scenario.load(tmp_path / "s.yaml")  # whoever runs it is told as well


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "tune:\n  workers.pool:\n    threads:\n    gevent: {workers.concurency: {from: 1, to: 30}}\n",
            "s.yaml:7: tune.workers.pool.gevent.workers.concurency: no such path in a scenario. Did you mean",
        ),
        (
            "tune: {workers.concurrency: {from: 1, to: 1000000}}\n",
            "s.yaml:4: tune.workers.concurrency: must be at most 10000, not 1000000",
        ),
        (
            "workers: {pool: solo}\ntune: {workers.concurrency: {from: 1, to: 4}}\n",
            "s.yaml:5: tune.workers.concurrency: the solo pool runs one task at a time",
        ),
        (
            "workers: [{name: a}, {name: b}]\ntune: {workers.concurrency: {from: 1, to: 4}}\n",
            "s.yaml:5: tune.workers.concurrency: ",
        ),
    ],
)
def test_a_mistake_is_one_line_at_the_word_that_is_wrong(tmp_path: Path, text: str, line: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        space(tmp_path, text)
    (told,) = caught.value.mistakes
    assert told.removeprefix(f"{tmp_path}/").startswith(line)


def test_work_has_labels_as_in_a_matrix_and_one_of_it_is_chosen(tmp_path: Path) -> None:
    text = "tune:\n  workload: {a: {task: noop}, b: {task: io.sleep, kwargs: {seconds: 0.1}}}\n"
    text += "  workers.pool: [threads, gevent]\n"
    with pytest.raises(UsageError, match="several kinds of work"):
        space(tmp_path, text)
    assert len(space(tmp_path, text, only=["workload=b"]).candidates) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "nothing to tune"),
        ("tune: {workers.prefetch: [4]}\n", "one candidate only"),
        ("matrix: {load.tasks: [60, 90], workers.pool: [threads, gevent]}\n", "several kinds of work"),
        ("matrix: {load.tasks: [60, 90]}\n", "load.tasks is part of what is asked for"),
    ],
)
def test_where_there_is_no_choice_it_says_so(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        space(tmp_path, text)
    if "several" in message:
        assert len(space(tmp_path, text, only=["load.tasks=60"]).candidates) == 2
