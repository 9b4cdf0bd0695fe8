"""--set, --only, --broker and --repeats."""

import pytest

from bench import jsonable, scenario
from bench.errors import ScenarioError, UsageError

TEXT = """\
question: Q
workload: {task: noop}
load: {shape: flood, tasks: 100}
matrix:
  zip: {workers.pool: [prefork, threads, solo], workers.concurrency: [4, 20, 1]}
  workers.prefetch: [1, 4]
  exclude: [{workers.pool: solo, workers.prefetch: 4}]
  include: [{workers.pool: prefork, workers.concurrency: 8, workers.prefetch: 1}]
"""


@pytest.fixture
def load(tmp_path):
    path = tmp_path / "o.yaml"
    path.write_text(TEXT)
    return lambda **options: scenario.load(path, **options)


def settings(loaded) -> list[tuple]:
    return [tuple(cell.settings.values()) for cell in loaded.cells]


def test_set_changes_the_base_for_all_cells(load):
    loaded = load(
        sets=[
            "load.tasks=7",
            "workload={task: io.sleep, args: [1]}",
            "repeats=2",
            "gates=[failed <= 0, lost <= 0]",
        ]
    )
    assert {cell.setup.load.tasks for cell in loaded.cells} == {7}
    assert {cell.setup.workload[0].args for cell in loaded.cells} == {(1,)}
    assert (loaded.repeats, loaded.gates) == (2, ("failed <= 0", "lost <= 0"))
    assert loaded.source == TEXT
    assert load(sets={"load.tasks": "7"}).cells == load(sets=["load.tasks=7"]).cells


def test_set_on_an_axis_replaces_the_axis(load):
    loaded = load(sets=["workers.prefetch=9"])
    assert loaded.axes == ("workers.pool", "workers.concurrency")
    assert {cell.setup.fleet[0].prefetch for cell in loaded.cells} == {9}
    assert settings(loaded) == [("prefork", 4), ("threads", 20), ("solo", 1)], (
        "the extra cell was for prefetch 1"
    )


def test_set_on_an_axis_agrees_with_exclude_and_include(load):
    assert settings(load(sets=["workers.prefetch=4"])) == [("prefork", 4), ("threads", 20)]
    assert ("prefork", 8) in settings(load(sets=["workers.prefetch=1"]))


def test_set_on_a_zipped_axis_leaves_the_rest_of_the_zip(load):
    loaded = load(sets=["workers.pool=gevent"])
    assert settings(loaded) == [(4, 1), (4, 4), (20, 1), (20, 4), (1, 1), (1, 4)]
    assert {cell.setup.fleet[0].pool for cell in loaded.cells} == {"gevent"}


def test_set_may_replace_one_axis_by_another_list(load):
    loaded = load(sets=["matrix.workers.prefetch=[1, 2, 4]"])
    assert len(loaded.cells) == 9


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("workers.pool", "needs a path and a value"),
        ("=3", "needs a path and a value"),
        ("workers.pol=x", "Did you mean 'workers.pool'?"),
        ("metrik=x", "Did you mean 'metric'?"),
        ("repeats.x=3", "nothing lies below repeats"),
        ("load.tasks=[", "not a YAML value"),
        ("load.tasks=many", "load.tasks: must be a whole number, not 'many'"),
        ("workers.pool=solo", "the solo pool runs one task at a time"),
        ("load.tasks=2026-01-01", "YAML reads this as a date"),
        ("broker=redis://h:1/0 ", "") ,
    ],
)  # fmt: skip
def test_a_wrong_set_is_told_with_the_option(load, text, what):
    if not what:
        assert load(sets=[text])
        return
    with pytest.raises(ScenarioError) as caught:
        load(sets=[text, "warmup.tasks_per_slot=-1"])
    told = caught.value.mistakes
    assert any(what in line for line in told), told
    assert any(line.startswith("--set warmup.tasks_per_slot=-1: warmup.tasks_per_slot: ") for line in told)
    if "solo" not in text:
        assert any(line.startswith(f"--set {text}: ") for line in told)


