"""What Celery loads in every worker because celery-bench is installed: next to nothing. And what the pytest
fixture calls scenarios and says of cells, without a measurement.
"""

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from celery_bench import testing


def imported(code: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after the last line of the code and not before it."""
    before, _, last = code.rpartition("\n")
    text = f"import sys\n{before}\nfirst = set(sys.modules)\n{last}\nprint(*set(sys.modules) - first)"
    done = subprocess.run([sys.executable, "-P", "-c", text], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_it_brings_itself_and_nothing_else_into_a_process_that_knows_click():
    assert imported("import click\nimport celery_bench.command") == {"celery_bench", "celery_bench.command"}


def test_celery_finds_it_under_a_name_that_is_nobody_elses():
    (plugin,) = entry_points(group="celery.commands", name="bench")
    assert plugin.value == "celery_bench.command:bench"
    loaded = imported("import importlib.metadata\nimport celery.bin.celery")
    assert "celery_bench" in loaded
    theirs = {name for name in loaded if name.partition(".")[0] in ("bench", "numpy", "pandas", "pydantic")}
    assert not theirs, "also `bench`: somebody's own package may be called so"


@pytest.mark.parametrize(
    ("case", "name"),
    [("", "test_it"), ("[a.b]", "test_it-a.b"), ("[a-b]", "test_it-a-b"), ("[夜間]", "test_it-夜間")],
)
def test_a_dict_is_called_after_its_test(case: str, name: str, monkeypatch, tmp_path):
    monkeypatch.setenv("PYTEST_CURRENT_TEST", f"tests/test_a.py::TestMail::test_it{case} (call)")
    assert Path(testing._written({}, tmp_path)).name == f"{name}.yaml"


def test_no_two_cases_of_a_test_have_the_same_name(monkeypatch, tmp_path):
    cases = (
        "a.b",
        "a-b",
        "a b",
        "a c",
        "a/b",
        "a::b",
        "x::b",
        "a[b]",
        "a]",
        "a (b)",
        "",
        "-",
        "n" * 300,
        "n" * 301,
    )
    for case in cases:
        monkeypatch.setenv("PYTEST_CURRENT_TEST", f"test_a.py::test_it[{case}] (call)")
        testing._written({"question": case}, tmp_path)
    names = [path.name for path in tmp_path.iterdir()]
    assert len(names) == len(cases) and max(map(len, names)) < 140
    assert all(name.startswith("test_it-") for name in names)


def summary(*pools: str):
    estimate = testing.Estimate(metric="throughput", point=5.0, ends=(4.0, 6.0))
    cells = [
        testing.Cell(settings={"workers.pool": pool}, trials=2, metrics={"throughput": estimate}, doubts=())
        for pool in pools
    ]
    return testing.Summary(cells=cells, gates="pass", run=Path("run"))


def test_of_several_cells_one_has_to_be_named():
    assert summary("gevent")["throughput"].point == 5
    told = r"There are 2 cells: name one with s\.cell\(\.\.\.\)\. Known: pool='gevent'; pool='threads'"
    with pytest.raises(KeyError, match=told):
        summary("gevent", "threads")["throughput"]
    with pytest.raises(KeyError, match=r"no cells have {'pool': 'solo'}"):
        summary("gevent", "threads").cell(pool="solo")


def test_one_string_is_a_list_of_one():
    assert [*testing._listed("load.tasks=10")] == ["load.tasks=10"]
    assert [*testing._listed(("a=1", "b=2"))] == ["a=1", "b=2"]
