"""Loads in a scenario file: every shape, phases, paths into them, and what is wrong with one."""

import re
from pathlib import Path

import pytest

from bench import jsonable, model, pacing, scenario
from bench.errors import ScenarioError
from bench.model import Load

TASK = "question: Q\nworkload: {task: noop}\n"
SLO = "p95(response) < 500ms"
DOCS = Path(__file__).parents[2] / "docs/scenarios.md"


@pytest.fixture
def read(tmp_path):
    """The scenario of a load and further lines."""

    def read(load: str, more: str = "", **options) -> model.Scenario:
        path = tmp_path / "asked.yaml"
        path.write_text(f"{TASK}load: {load}\n{more}")
        return scenario.load(path, **options)

    return read


@pytest.fixture
def told(read):
    """The mistakes, without the name of the file."""

    def told(load: str, more: str = "", **options) -> list[str]:
        with pytest.raises(ScenarioError) as caught:
            read(load, more, **options)
        return [line.rpartition("asked.yaml:")[2] for line in caught.value.mistakes]

    return told


CONSTANT = "{shape: constant, rate: 50/s, for: 20s}"
SHAPES = [
    ("{shape: flood, tasks: 5}", Load(tasks=5), "throughput"),
    (CONSTANT, Load(shape="constant", rate=50.0, duration=20.0), "p95(response)"),
    (
        "{shape: poisson, rate: 30/min, for: 20s}",
        Load(shape="poisson", rate=0.5, duration=20.0),
        "p95(response)",
    ),
    (
        "{shape: steps, rates: [10/s, 20/s], for: 30s}",
        Load(shape="steps", rates=(10.0, 20.0), duration=30.0),
        "p95(response)",
    ),
    (
        "{shape: ramp, from: 0/s, to: 100/s, for: 30s}",
        Load(shape="ramp", rates=(0.0, 100.0), duration=30.0),
        "p95(response)",
    ),
    (
        "{shape: sine, rate: 50/s, amplitude: 50/s, period: 10s, for: 1m}",
        Load(shape="sine", rate=50.0, amplitude=50.0, period=10.0, duration=60.0),
        "p95(response)",
    ),
    ("{shape: burst, tasks: 500}", Load(shape="burst", tasks=500), "p95(response)"),
    (
        "{shape: burst, tasks: 500, every: 10s, for: 60s}",
        Load(shape="burst", tasks=500, every=10.0, duration=60.0),
        "p95(response)",
    ),
    (
        "{shape: closed, clients: 10, tasks: 500}",
        Load(shape="closed", clients=10, tasks=500),
        "p95(roundtrip)",
    ),
    (f'{{shape: saturate, slo: "{SLO}"}}', Load(shape="saturate", slo=SLO), "capacity"),
    (
        f'{{shape: saturate, slo: "{SLO}", for: 5s, rate: 50/s}}',
        Load(shape="saturate", slo=SLO, duration=5.0, rate=50.0),
        "capacity",
    ),
]


@pytest.mark.parametrize(("text", "load", "metric"), SHAPES)
def test_every_shape_is_read_and_has_a_metric_that_answers(read, text, load, metric):
    loaded = read(text)
    assert loaded.cells[0].setup.load == load
    assert loaded.metric == metric
    assert read(f"[{text}]").cells == loaded.cells, "a list of one is just that load, of the same id"
    assert jsonable.from_plain(jsonable.plain(loaded)) == loaded
    if load.shape in pacing._SHAPES:
        assert len(pacing.due_times(load, 0)) == load.count


def test_phases(read):
    loaded = read(f"[{CONSTANT}, {{shape: burst, tasks: 500}}]")
    load = loaded.cells[0].setup.load
    assert load == Load(
        shape="phases",
        phases=(Load(shape="constant", rate=50.0, duration=20.0), Load(shape="burst", tasks=500)),
    )
    assert (load.count, load.length, loaded.metric) == (1500, 20.0, "p95(response)")
    assert [phase.name for phase in pacing.phases(load)] == ["1 constant 50/s", "2 burst 500"]
    assert jsonable.from_plain(jsonable.plain(loaded)) == loaded


@pytest.mark.parametrize(
    ("loads", "metric"),
    [
        ([0, 1], "throughput"),
        ([1, 8], "p95(response)"),
        ([1, 9], "throughput"),
        ([1, 2], "p95(response)"),
        ([9, 10], "capacity"),
    ],
)
def test_the_metric_suits_all_loads_of_a_matrix(read, loads, metric):
    axis = ", ".join(f"l{n}: {SHAPES[n][0]}" for n in loads)
    assert read(CONSTANT, f"matrix: {{load: {{{axis}}}}}").metric == metric