def test_set_below_an_axis_would_change_nothing_and_is_refused(tmp_path):
    path = tmp_path / "o.yaml"
    path.write_text("question: Q\nload: {shape: flood, tasks: 1}\nmatrix: {workload: {a: {task: noop}}}")
    with pytest.raises(ScenarioError, match="the matrix replaces workload as a whole"):
        scenario.load(path, sets=["workload.kwargs.seconds=3"])


@pytest.mark.parametrize(
    ("only", "kept"),
    [
        (["workers.pool=threads"], [("threads", 20, 1), ("threads", 20, 4)]),
        (
            ["workers.pool=threads", "workers.pool=solo", "workers.prefetch=1"],
            [("threads", 20, 1), ("solo", 1, 1)],
        ),
        ([" workers.concurrency = 8 "], [("prefork", 8, 1)]),
    ],
)
def test_only_keeps_the_cells_with_these_labels(load, only, kept):
    loaded = load(only=only)
    assert settings(loaded) == kept
    assert {c.id for c in loaded.cells} <= {c.id for c in load().cells}


@pytest.mark.parametrize(
    ("only", "message", "hint"),
    [
        (["workers.pol=solo"], "does not differ", "Did you mean 'workers.pool'?"),
        (["load.tasks=1"], "does not differ", "Known: workers.pool"),
        (["workers.pool=gevent"], "no cell has workers.pool = gevent", "prefork, threads, solo"),
        (["workers.pool"], "needs a path and a value", "--only workers.pool=threads"),
        (["workers.pool=solo", "workers.prefetch=4"], "no cell has all of these", "fewer"),
    ],
)
def test_only_names_what_there_is(load, only, message, hint):
    with pytest.raises(UsageError) as caught:
        load(only=only)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_broker_and_repeats_overrule_the_file_and_the_matrix(load, tmp_path):
    loaded = load(broker="redis://:secret@h/1", repeats=9)
    assert {cell.setup.broker.url for cell in loaded.cells} == {"redis://:secret@h/1"}
    assert loaded.repeats == 9
    path = tmp_path / "b.yaml"
    path.write_text(
        "question: Q\nworkload: {task: noop}\nload: {shape: flood, tasks: 1}\n"
        "matrix: {broker: [valkey, redis]}"
    )
    (cell,) = scenario.load(path, broker="rabbitmq").cells
    assert (cell.setup.broker.kind, dict(cell.settings)) == ("rabbitmq", {})
    with pytest.raises(ScenarioError, match="--repeats: repeats: must be at least 1"):
        load(repeats=0)
    with pytest.raises(
        ScenarioError, match=r"--broker: broker: 'vlky' is not a broker\. Did you mean 'valkey'"
    ):
        load(broker="vlky")


@pytest.fixture
def stored(load):
    """What a run keeps of a scenario: no password."""
    return lambda broker: jsonable.from_plain(jsonable.plain(load(broker=broker)))


def test_a_resumed_run_is_given_its_password_again(load, stored):
    asked = stored("valkey://me:hunter2@h/1")
    assert "hunter2" not in str(asked)
    again = scenario.with_broker(asked, "valkey://me:hunter2@h/1")
    assert again == load(broker="valkey://me:hunter2@h/1")
    assert {cell.setup.broker.url for cell in again.cells} == {"redis://me:hunter2@h/1"}
    assert [cell.id for cell in again.cells] == [cell.id for cell in asked.cells]
    assert scenario.with_broker(stored("redis"), "redis") == stored("redis")


@pytest.mark.parametrize("other", ["redis://me:hunter2@other/1", "redis", "amqp://h"])
def test_a_resumed_run_keeps_its_broker(stored, other):
    for asked in (stored("redis://me:hunter2@h/1"), stored("valkey")):
        with pytest.raises(UsageError, match="This run was started with the broker") as caught:
            scenario.with_broker(asked, other)
        assert "hunter2" not in caught.value.message


def test_a_resumed_run_refuses_what_is_no_broker(stored):
    with pytest.raises(ScenarioError, match="--broker: memory:// changes the pool"):
        scenario.with_broker(stored("redis"), "memory://")
