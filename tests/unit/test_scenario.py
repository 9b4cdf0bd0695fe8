"""Reading a scenario: what it comes to, and how its mistakes are told."""

import importlib.util
from pathlib import Path

import pytest

from bench import model, scenario
from bench.errors import ScenarioError, UsageError
from bench.scenario import reader

BASE = """\
question: Which?
workload: {task: noop}
load: {shape: flood, tasks: 100}
"""


@pytest.fixture
def write(tmp_path):
    def write(text: str, name: str = "asked") -> Path:
        path = tmp_path / f"{name}.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def mistakes(write):
    """The mistakes of a text, without the name of the file."""

    def mistakes(text: str, **options) -> list[str]:
        path = write(text)
        with pytest.raises(ScenarioError) as caught:
            scenario.load(path, **options)
        assert caught.value.exit_code == 2
        return [line.replace(f"{path}:", "") for line in caught.value.mistakes]

    return mistakes


def test_the_smallest_scenario_gets_every_default(write):
    loaded = scenario.load(write(BASE, "small"))
    assert (loaded.name, loaded.question, loaded.metric, loaded.repeats) == (
        "small",
        "Which?",
        "throughput",
        5,
    )
    assert loaded.source == BASE
    (cell,) = loaded.cells
    assert cell.settings == {}
    assert cell.setup == model.Setup(
        workload=(model.TaskCall(task="noop"),), load=model.Load(shape="flood", tasks=100)
    )


def test_units_are_read_and_arguments_are_not(write):
    text = """\
question: Q
broker: {url: "valkeys://host:6380/1"}
workers: {pool: threads, concurrency: 3, prefetch: 0, nodes: 2}
workload: [{task: io.sleep, args: [0.5], weight: 3}, {task: fail, kwargs: {chance: 1}}]
load: {shape: constant, rate: 120/min, for: 1.5s}
warmup: {tasks_per_slot: 0}
limits: {boot: 1m, stall: 500ms}
"""
    loaded = scenario.load(write(text))
    assert loaded.metric == "p95(response)"
    assert loaded.cells[0].setup == model.Setup(
        broker=model.Broker(kind="valkey", url="rediss://host:6380/1"),
        fleet=(model.Workers(pool="threads", concurrency=3, prefetch=0, nodes=2),),
        workload=(
            model.TaskCall(task="io.sleep", args=(0.5,), weight=3),
            model.TaskCall(task="fail", kwargs={"chance": 1}),
        ),
        load=model.Load(shape="constant", rate=2.0, duration=1.5),
        warmup_per_slot=0,
        limits=model.Limits(boot=60.0, stall=0.5),
    )


def test_solo_has_one_slot_without_saying_so(write):
    assert scenario.load(write(BASE + "workers: {pool: solo}")).cells[0].setup.slots == 1


def test_every_mistake_is_told_at_once_in_the_order_of_the_file(mistakes):
    told = mistakes("""\
question: Q
metrik: makespan
concurrency: 4
workers: {pool: prefrok, concurrency: "4", prefetch: -1}
workload:
  - {task: io.slep}
  - {task: io.sleep, kwargs: {second: 1}, weight: 0}
load: {shape: flod, tasks: 1}
limits: {boot: 30}
matrix:
  workers.poool: [prefork]
repeats: 0
gates: [3]
""")
    assert [line.split(": ")[:2] for line in told] == [
        ["2", "metrik"],
        ["3", "concurrency"],
        ["4", "workers.pool"],
        ["4", "workers.concurrency"],
        ["4", "workers.prefetch"],
        ["6", "workload.0.task"],
        ["7", "workload.1.weight"],
        ["7", "workload.1.kwargs.second"],
        ["8", "load.shape"],
        ["9", "limits.boot"],
        ["11", "matrix.workers.poool"],
        ["12", "repeats"],
        ["13", "gates.0"],
    ]
    assert "Did you mean 'metric'?" in told[0]
    assert "Did you mean 'workers.concurrency'?" in told[1]
    assert "Did you mean 'prefork'?" in told[2]
    assert "without quotes" in told[3]
    assert "Did you mean 'io.sleep'?" in told[5]
    assert "Did you mean 'seconds'?" in told[7]
    assert "Did you mean 'flood'?" in told[8]
    assert "such as 30s" in told[9]
    assert "Did you mean 'workers.pool'?" in told[10]


