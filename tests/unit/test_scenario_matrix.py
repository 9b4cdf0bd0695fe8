"""From the matrix to cells: crossing, zip, exclude, include, labels; each against a plain reference."""

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import scenario
from bench.errors import ScenarioError
from bench.scenario.matrix import MAX_CELLS, expand
from bench.scenario.paths import canonical, get, label_of, replace, steps

BASE = "question: Q\nworkload: {task: noop}\nload: {shape: flood, tasks: 100}\n"


@pytest.fixture
def load(tmp_path):
    def load(matrix: str, base: str = BASE, **options):
        path = tmp_path / "m.yaml"
        path.write_text(base + "matrix:\n" + "".join(f"  {line}\n" for line in matrix.strip().splitlines()))
        return scenario.load(path, **options)

    return load


@pytest.fixture
def mistakes(load, tmp_path):
    def mistakes(matrix: str, base: str = BASE, **options) -> list[str]:
        with pytest.raises(ScenarioError) as caught:
            load(matrix, base, **options)
        return [line.replace(f"{tmp_path / 'm.yaml'}:", "") for line in caught.value.mistakes]

    return mistakes


def settings(loaded) -> list[tuple]:
    return [tuple(cell.settings.values()) for cell in loaded.cells]


def test_axes_are_crossed_in_the_order_of_the_file(load):
    loaded = load("workers.prefetch: [1, 4]\nworkers.pool: [prefork, threads]")
    assert loaded.axes == ("workers.prefetch", "workers.pool")
    assert settings(loaded) == [(1, "prefork"), (1, "threads"), (4, "prefork"), (4, "threads")]
    assert [(c.setup.fleet[0].prefetch, c.setup.fleet[0].pool) for c in loaded.cells] == settings(loaded)


def test_a_zip_moves_together_and_is_crossed_with_the_rest(load):
    loaded = load(
        "zip:\n  - {workers.pool: [prefork, solo], workers.concurrency: [4, 1]}\n"
        "  - {load.tasks: [10, 20], workers.nodes: {one: 1, two: 2}}\n"
    )
    assert settings(loaded) == [
        ("prefork", 4, 10, "one"),
        ("prefork", 4, 20, "two"),
        ("solo", 1, 10, "one"),
        ("solo", 1, 20, "two"),
    ]
    assert loaded.cells[3].setup.fleet[0].nodes == 2


def test_exclude_takes_away_and_include_adds(load):
    loaded = load("""
workers.pool: [prefork, threads, gevent]
workers.concurrency: [2, 50]
exclude:
  - {workers.pool: [prefork, threads], workers.concurrency: 50}
include:
  - {workers.pool: solo, workers.concurrency: 1}
  - {workers.prefetch: 0, workers.concurrency: 8}
""")
    assert loaded.axes == ("workers.pool", "workers.concurrency", "workers.prefetch")
    assert settings(loaded) == [
        ("prefork", 2, 4),
        ("threads", 2, 4),
        ("gevent", 2, 4),
        ("gevent", 50, 4),
        ("solo", 1, 4),
        ("prefork", 8, 0),
    ]
    assert loaded.cells[-1].setup.fleet[0].prefetch == 0


def test_big_values_have_names_and_include_may_use_them(load):
    loaded = load(
        """
workload: {cpu: {task: cpu.spin, kwargs: {ms: 5}}, io: [{task: io.sleep, args: [0.1]}]}
include: [{workload: io, workers.pool: threads}]
""",
        base="question: Q\nload: {shape: flood, tasks: 9}\nworkload: {task: cpu.spin, kwargs: {ms: 5}}\n",
    )
    assert settings(loaded) == [("cpu", "prefork"), ("io", "prefork"), ("io", "threads")]
    assert loaded.cells[2].setup.workload[0].task == "io.sleep"


def test_what_an_extra_cell_does_not_state_carries_the_bases_label(load):
    loaded = load(
        "workload: {same: {task: noop}, other: {task: fail}}\ninclude: [{load.tasks: 7}]", base=BASE
    )
    assert settings(loaded) == [("same", 100), ("other", 100), ("same", 7)]


@pytest.mark.parametrize("path", ["workload.kwargs.seconds", "workload.0.kwargs.seconds"])
@pytest.mark.parametrize("workload", ["{task: io.sleep}", "[{task: io.sleep, kwargs: {seconds: 9}}]"])
def test_a_path_may_go_into_arguments(load, path, workload):
    base = f"question: Q\nload: {{shape: flood, tasks: 1}}\nworkload: {workload}\n"
    loaded = load(f"{path}: [0.1, 0.2]", base=base)
    assert [c.setup.workload[0].kwargs["seconds"] for c in loaded.cells] == [0.1, 0.2]