def test_paths_into_a_load(read):
    def loads(load: str, matrix: str = "{}", **options) -> list[Load]:
        return [cell.setup.load for cell in read(load, f"matrix: {matrix}", **options).cells]

    assert [load.rate for load in loads(CONSTANT, "{load.rate: [5/s, 6/s]}")] == [5, 6]
    assert [load.rate for load in loads(CONSTANT, "{load.0.rate: [5/s, 6/s]}")] == [5, 6]
    assert [load.rate for load in loads(f"[{CONSTANT}]", "{load.rate: [5/s, 6/s]}")] == [5, 6]
    assert [load.clients for load in loads(SHAPES[8][0], "{load.clients: [1, 8]}")] == [1, 8]
    phases = f"[{CONSTANT}, {{shape: burst, tasks: 500}}]"
    assert [load.phases[0].rate for load in loads(phases, "{load.0.rate: [5/s, 6/s]}")] == [5, 6]
    assert loads(phases, sets=["load.1.tasks=7"])[0].phases[1].tasks == 7
    assert loads(CONSTANT, sets=["load.for=7s"])[0].duration == 7
    assert loads(CONSTANT, sets=["load={shape: flood, tasks: 7}"]) == [Load(tasks=7)]
    assert loads(phases, "{load.0.rate: [5/s, 6/s]}", sets=["load.0.rate=7/s"])[0].phases[0].rate == 7
    assert loads(CONSTANT, "{load.rate: [5/s, 6/s]}", only=["load.0.rate=6/s"])[0].rate == 6


@pytest.mark.parametrize(
    ("load", "where", "what"),
    [
        ("{shape: poisson, rate: 5/s}", "load.for", "is missing"),
        ("{shape: poisson, rate: 0/s, for: 1s}", "load.rate", "above 0"),
        ("{shape: steps, rates: [], for: 1s}", "load.rates", "must not be empty"),
        ("{shape: steps, rates: [5/s, 5], for: 1s}", "load.rates.1", "Write a rate such as 5/s"),
        ("{shape: steps, rates: 5/s, for: 1s}", "load.rates", "must be a list"),
        ("{shape: steps, rate: 5/s, rates: [5/s], for: 1s}", "load.rate", "Did you mean 'rates'?"),
        ("{shape: ramp, from: 0/s, to: 0/s, for: 1s}", "load.to", "publishes nothing"),
        ("{shape: ramp, from: -1/s, to: 5/s, for: 1s}", "load.from", "from 0"),
        ("{shape: ramp, start: 1/s, from: 1/s, to: 5/s, for: 1s}", "load.start", "unknown key"),
        (
            "{shape: sine, rate: 5/s, amplitude: 6/s, period: 1s, for: 1s}",
            "load.amplitude",
            "at most the rate",
        ),
        ("{shape: sine, rate: 5/s, amplitude: 5/s, period: 0s, for: 1s}", "load.period", "above 0"),
        ("{shape: burst, tasks: 5, for: 1s}", "load.for", "Add `every:`"),
        ("{shape: burst, tasks: 5, every: 1s}", "load.every", "Add `for:`"),
        (
            "{shape: burst, tasks: 9000000, every: 1s, for: 3s}",
            "load.tasks",
            "27000000 tasks; at most 20000000",
        ),
        ("{shape: ramp, from: 1000/s, to: 900000/s, for: 1h}", "load.for", "at most 20000000"),
        ("{shape: steps, rates: [900000/s], for: 1h}", "load.rates", "at most 20000000"),
        (f"[{CONSTANT}, {{shape: poisson, rate: 900000/s, for: 1h}}]", "load", "at most 20000000"),
        ("{shape: closed, clients: 10001, tasks: 50000}", "load.clients", "at most 10000"),
        ("{shape: closed, clients: 0, tasks: 50000}", "load.clients", "at least 1"),
        ("{shape: closed, clients: 9, tasks: 8}", "load.tasks", "Write more tasks"),
        ("{shape: saturate}", "load.slo", "is missing"),
        ("{shape: saturate, slo: fast}", "load.slo", "write METRIC < LIMIT"),
        ("{shape: saturate, slo: 'throughput < 5/s'}", "load.slo", "Write p95, mean or max of response"),
        ("{shape: saturate, slo: 'p95(lateness) < 5s'}", "load.slo", "not a time that a higher rate"),
        ("{shape: saturate, slo: 'p95(respons) < 5s'}", "load.slo", "Did you mean 'p95(response)'?"),
        ("{shape: saturate, slo: 'p95(response) <= 5s'}", "load.slo", "write <"),
        ("{shape: saturate, slo: 'p95(response) < 5'}", "load.slo", "is not a duration"),
        ("{shape: saturate, slo: 'p95(response) < 0s'}", "load.slo", "out of range"),
        (f"{{shape: saturate, slo: '{SLO}', tasks: 5}}", "load.tasks", "unknown key"),
        ("[]", "load", "must not be empty"),
        ("5", "load", "must be a mapping"),
        (f"[{CONSTANT}, 5]", "load.1", "must be a mapping"),
        (f"[{CONSTANT}, {{rate: 5/s}}]", "load.1.shape", "is missing"),
        (f"[{CONSTANT}, {{shape: sinus}}]", "load.1.shape", "Did you mean 'sine'?"),
        (f"[{CONSTANT}, {{shape: burst, tasks: 5, for: 1s}}]", "load.1.for", "Add `every:`"),
        (f"[{CONSTANT}, {{shape: flood, tasks: 5}}]", "load.1.shape", "Use `shape: burst`"),
        (f"[{{shape: closed, clients: 1, tasks: 5}}, {CONSTANT}]", "load.0.shape", "closed stands alone"),
        (f"[{CONSTANT}, {{shape: saturate, slo: '{SLO}'}}]", "load.1.shape", "saturate stands alone"),
        (f"[{CONSTANT}, [{CONSTANT}]]", "load.1", "must be a mapping"),
    ],
)
def test_what_is_wrong_with_a_load(told, load, where, what):
    (line,) = told(load)
    assert line.startswith(f"3: {where}: "), line
    assert what in line