@pytest.mark.parametrize(
    ("line", "where", "what"),
    [
        ("metric: p95(waits)", "metric", "Did you mean 'p95(wait)'?"),
        ("question: [a]", "question", "must be text"),
        ("repeats: 2.0", "repeats", "must be a whole number"),
        ("repeats: true", "repeats", "must be a whole number"),
        ("workers: 4", "workers", "must be a mapping or a list of mappings"),
        ("workers: {nodes: 0}", "workers.nodes", "at least 1"),
        ("workers: {pool: solo, concurrency: 4}", "workers.concurrency", "runs one task at a time"),
        ("workers: {concurrency: 100, prefetch: 1000}", "workers.prefetch", "Write 0 if you mean unlimited"),
        ("workload: []", "workload", "must not be empty"),
        ("workload: noop", "workload", "must be a mapping or a list of mappings"),
        ("workload: {}", "workload.task", "is missing"),
        ("workload: {task: cpu.spin}", "workload.kwargs", "missing a required argument: 'ms'"),
        ("workload: {task: cpu.spin, args: [1, 2]}", "workload.args", "too many positional"),
        ("workload: {task: io.sleep, kwargs: {seconds: 5ms}}", "workload.kwargs.seconds", "without a unit"),
        ("workload: {task: io.sleep, args: [-1]}", "workload.args", "not negative"),
        ("workload: {task: io.sleep, kwargs: {seconds: .nan}}", "workload.kwargs.seconds", "finite"),
        ("workload: {task: noop, weight: .inf}", "workload.weight", "finite"),
        ("workload: {task: fail, kwargs: {chance: 2026-01-01}}", "workload.kwargs.chance", "date"),
        ("load: {tasks: 3}", "load.shape", "is missing"),
        ("load: {shape: flood, tasks: 0}", "load.tasks", "at least 1"),
        ("load: {shape: flood, tasks: 1e3}", "load.tasks", "in digits"),
        ("load: {shape: flood, tasks: 3, rate: 1/s}", "load.rate", "unknown key"),
        ("load: {shape: constant, rate: 50, for: 2s}", "load.rate", "Write a rate such as 50/s"),
        ("load: {shape: constant, rate: 0/s, for: 2s}", "load.rate", "above 0"),
        ("load: {shape: constant, rate: 1e999/s, for: 2s}", "load.rate", "above 0"),
        ("load: {shape: constant, rate: 50/s, for: 2}", "load.for", "Write a duration such as 2s"),
        ("load: {shape: constant, rate: 50/s, for: 2 parsecs}", "load.for", "is not a duration"),
        ("load: {shape: constant, rate: 900000/s, for: 1h}", "load.for", "at most"),
        ("broker: valky", "broker", "Did you mean 'valkey'?"),
        ("broker: {kind: redis, port: 70000}", "broker.port", "at most 65535"),
        ("broker: {kind: redis, url: 'redis://h'}", "broker", "not both"),
        ("broker: {url: 'redis://h', port: 1}", "broker.port", "Leave one of them out"),
        ("broker: {url: 'memory://'}", "broker.url", "changes the pool itself"),
        ("broker: filesystem://", "broker", "changes the pool itself"),
        ("broker: http://h", "broker", "not a scheme"),
        ("broker: {url: 'localhost:6379'}", "broker.url", "Begin with redis://"),
        ("broker: {url: 'redis://h:port/0'}", "broker.url", "not a URL like"),
        ("warmup: {tasks_per_slot: -1}", "warmup.tasks_per_slot", "at least 0"),
        ("limits: {stall: 0s}", "limits.stall", "above 0"),
        ("gates: makespan < 3s", "gates", "must be a list"),
    ],
)
def test_one_mistake_is_told_where_it_is(mistakes, line, where, what):
    key = line.partition(":")[0]
    kept = "".join(text + "\n" for text in BASE.splitlines() if not text.startswith(f"{key}:"))
    number = kept.count("\n") + 1
    (told,) = mistakes(kept + line)
    assert told.startswith(f"{number}: {where}: "), told
    assert what in told


