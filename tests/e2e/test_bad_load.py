"""Loads that cannot be, or that nobody can keep: a clear answer each."""

import json
from typing import Any

import pytest

pytestmark = pytest.mark.real

REPLAY = "question: q\nworkload: {task: noop}\nload: {shape: replay, file: trace.csv}\n"


def test_a_trace_with_negative_offsets(shell: Any) -> None:
    shell.write("s.yaml", REPLAY)
    shell.write("trace.csv", "offset\n0\n-1.5\n2\n-3\n")
    shell.refused(shell.run("run", "s.yaml"), 2, "trace.csv:3", "-1.5", "trace.csv:5")
    assert not (shell.folder / "results").exists()


def test_a_trace_with_an_unknown_task(shell: Any) -> None:
    shell.write("s.yaml", REPLAY.replace("workload: {task: noop}\n", ""))
    shell.write("trace.csv", "offset,task\n0,noop\n1,noob\n")
    shell.refused(shell.run("run", "s.yaml"), 2, "trace.csv:3", "noob", "noop")


def test_a_trace_of_ten_gigabytes_is_refused_at_once(shell: Any) -> None:
    shell.write("s.yaml", REPLAY)
    with (shell.folder / "trace.csv").open("wb") as file:
        file.truncate(10 * 10**9)
    shell.refused(shell.run("run", "s.yaml", timeout=20), 2, "trace.csv", "GiB")


def test_an_slo_that_no_rate_meets(shell: Any) -> None:
    shell.write(
        "s.yaml",
        "question: q\nworkers: {pool: threads, concurrency: 4}\nrepeats: 1\n"
        "workload: {task: io.sleep, kwargs: {seconds: 0.01}}\n"
        "load: {shape: saturate, slo: p95(response) < 5ms, for: 1s}\n",
    )
    done = shell.run("run", "s.yaml", "--no-report", "--json")
    assert done.returncode == 0, done.stderr
    (cell,) = json.loads(done.stdout)["cells"]
    assert cell["metrics"]["capacity"]["point"] == 0
    (doubt,) = [d for d in cell["doubts"] if d["kind"] == "slo-unreachable"]
    assert "5 ms" in doubt["text"] and doubt["advice"] and doubt["source"]
    assert shell.left() == []


@pytest.mark.parametrize("slo", ["p95(response) > 5ms", "throughput < 5/s", "p95(response)", "fast"])
def test_an_slo_that_is_none(shell: Any, slo: str) -> None:
    text = f'question: q\nworkload: {{task: noop}}\nload: {{shape: saturate, slo: "{slo}"}}\n'
    shell.write("s.yaml", text)
    shell.refused(shell.run("validate", "s.yaml"), 2, "s.yaml:3", "slo")


def test_a_million_a_second_runs_and_doubts_itself(shell: Any) -> None:
    shell.write(
        "s.yaml",
        "question: q\nworkers: {pool: threads, concurrency: 4}\nrepeats: 1\nworkload: {task: noop}\n"
        "load: {shape: constant, rate: 1000000/s, for: 5ms}\n",
    )
    done = shell.run("run", "s.yaml", "--no-report", "--json")
    assert done.returncode == 0, done.stderr
    (cell,) = json.loads(done.stdout)["cells"]
    assert cell["metrics"]["failed"]["point"] == cell["metrics"]["lost"]["point"] == 0
    assert cell["metrics"]["p99(lateness)"]["point"] > 0.01, "5 000 tasks in 5 ms: nobody publishes so fast"
    assert "late-load" in [doubt["kind"] for doubt in cell["doubts"]]