def test_every_mistake_of_all_phases_is_told_at_its_line(told):
    load = (
        "\n  - {shape: burst, tasks: 0}\n  - {shape: ramp, from: 1/s, too: 2/s, for: 3s}\n  - {shape: flood}"
    )
    assert [line.split(": ")[:2] for line in told(load, "workers: {nodes: 0}")] == [
        ["4", "load.0.tasks"],
        ["5", "load.1.to"],
        ["5", "load.1.too"],
        ["6", "load.2.shape"],
        ["7", "workers.nodes"],
    ]


@pytest.mark.parametrize(
    ("load", "matrix", "where", "what"),
    [
        (CONSTANT, "{load.1.rate: [5/s]}", "matrix.load.1.rate.0", "there is no load.1"),
        (f"[{CONSTANT}, {CONSTANT}]", "{load.rate: [5/s]}", "matrix.load.rate.0", "load.0.rate is the first"),
        (f"[{CONSTANT}, {CONSTANT}]", "{load.2.rate: [5/s]}", "matrix.load.2.rate.0", "there is no load.2"),
        (CONSTANT, "{load.rats: [5/s]}", "matrix.load.rats", "Did you mean 'load.rate"),
        (CONSTANT, "{load.0.rate: [5/s], load.rate: [5/s]}", "matrix.load.rate", "is an axis already"),
        (
            "{shape: closed, clients: 2, tasks: 8}",
            "{load.clients: [2, 9]}",
            "matrix.load.clients.1",
            "Write more tasks",
        ),
        (
            "{shape: sine, rate: 9/s, amplitude: 6/s, period: 1s, for: 1s}",
            "{load.rate: [9/s, 5/s]}",
            "matrix.load.rate.1",
            "at most the rate",
        ),
        (
            f"[{CONSTANT}, {{shape: sine, rate: 9/s, amplitude: 6/s, period: 1s, for: 1s}}]",
            "{load.1.rate: [9/s, 5/s]}",
            "matrix.load.1.rate.1",
            "at most the rate",
        ),
    ],
)
def test_a_mistake_of_the_matrix_is_told_there(told, load, matrix, where, what):
    (line,) = told(load, f"matrix: {matrix}")
    assert line.startswith(f"4: {where}: "), line
    assert what in line


@pytest.mark.parametrize(
    ("text", "quick"),
    [
        (SHAPES[2][0], Load(shape="poisson", rate=0.5, duration=8.0)),  # two tasks for each of two slots
        (SHAPES[3][0], Load(shape="steps", rates=(10.0, 20.0), duration=6.0)),
        (SHAPES[4][0], Load(shape="ramp", rates=(0.0, 100.0), duration=6.0)),
        (SHAPES[5][0], Load(shape="sine", rate=50.0, amplitude=50.0, period=2.0, duration=12.0)),
        (SHAPES[6][0], Load(shape="burst", tasks=100)),
        (SHAPES[7][0], Load(shape="burst", tasks=500, every=10.0, duration=12.0)),
        (SHAPES[8][0], Load(shape="closed", clients=10, tasks=100)),
        ("{shape: closed, clients: 40, tasks: 60}", Load(shape="closed", clients=40, tasks=40)),
        (SHAPES[9][0], Load(shape="saturate", slo=SLO, duration=1.0)),
        (
            f'{{shape: saturate, slo: "{SLO}", for: 30s, rate: 5/s}}',
            Load(shape="saturate", slo=SLO, duration=6.0, rate=5.0),
        ),
        (
            f"[{CONSTANT}, {{shape: burst, tasks: 500}}]",
            Load(
                shape="phases",
                phases=(Load(shape="constant", rate=50.0, duration=4.0), Load(shape="burst", tasks=100)),
            ),
        ),
    ],
)
def test_quick_is_a_fifth_of_every_shape(read, text, quick):
    assert read(text, quick=True).cells[0].setup.load == quick


def test_every_example_of_the_reference_is_valid(read):
    text = DOCS.read_text(encoding="utf-8")
    (block,) = (b for b in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if b.count("load:") > 5)
    examples = [e for e in re.split(r"^load:", block, flags=re.MULTILINE) if e.strip()]
    read_ones = [read(e).cells[0].setup.load for e in examples if "trace.csv" not in e]
    assert {load.shape for load in read_ones} == {*model.SHAPES, "phases"} - {"replay"}
    assert all(f"`{shape}`" in text for shape in model.SHAPES)