@pytest.mark.parametrize("missing", ["question", "workload", "load"])
def test_what_is_missing_is_named(mistakes, missing):
    text = "".join(line + "\n" for line in BASE.splitlines() if not line.startswith(missing))
    (told,) = mistakes(text)
    assert f"{missing}: is missing" in told


@pytest.mark.parametrize("pool", model.GREEN_POOLS)
def test_a_pool_that_is_not_installed_says_what_to_install(mistakes, monkeypatch, pool):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == pool else real(name))
    told = mistakes(BASE + f"workers: {{pool: {pool}, prefetch: -1}}")
    assert any(f"pip install {pool}" in line for line in told)
    assert len(told) == 2, "in the list with the others"


SECRET = "hunter2"


@pytest.mark.parametrize(
    "line",
    [
        f"broker: http://me:{SECRET}@host/0",
        f"broker: me:{SECRET}@host/0",
        f"broker: {{url: 'redis://me:{SECRET}/x@host/0'}}",
        f"broker: {{url: 'redis://me:x {SECRET}@host/0'}}",
        f"broker: {{kind: 'redis://me:{SECRET}@host/0'}}",
        f"broker: ['redis://me:{SECRET}@host/0']",
        f"broker: {{url: ['redis://me:{SECRET}@host/0']}}",
        f"brokker: redis://me:{SECRET}@host/0",
        f"matrix: {{broker: ['redis://me:{SECRET}@host/0', 'redis://me:{SECRET}@host/0']}}",
        f"broker: redis://me:{SECRET}@host/0\nworkers: {{pool: x}}",
    ],
)
def test_a_password_is_never_told(mistakes, line):
    assert SECRET not in "\n".join(mistakes(BASE + line))


def test_a_password_of_the_command_line_is_never_told(mistakes):
    url = f"redis://me:{SECRET}@host:x/0"
    told = mistakes(BASE, sets=[f"broker={url}", f"broker.url={url}", f"brokker={url}"], broker=url)
    assert len(told) >= 2
    assert SECRET not in "\n".join(told)


def test_the_password_reaches_the_broker_but_not_labels_or_ids(write):
    urls = [f"redis://me:{password}@host/0" for password in (SECRET, "other")]
    one, two = (scenario.load(write(BASE + f"matrix: {{broker: ['{url}', valkey]}}")) for url in urls)
    assert one.cells[0].setup.broker.url == urls[0]
    assert SECRET not in str(one.cells[0].settings)
    assert [c.id for c in one.cells] == [c.id for c in two.cells]


def test_ids_are_stable_and_hold_settings_and_setup(write):
    matrix = BASE + "matrix: {workers.pool: [prefork, threads]}"
    first = scenario.load(write(matrix))
    assert [c.id for c in first.cells] == [c.id for c in scenario.load(write(matrix, "again")).cells]
    changed = scenario.load(write(matrix), sets=["load.tasks=99"])
    ids = {c.id for c in (*first.cells, *changed.cells)}
    assert len(ids) == 4
    assert all(len(i) == 8 and int(i, 16) >= 0 for i in ids)


def test_a_gate_is_checked_where_it_stands(mistakes):
    told = mistakes(BASE + "gates:\n  - makespan < 3s\n  - makespan ?\n")
    assert told == [
        "6: gates.1: 'makespan ?' is not a gate: write metric, operator, limit, like 'p99(response) < 250ms'"
    ]


