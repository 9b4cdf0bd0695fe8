"""Whatever a file holds: a Scenario or a list of mistakes, never another exception, never a password."""

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench import scenario
from bench.errors import BenchError
from bench.scenario.keys import TOP_KEYS, known_paths

GOOD = {"question": "Q", "workload": {"task": "noop"}, "load": {"shape": "flood", "tasks": 4}}
KEYS = [
    *TOP_KEYS,
    *known_paths(),
    "zip",
    "include",
    "exclude",
    "pool",
    "task",
    "kwargs",
    "shape",
    "for",
    "rate",
    "rates",
    "from",
    "to",
    "file",
    "slo",
    "tasks",
    "url",
    "",
    ".",
]
WORDS = [
    "prefork",
    "solo",
    "flood",
    "constant",
    "burst",
    "ramp",
    "steps",
    "replay",
    "saturate",
    "p95(wait) < 1s",
    "noop",
    "cpu.spin",
    "5s",
    "3/s",
    "redis://a:hunter2@c",
    "valkey",
]
LEAF = st.none() | st.booleans() | st.integers(-3, 10) | st.floats() | st.sampled_from(WORDS)
TREE = st.recursive(
    LEAF,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)
SETS = st.lists(
    st.tuples(st.sampled_from(KEYS), st.sampled_from(["1", "[1, 2]", "{a: 1}", "x", "", "5s"])), max_size=2
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(TOP_KEYS), TREE, max_size=5), st.booleans(), SETS)
def test_nothing_but_mistakes(tmp_path, data, on_a_good_one, sets):
    path = tmp_path / "any.yaml"
    path.write_text(yaml.safe_dump({**GOOD, **data} if on_a_good_one else data))
    try:
        loaded = scenario.load(path, sets=[f"{key}={value}" for key, value in sets], quick=on_a_good_one)
    except BenchError as error:
        assert error.exit_code == 2
        assert str(error)
        assert "hunter2" not in str(error)
    else:
        assert loaded.cells
        assert all("hunter2" not in str(cell.settings.get("broker")) for cell in loaded.cells)