def test_a_longer_path_is_applied_after_a_shorter_one(load):
    loaded = load(
        "workload.kwargs.ms: [1, 2]\nworkload: {spin: {task: cpu.spin}, hash: {task: cpu.spin, weight: 2}}"
    )
    assert [c.setup.workload[0].kwargs["ms"] for c in loaded.cells] == [1, 1, 2, 2]


def test_a_comparison_with_itself_needs_two_names(load, mistakes):
    assert len(load("workers.pool: {one: prefork, two: prefork}").cells) == 2
    (told,) = mistakes("workers.pool: [prefork, threads, prefork]")
    assert told.startswith("5: matrix.workers.pool.2: 'prefork' stands twice")


@pytest.mark.parametrize(
    ("matrix", "where", "what"),
    [
        ("workers.poool: [solo]", "5: matrix.workers.poool", "Did you mean 'workers.pool'?"),
        ("pool: [solo]", "5: matrix.pool", "Did you mean 'workers.pool'?"),
        ("repeats: [1, 2]", "5: matrix.repeats", "the same for all cells"),
        ("workers.pool: []", "5: matrix.workers.pool", "not empty"),
        ("workers.pool: solo", "5: matrix.workers.pool", "must be a list of values"),
        ("workload.3.weight: [1]", "5: matrix.workload.3.weight.0", "there is no workload.3"),
        ("workload.kwargs.ms.x: [1]\nworkload: [{task: cpu.spin, kwargs: {ms: 1}}]",
         "5: matrix.workload.kwargs.ms.x.0", "nothing lies below it"),
        ("workers.prefetch: [1, -1]", "5: matrix.workers.prefetch.1", "at least 0"),
        ("workers.pool:\n  - prefork\n  - prefrok", "7: matrix.workers.pool.1",
         "Did you mean 'prefork'?"),
        ("workload: {a: {task: noop}, b: {task: nop}}", "5: matrix.workload.b.task", "Did you mean 'noop'?"),
        ("workers: [{pool: solo, concurrency: 3}]", "5: matrix.workers.0.concurrency", "one task at a time"),
        ("zip: {workers.pool: [prefork], load.tasks: [1, 2]}", "5: matrix.zip", "equally long"),
        ("zip: [workers.pool]", "5: matrix.zip.0", "must be a mapping"),
        ("zip: {load.tasks: [1, 1], workers.nodes: [2, 2]}", "5: matrix.zip.load.tasks.1",
         "row 2 is the same"),
        ("load.tasks: [1, 2]\nzip: {load.tasks: [3, 4]}", "6: matrix.zip.load.tasks", "is an axis already"),
        ("load.tasks: [1, 2]\nexclude: [{load.task: 1}]", "6: matrix.exclude.0.load.task",
         "Did you mean 'load.tasks'?"),
        ("exclude: [{load.tasks: 1}]", "5: matrix.exclude.0.load.tasks",
         "is not an axis of this matrix. It has none"),
        ("load.tasks: [1, 2]\nexclude: [{load.tasks: 3}]", "6: matrix.exclude.0.load.tasks",
         "Known: 1, 2."),
        ("load.tasks: [1, 2]\nexclude: {load.tasks: 1}", "6: matrix.exclude", "must be a list"),
        ("load.tasks: [1, 2]\nexclude:\n  - {load.tasks: 1}\n  - {load.tasks: 1}", "8: matrix.exclude.1",
         "matches no cell"),
        ("load.tasks: [1, 2]\nexclude: [{load.tasks: [1, 2]}]", "4: matrix", "leaves no cell"),
        ("load.tasks: [1, 2]\ninclude: [{load.tasks: 1}]", "6: matrix.include.0", "is there already"),
        ("load.tasks: [1, 2]\ninclude: [{load.task: 1}]", "6: matrix.include.0.load.task", "no such path"),
        ("workload: {a: {task: noop}}\ninclude: [{workload: b}]", "6: matrix.include.0.workload",
         "not a value of this axis"),
    ],
)  # fmt: skip
def test_mistakes_of_a_matrix_are_told_at_the_value_that_causes_them(mistakes, matrix, where, what):
    (told,) = mistakes(matrix)
    assert told.startswith(f"{where}: "), told
    assert what in told