def test_a_gate_may_name_cells_and_compare_them(mistakes, write):
    matrix = "matrix: {workers.pool: [prefork, gevent]}\n"
    good = "gates: ['memory[gevent] < 1GiB', 'throughput[gevent] / throughput[prefork] > 2']\n"
    assert len(scenario.load(write(BASE + matrix + good)).gates) == 2
    (told,) = mistakes(BASE + matrix + "gates: ['throughput[gevnt] / throughput[prefork] > 2']\n")
    assert told.endswith("gates.0: [gevnt]: no cell is labelled 'gevnt'; did you mean gevent?")


@pytest.mark.parametrize(
    ("load", "slots", "count", "duration"),
    [
        ("{shape: flood, tasks: 1000}", 4, 200, None),
        ("{shape: flood, tasks: 1000}", 300, 600, None),
        ("{shape: flood, tasks: 10}", 300, 10, None),
        ("{shape: flood, tasks: 3}", 1, 2, None),
        ("{shape: constant, rate: 50/s, for: 20s}", 4, 200, 4.0),
        ("{shape: constant, rate: 50/s, for: 2s}", 4, 50, 1.0),
        ("{shape: constant, rate: 10/s, for: 20s}", 50, 100, 10.0),
    ],
)
def test_quick_measures_less_but_fills_the_slots(write, load, slots, count, duration):
    text = f"question: Q\nworkload: {{task: noop}}\nload: {load}\nworkers: {{concurrency: {slots}}}"
    quick = scenario.load(write(text), quick=True)
    assert quick.repeats == 1
    assert quick.cells[0].setup.load.count == count
    assert quick.cells[0].setup.load.duration == duration
    assert scenario.load(write(text), quick=True, repeats=3).repeats == 3


def test_find_takes_a_path_or_a_shipped_name(write, tmp_path, monkeypatch):
    path = write(BASE)
    assert scenario.find(str(path)) == path
    assert scenario.find("quickstart") in scenario.shipped()
    assert scenario.find("quickstart.yaml") in scenario.shipped()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "quickstart").mkdir()
    assert scenario.find("quickstart").is_file(), "a folder of that name is not in the way"
    with pytest.raises(UsageError) as caught:
        scenario.find("quikstart")
    assert "Did you mean 'quickstart'?" in caught.value.hint
    assert "pools-cpu" in caught.value.hint
    with pytest.raises(UsageError, match="is a folder"):
        scenario.find(str(tmp_path))


def test_an_installed_wheel_has_its_scenarios_inside(tmp_path, monkeypatch):
    (tmp_path / "bench" / "scenarios").mkdir(parents=True)
    shipped = tmp_path / "bench" / "scenarios" / "theirs.yaml"
    shipped.write_text(BASE)
    monkeypatch.setattr(reader, "__file__", str(tmp_path / "bench" / "scenario" / "reader.py"))
    assert scenario.shipped() == [shipped]
    assert scenario.find("theirs") == shipped


def test_the_schema_knows_every_key_and_requires_the_question_only():
    made = scenario.schema()
    assert made["required"] == ["question"]
    assert set(made["properties"]) >= {"question", "broker", "workers", "workload", "load", "matrix", "gates"}
    assert "p95(wait)" in made["properties"]["metric"]["enum"]
    assert "workers.prefetch" in made["properties"]["matrix"]["properties"]
    assert made["$defs"]["WorkersKeys"]["additionalProperties"] is False
    assert "cpu.spin" in made["$defs"]["TaskKeys"]["properties"]["task"]["anyOf"][0]["enum"]
    for keys in (made, *made["$defs"].values()):
        for name, about in keys["properties"].items():
            assert about.get("description"), name


def test_cells_whose_ids_would_be_equal_get_different_ones(write, monkeypatch):
    monkeypatch.setattr(reader, "_hash", lambda text: f"{len(text) % 3:08x}")
    cells = scenario.load(write(BASE + "matrix: {workers.prefetch: [1, 2, 3]}")).cells
    assert len({cell.id for cell in cells}) == 3
