"""A run in the formats of other tools, read by these tools where they can be had."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

import bench
from bench import errors, spans, store
from bench.cli import cli
from bench.report import exports

Call = Callable[..., Result]


@pytest.fixture(name="run")
def _run(believed: list[store.Run]) -> store.Run:
    """Prefork and gevent, four good trials each."""
    return next(run for run in believed if run.name == "io-gevent")


@pytest.fixture(name="call")
def _call(run: store.Run) -> Call:
    def call(*args: str) -> Result:
        return CliRunner().invoke(cli, ["--results", str(run.path.parent), "export", *args])

    return call


def test_pytest_benchmark_reads_and_compares_two_runs(call: Call, run: store.Run, tmp_path: Path) -> None:
    files = [tmp_path / "one.json", tmp_path / "two.json"]
    for path in files:
        done = call(run.name, "--format", "pytest-benchmark", "--output", str(path))
        assert (done.exit_code, done.output.strip()) == (errors.EXIT_OK, str(path))
    tool = str(Path(sys.executable).with_name("pytest-benchmark"))
    words = [tool, "compare", *map(str, files), "--columns=ops,rounds", "--csv", str(tmp_path / "out.csv")]
    subprocess.run(words, check=True, capture_output=True, cwd=tmp_path)
    read = pd.read_csv(tmp_path / "out.csv")
    assert len(read) == 4 and set(read["rounds"]) == {4}
    trials = bench.load(run)
    for pool, mine in trials.groupby("workers.pool"):
        ops = read[read["name"].str.contains(rf"\[.*{pool}")]["ops"]
        assert ops.to_numpy() == pytest.approx([4 / (1 / mine["throughput"]).sum()] * 2), "the harmonic mean"


def test_its_times_are_seconds(call: Call, run: store.Run) -> None:
    done = call(run.name, "--format", "pytest-benchmark", "--metric", "p50(service)", "--metric", "makespan")
    found = json.loads(done.output)
    assert {each["group"] for each in found["benchmarks"]} == {"p50(service)", "makespan"}
    first = found["benchmarks"][0]
    trials = bench.load(run)
    mine = trials[trials["cell"] == first["extra_info"]["cell"]]
    assert first["stats"]["data"] == mine["p50(service)"].tolist()
    refused = call(run.name, "--format", "pytest-benchmark", "--metric", "memory")
    assert isinstance(refused.exception, errors.UsageError) and "memory is none" in str(refused.exception)


def test_bencher_metric_format(call: Call, run: store.Run) -> None:
    found = json.loads(call(run.name, "--format", "bmf").output)
    assert {name.partition("[")[0] for name in found} == {run.name}
    for measures in found.values():
        assert set(measures) >= {"throughput", "cpu-per-task", "memory"}
        for each in measures.values():
            assert each["lower_value"] <= each["value"] <= each["upper_value"]
    chosen = json.loads(call(run.name, "--format", "bmf", "--metric", "p50(service)").output)
    assert [set(measures) for measures in chosen.values()] == [{"p50-service"}] * 2


@pytest.mark.parametrize("form", ["bmf", "pytest-benchmark"])
def test_a_metric_that_was_not_measured_is_said_to_be_left_out(call: Call, run: store.Run, form: str) -> None:
    done = call(run.name, "--format", form, "--metric", "p50(service)", "--metric", "p999(response)")
    assert done.exit_code == errors.EXIT_OK and "p50" in done.stdout and "p999" not in done.stdout
    assert done.stderr == "p999(response) was not measured in any trial: left out.\n"
    assert call(run.name, "--format", form, "--metric", "p50(service)").stderr == ""


def test_a_time_that_is_always_zero_is_said_to_be_left_out(
    call: Call, run: store.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [replace(each, metrics={**each.metrics, "max(lateness)": 0.0}) for each in run.results()]
    monkeypatch.setattr(store.Run, "results", lambda _: found)
    words = ("--metric", "makespan", "--metric", "max(lateness)", "--format")
    done = call(run.name, *words, "pytest-benchmark")
    assert done.stderr == "max(lateness) is zero in every trial, which is no time: left out.\n"
    done = call(run.name, *words, "bmf")
    assert done.stderr == "" and '"max-lateness"' in done.stdout


def test_a_dash_is_standard_output_and_no_name_is_none(
    call: Call, run: store.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for form in ("bmf", "pytest-benchmark"):
        assert json.loads(call(run.name, "--format", form, "-o", "-").stdout)
    for words, told in (
        (["--format", "parquet", "-o", "-"], "parquet is several files. Name a folder"),
        (["--format", "bmf", "-o", ""], "--output is empty. Name a file"),
        (["--format", "hdr", "-o", ""], "--output is empty. Name a file"),
    ):
        fault = call(run.name, *words).exception
        assert isinstance(fault, errors.UsageError) and told in f"{fault.message} {fault.hint}"
    assert not [*tmp_path.iterdir()]


def test_parquet_holds_the_three_tables(call: Call, run: store.Run, tmp_path: Path) -> None:
    done = call(run.name, "--format", "parquet", "--output", str(tmp_path / "new" / "folder"))
    assert done.exit_code == errors.EXIT_OK, done.output
    for path in map(Path, done.output.split()):
        assert len(pd.read_parquet(path)) == len(bench.load(run, path.stem))


def test_hdrhistogram_files_hold_every_task(call: Call, run: store.Run, tmp_path: Path) -> None:
    done = call(run.name, "--format", "hdr", "-o", str(tmp_path))
    tasks = bench.load(run, "tasks")
    mine = tasks[tasks["workers.pool"] == "gevent"]
    end = f"{mine['cell'].iloc[0]}-service.hgrm"
    (file,) = [path for path in map(Path, done.output.split()) if path.name.endswith(end)]
    lines = file.read_text().splitlines()
    mine = mine["service"].dropna()
    rows = [line.split() for line in lines[2:] if not line.startswith("#")]
    assert int(rows[-1][2]) == len(mine)
    assert float(rows[-1][0]) == pytest.approx(mine.max() * 1e6, rel=1e-3)
    half = next(float(row[0]) for row in rows if float(row[1]) >= 0.5)
    assert half == pytest.approx(mine.median() * 1e6, rel=0.02)


def test_tables_of_a_run(run: store.Run) -> None:
    trials, tasks, cells = (bench.load(run, table) for table in ("trials", "tasks", "cells"))
    assert set(trials["workers.pool"]) == {"prefork", "gevent"} and trials["throughput"].dtype == float
    assert len(tasks) == sum(result.counts["published"] for result in run.results())
    assert {"trial", "workers.pool", "block", "seq", "intended", "response", "service"} <= {*tasks.columns}
    assert (tasks["response"] >= tasks["service"]).all()
    one = tasks[tasks["trial"] == trials["trial"][0]]
    assert spans.statistics({"service": one["service"].to_numpy()})["p50(service)"] == pytest.approx(
        trials["p50(service)"][0]
    )
    best = cells[(cells["metric"] == "throughput")].set_index("workers.pool")
    assert best.loc["gevent", "lower"] > best.loc["prefork", "upper"] > 0


def test_of_one_trial_the_ends_of_an_interval_are_numbers_that_are_not_there(
    run: store.Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one = [each for each in run.results() if each.block == 1]
    monkeypatch.setattr(store.Run, "results", lambda _: one)
    cells = bench.load(run, "cells")
    exports.parquet(run, tmp_path)
    for table in (cells, pd.read_parquet(tmp_path / "cells.parquet")):
        assert set(table["trials"]) == {1} and table[["lower", "upper"]].isna().all(axis=None)
        assert {str(table[end].dtype) for end in ("lower", "upper")} == {"float64"}


def test_by_name_by_path_and_what_there_is_not(run: store.Run) -> None:
    assert len(bench.load(run.name, results=run.path.parent)) == len(bench.load(run.path)) == 8
    with pytest.raises(errors.UsageError, match="no table 'task'"):
        bench.load(run, "task")
    with pytest.raises(errors.UsageError, match="no table None"):
        bench.load(run, None)  # type: ignore[arg-type]
    with pytest.raises(AttributeError):
        bench.lod  # noqa: B018


def test_what_needs_a_folder_says_so(call: Call, run: store.Run) -> None:
    for words, told in (
        (["--format", "hdr"], "Name a folder"),
        (["--format", "parquet", "-o", "x", "--metric", "memory"], "Leave out --metric"),
    ):
        done = call(run.name, *words)
        assert isinstance(done.exception, errors.UsageError) and told in done.exception.hint


def test_without_the_extra_it_is_said(call: Call, run: store.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pytest_benchmark.stats", None)
    done = call(run.name, "--format", "pytest-benchmark")
    assert (
        isinstance(done.exception, errors.EnvironmentFault) and "celery-bench[export]" in done.exception.hint
    )