def test_an_impossible_pair_is_told_once_however_many_cells_have_it(mistakes):
    (told,) = mistakes(
        "workers.pool: [threads, solo]\nworkers.concurrency: [1, 4]\nworkers.prefetch: [1, 2, 3]"
    )
    assert told.startswith("6: matrix.workers.concurrency.1: the solo pool runs one task at a time")
    (told,) = mistakes(
        "workers.pool: [threads, solo]\nload.tasks: [1, 2]", base=BASE + "workers: {concurrency: 4}\n"
    )
    assert told.startswith("6: matrix.workers.pool.1: the solo pool"), "the base is fine without the matrix"


def test_ten_thousand_cells_take_seconds(load):
    begun = time.process_time()
    loaded = load(
        f"load.tasks: {list(range(1, 101))}\nworkers.concurrency: {list(range(1, 101))}",
        base=BASE + "workers: {pool: gevent}\n",
    )
    assert len({cell.id for cell in loaded.cells}) == 10_000
    assert time.process_time() - begun < 10


def test_too_many_cells_are_refused_before_they_are_made(mistakes):
    numbers = list(range(1, 101))
    begun = time.process_time()
    (told,) = mistakes(f"load.tasks: {numbers}\nworkers.concurrency: {numbers}\nworkers.nodes: {numbers}")
    assert f"1000000 cells; at most {MAX_CELLS}" in told
    assert time.process_time() - begun < 2


PATHS = ("workers.prefetch", "workers.nodes", "load.tasks", "warmup.tasks_per_slot")
AXES = st.dictionaries(
    st.sampled_from(PATHS), st.lists(st.integers(1, 9), min_size=1, max_size=4, unique=True), max_size=4
)


@given(AXES, st.randoms(use_true_random=False))
def test_expansion_is_the_product_less_what_is_excluded(axes, random):
    rows = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    entry = {path: random.choice(values) for path, values in axes.items() if random.random() < 0.5}
    matrix = {**axes, "exclude": [entry]} if entry else dict(axes)
    wanted = [row for row in rows if not entry or any(row[path] != value for path, value in entry.items())]
    points, mistakes = expand({"matrix": matrix}, {})
    assert [dict(point.settings) for point in points] == wanted
    assert bool(mistakes) == (not wanted)
    for point in points:
        assert {".".join(map(str, o.path)): o.value for o in point.overrides} == dict(point.settings)


@given(AXES.filter(bool), st.data())
def test_a_pinned_axis_is_gone_and_the_others_stay(axes, data):
    path = data.draw(st.sampled_from(sorted(axes)))
    points, mistakes = expand({"matrix": axes}, {canonical(steps(path)): 5})
    rest = [values for other, values in axes.items() if other != path]
    assert not mistakes
    assert [tuple(point.settings.values()) for point in points] == list(itertools.product(*rest))


@given(
    st.recursive(st.integers(), lambda inner: st.dictionaries(st.text("ab", min_size=1), inner, max_size=3)),
    st.data(),
)
def test_replacing_changes_one_place_and_shares_the_rest(tree, data):
    path = tuple(data.draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=3)))
    before = repr(tree)
    if not isinstance(tree, dict):
        return
    try:
        changed = replace(tree, path, "new")
    except ValueError:
        assert any(isinstance(get(tree, path[:n]), int) for n in range(1, len(path)))
        return
    assert repr(tree) == before
    assert get(changed, path) == "new"
    assert {key: changed[key] for key in changed if key != path[0]} == {
        k: tree[k] for k in tree if k != path[0]
    }


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (4, 4),
        (True, True),
        ("prefork", "prefork"),
        (None, "default"),
        ({"task": "noop"}, "noop"),
        ({"task": "io.sleep", "kwargs": {"seconds": 0.1}}, "io.sleep(seconds=0.1)"),
        ([{"task": "noop", "weight": 9}, {"task": "cpu.spin", "args": [5]}], "9× noop + cpu.spin(5)"),
        ({"shape": "flood", "tasks": 3}, "shape=flood tasks=3"),
        ({"url": "redis://a:b@c"}, "url=redis://a:***@c"),
        ([1, True], "1,true"),
    ],
)
def test_labels_are_short_texts(value, label):
    assert label_of(value) == label


def test_long_values_keep_different_labels():
    long = [{"task": "x" * 100, "args": [n]} for n in (1, 2)]
    points, mistakes = expand({"matrix": {"workload": long}}, {})
    labels = [point.settings["workload"] for point in points]
    assert not mistakes
    assert len(set(labels)) == 2
    assert all(len(label) < 70 for label in labels)
